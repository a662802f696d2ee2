// Schedules in a hub: what was missed, what still runs, what goes with its device.
#include "hub/schedules.h"

#include <gtest/gtest.h>

#include "hearth/v1/schedules.pb.h"
#include "hub/hub_test_world.h"

namespace hearth::hub {
namespace {

constexpr WallTime kLongAgo{1'000'000'000'000};

class HubScheduleTest : public HubTest {
 protected:
  static v1::AddScheduleRequest request_of(const std::string& name, v1::Overlap overlap = v1::OVERLAP_SKIP) {
    v1::AddScheduleRequest request;
    request.set_name(name);
    request.set_cron("@yearly");
    request.set_overlap(overlap);
    request.mutable_spec()->add_argv("/usr/bin/true");
    return request;
  }
  Result<v1::AddScheduleReply> add(const v1::AddScheduleRequest& request) {
    return call<v1::AddScheduleReply>("hearth.v1.ScheduleService/Add", request);
  }
  v1::Schedule listed() {
    const auto reply = call<v1::ListSchedulesReply>("hearth.v1.ScheduleService/List", v1::ListSchedulesRequest());
    return reply && reply->schedules_size() == 1 ? reply->schedules(0) : v1::Schedule();
  }
  std::size_t jobs() {
    const auto reply = call<v1::ListJobsReply>("hearth.v1.JobService/List", v1::ListJobsRequest());
    return reply ? static_cast<std::size_t>(reply->jobs_size()) : 0;
  }
  // As if the hub had been down while all schedules came due, many times.
  void miss() {
    stop();
    {
      const Result<std::unique_ptr<store::Store>> store = store::open_sqlite(directory_ / "pool.db");
      ASSERT_TRUE(store) << store.error().message;
      store::Batch batch;
      batch.schedules = *(*store)->load_schedules();
      for (store::ScheduleRow& row : batch.schedules) row.next = kLongAgo;
      ASSERT_TRUE((*store)->commit(batch));
    }
    start();
  }
  // Waits until none is due any more.
  void settle() {
    const auto is_due = [this] {
      const auto reply = call<v1::ListSchedulesReply>("hearth.v1.ScheduleService/List", v1::ListSchedulesRequest());
      return !reply || std::ranges::any_of(reply->schedules(), [](const v1::Schedule& one) {
        return one.next().unix_millis() == kLongAgo.unix_millis;
      });
    };
    for (int i = 0; i < 1000 && is_due(); ++i) loop_.run_until_done(net::sleep_for(milliseconds(10)));
    EXPECT_FALSE(is_due());
  }
};

TEST_F(HubScheduleTest, WhatWasMissedIsMadeUpForOnce) {
  ASSERT_TRUE(add(request_of("backup")));
  EXPECT_EQ(jobs(), 0U);
  miss();
  settle();
  EXPECT_EQ(jobs(), 1U);
  EXPECT_EQ(listed().last_job(), 1U);
  EXPECT_EQ(listed().last_due().unix_millis(), kLongAgo.unix_millis);
  EXPECT_GT(listed().next().unix_millis(), wall_now().unix_millis);
  stop();
  start();
  settle();
  EXPECT_EQ(jobs(), 1U);
  EXPECT_EQ(job(1).spec().argv(0), "/usr/bin/true");
}

TEST_F(HubScheduleTest, WhileTheLastOneRunsNoneIsSubmitted) {
  ASSERT_TRUE(add(request_of("backup")));
  miss();
  settle();
  miss();
  settle();
  EXPECT_EQ(jobs(), 1U) << "it waits for a node";
  EXPECT_EQ(listed().last_trouble(), "skipped: job 1 still ran");
  v1::RunScheduleRequest now;
  now.set_name("backup");
  const auto ran = call<v1::RunScheduleReply>("hearth.v1.ScheduleService/RunNow", now);
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(ran->job_id(), 2U) << "on demand it runs all the same";
  EXPECT_EQ(listed().last_trouble(), "");
}

TEST_F(HubScheduleTest, OneThatAllowsOverlapIsSubmittedEachTime) {
  ASSERT_TRUE(add(request_of("often", v1::OVERLAP_ALLOW)));
  miss();
  settle();
  ASSERT_EQ(jobs(), 1U);
  miss();
  settle();
  EXPECT_EQ(jobs(), 1U) << "it is the same moment, which a hub that died in between would submit again";
  v1::RunScheduleRequest now;
  now.set_name("often");
  ASSERT_TRUE(call<v1::RunScheduleReply>("hearth.v1.ScheduleService/RunNow", now));
  EXPECT_EQ(jobs(), 2U);
}

TEST_F(HubScheduleTest, EndsWithItsDevice) {
  const auto phone = pair("phone", v1::RING_HOME);
  ASSERT_TRUE(call_as<v1::AddScheduleReply>(*phone, "hearth.v1.ScheduleService/Add", request_of("backup")));
  v1::RevokeRequest revoke;
  revoke.set_device_id(phone->account->device.value);
  ASSERT_TRUE(call<v1::RevokeReply>("hearth.v1.DeviceService/Revoke", revoke));
  miss();
  settle();
  EXPECT_EQ(listed().name(), "");
  EXPECT_EQ(jobs(), 0U);
}

TEST_F(HubScheduleTest, ItsInputsStayUntilItIsRemoved) {
  const v1::Blob file = put("its input");
  const v1::Blob orphan = put("nobody's");
  v1::AddScheduleRequest request = request_of("backup");
  *request.mutable_spec()->mutable_inputs() = put_tree({file});
  ASSERT_TRUE(add(request));
  stop();
  sweeps_ = {.grace = {}, .first_after = {}, .gather = {}, .interval = milliseconds(20)};
  start();
  EXPECT_TRUE(goes(orphan));
  EXPECT_TRUE(has(file));
  v1::RemoveScheduleRequest remove;
  remove.set_name("backup");
  ASSERT_TRUE(call<v1::RemoveScheduleReply>("hearth.v1.ScheduleService/Remove", remove));
  EXPECT_TRUE(goes(file));
}

TEST_F(HubScheduleTest, WhatIsWrongIsRefused) {
  const auto code_of = [this](const v1::AddScheduleRequest& request) {
    const auto reply = add(request);
    return reply ? Code::kUnknown : reply.error().code;
  };
  v1::AddScheduleRequest wrong = request_of("Not Short");
  EXPECT_EQ(code_of(wrong), Code::kInvalidArgument);
  wrong = request_of("backup");
  wrong.set_cron("0 0 30 2 *");
  EXPECT_EQ(code_of(wrong), Code::kInvalidArgument);
  wrong = request_of("backup");
  wrong.mutable_spec()->add_after(1);
  EXPECT_EQ(code_of(wrong), Code::kInvalidArgument);
  wrong = request_of("backup");
  wrong.mutable_spec()->mutable_inputs()->set_sha256(std::string(32, 'x'));
  EXPECT_EQ(code_of(wrong), Code::kFailedPrecondition);
  wrong = request_of("backup");
  wrong.mutable_spec()->set_environment("never-heard-of");
  EXPECT_EQ(code_of(wrong), Code::kNotFound);
  ASSERT_TRUE(add(request_of("backup")));
  EXPECT_EQ(code_of(request_of("backup")), Code::kAlreadyExists);
  for (std::size_t i = 1; i < Schedules::kMostOfDevice; ++i) {
    ASSERT_TRUE(add(request_of("more-" + std::to_string(i))));
  }
  EXPECT_EQ(code_of(request_of("one-too-many")), Code::kResourceExhausted);
}

}  // namespace
}  // namespace hearth::hub
