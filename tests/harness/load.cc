#include "harness/load.h"

#include <gtest/gtest.h>

#include "net/crypto.h"

namespace hearth::e2e {
namespace {

constexpr std::size_t kMost = 150;

}  // namespace

void Load::stop() {
  leave_ = true;
  if (thread_.joinable()) thread_.join();
}

void Load::run(const Pool& pool) {
  Api api(pool);
  while (!leave_ && acknowledged_.size() < kMost) {
    submit(api);
    pause_for(milliseconds(400));
  }
}

void Load::submit(Api& api) {
  v1::JobSpec spec = shell("echo result-{i} > out-{i}");
  spec.set_tasks(2);
  spec.add_outputs("out-*");
  const std::string request_id = net::random_bytes(16);
  for (auto job = api.submit(spec, request_id);; job = api.submit(spec, request_id)) {
    if (job) return acknowledged_.push_back(*job);
    ++repeated_;
    pause_for(milliseconds(20));
  }
}

std::vector<v1::Job> all_jobs(Api& api) {
  v1::ListJobsRequest request;
  request.set_limit(1000);
  const auto reply = api.call<v1::ListJobsReply>("hearth.v1.JobService/List", request);
  EXPECT_TRUE(reply) << text_of(reply.error());
  if (!reply) return {};
  return {reply->jobs().begin(), reply->jobs().end()};
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
