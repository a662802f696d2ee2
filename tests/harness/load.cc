#include "harness/load.h"

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "net/crypto.h"

namespace hearth::e2e {
namespace {

constexpr std::size_t kMost = 3000;
constexpr std::uint32_t kPage = 1000;

}  // namespace

int kills(int standard) {
  const char* wanted = std::getenv("HEARTH_KILLS");
  return wanted == nullptr ? standard : std::max(1, std::atoi(wanted));
}

void Load::stop() {
  leave_ = true;
  if (thread_.joinable()) thread_.join();
}

void Load::run(const Pool& pool) {
  Api api(pool);
  while (!leave_ && acknowledged_.size() < kMost) {
    submit(api);
    pause_for(milliseconds(500));
  }
}

void Load::submit(Api& api) {
  v1::JobSpec spec = shell("echo result-{i} > out-{i}");
  spec.add_outputs("out-*");
  const std::string request_id = net::random_bytes(16);
  for (auto job = api.submit(spec, request_id);; job = api.submit(spec, request_id)) {
    if (job) {
      acknowledged_.push_back(*job);
      const std::lock_guard lock(mutex_);
      moments_.push_back(std::chrono::steady_clock::now());
      return;
    }
    if (given_up_) return;
    ++repeated_;
    pause_for(milliseconds(20));
  }
}

std::size_t Load::acknowledged_since(Moment moment) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(moments_, [&](Moment each) { return each > moment; }));
}

milliseconds Load::outage_since(Moment moment) const {
  const std::lock_guard lock(mutex_);
  milliseconds longest{0};
  for (const Moment each : moments_) {
    if (each <= moment) continue;
    longest = std::max(longest, std::chrono::duration_cast<milliseconds>(each - moment));
    moment = each;
  }
  return longest;
}

std::vector<v1::Job> all_jobs(Api& api) {
  std::vector<v1::Job> jobs;
  v1::ListJobsRequest request;
  request.set_limit(kPage);
  while (true) {
    v1::ListJobsReply page;
    Error last;
    // The hub that was asked last may be another's standby by now.
    const bool answered = eventually(seconds(30), [&] {
      auto reply = api.call<v1::ListJobsReply>("hearth.v1.JobService/List", request);
      if (reply) page = std::move(*reply);
      if (!reply) last = reply.error();
      return reply.has_value();
    });
    EXPECT_TRUE(answered) << text_of(last);
    if (page.jobs().empty()) return jobs;
    jobs.insert(jobs.end(), page.jobs().begin(), page.jobs().end());
    request.set_before_id(jobs.back().id());
  }
}

void expect_finished_once(Api& api, std::uint64_t id) {
  const v1::Job job = api.wait(id, seconds(90));
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.DebugString();
  EXPECT_EQ(job.succeeded(), job.spec().tasks()) << job.DebugString();
  const v1::GetJobReply reply = api.get(id, job.spec().tasks());
  for (const v1::Task& task : reply.tasks()) {
    EXPECT_EQ(task.state(), v1::TASK_STATE_SUCCEEDED);
    ASSERT_TRUE(task.outcome().has_outputs()) << task.DebugString();
    v1::Tree tree;
    const auto bytes = api.get_blob(task.outcome().outputs().sha256());
    ASSERT_TRUE(bytes && tree.ParseFromString(*bytes)) << task.DebugString();
    ASSERT_EQ(tree.files_size(), 1);
    EXPECT_EQ(tree.files(0).path(), "out-" + std::to_string(task.index()));
    EXPECT_EQ(api.get_blob(tree.files(0).blob().sha256()).value_or(""),
              "result-" + std::to_string(task.index()) + "\n");
  }
}

}  // namespace hearth::e2e
