#include "cli/watch_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::Job job(std::uint64_t id, v1::JobState state) {
  v1::Job made;
  made.set_id(id);
  made.mutable_spec()->set_name("render");
  made.mutable_spec()->set_tasks(1);
  made.set_owner("ann");
  made.set_state(state);
  made.mutable_submitted()->set_unix_millis(1'000);
  if (state >= v1::JOB_STATE_RUNNING) made.mutable_started()->set_unix_millis(2'000);
  if (state >= v1::JOB_STATE_SUCCEEDED) made.mutable_ended()->set_unix_millis(3'000);
  return made;
}

v1::Job failed_job(std::uint64_t id, int exit_code) {
  v1::Job made = job(id, v1::JOB_STATE_FAILED);
  made.mutable_first_failure()->set_reason(v1::FAILURE_REASON_EXIT_CODE);
  made.mutable_first_failure()->set_exit_code(exit_code);
  return made;
}

v1::FailedAttempt attempt(std::uint64_t job, std::uint32_t task, std::uint32_t attempts, bool again) {
  v1::FailedAttempt made;
  made.set_job_id(job);
  made.set_task(task);
  made.set_attempts(attempts);
  made.set_node("pc2");
  made.set_again(again);
  made.mutable_outcome()->set_reason(v1::FAILURE_REASON_NODE_LOST);
  return made;
}

v1::WatchReply reply(std::vector<v1::Job> jobs, bool snapshot = false) {
  v1::WatchReply made;
  made.set_snapshot(snapshot);
  for (v1::Job& one : jobs) *made.add_jobs() = std::move(one);
  return made;
}

// "job.queued 7"
std::vector<std::string> told(const WatchEvents::Events& events) {
  std::vector<std::string> texts;
  for (const v1::Event& event : events) texts.push_back(event.type() + " " + std::to_string(event.data().job_id()));
  return texts;
}

TEST(WatchEventsTest, TellsEachStepOfANewJobOnce) {
  WatchEvents watch({});
  EXPECT_THAT(told(watch.take(reply({job(5, v1::JOB_STATE_SUCCEEDED), job(4, v1::JOB_STATE_RUNNING)}, true), {})),
              IsEmpty());
  EXPECT_THAT(told(watch.take(reply({job(6, v1::JOB_STATE_QUEUED)}), {})), ElementsAre("job.queued 6"));
  EXPECT_THAT(told(watch.take(reply({job(6, v1::JOB_STATE_QUEUED)}), {})), IsEmpty());
  EXPECT_THAT(told(watch.take(reply({job(6, v1::JOB_STATE_RUNNING)}), {})), ElementsAre("job.started 6"));
  EXPECT_THAT(told(watch.take(reply({job(6, v1::JOB_STATE_SUCCEEDED), job(4, v1::JOB_STATE_CANCELLED)}), {})),
              ElementsAre("job.ended 4", "job.ended 6"));
  EXPECT_THAT(told(watch.take(reply({job(6, v1::JOB_STATE_SUCCEEDED)}), {})), IsEmpty());
  EXPECT_THAT(told(watch.take(reply({failed_job(9, 3)}), {})),
              ElementsAre("job.queued 9", "job.started 9", "job.ended 9"));
  EXPECT_FALSE(watch.all_ended()) << "nothing was named";
}

TEST(WatchEventsTest, LosesNoEndToABrokenStream) {
  WatchEvents watch({});
  watch.take(reply({job(4, v1::JOB_STATE_RUNNING)}, true), {});
  watch.take(reply({job(5, v1::JOB_STATE_QUEUED)}), {});
  EXPECT_THAT(watch.live(), ElementsAre(4, 5));
  // Meanwhile both ended, and so many came that the snapshot begins at 300.
  const v1::WatchReply snapshot = reply({job(300, v1::JOB_STATE_SUCCEEDED), job(301, v1::JOB_STATE_QUEUED)}, true);
  ASSERT_TRUE(watch.missed(snapshot));
  EXPECT_EQ(watch.missed(snapshot)->after, 5U);
  EXPECT_EQ(watch.missed(snapshot)->before, 300U);
  EXPECT_THAT(told(watch.take_job(job(4, v1::JOB_STATE_SUCCEEDED))), ElementsAre("job.ended 4"));
  EXPECT_THAT(told(watch.take_removed(5, {})), ElementsAre("job.removed 5"));
  EXPECT_THAT(told(watch.take_job(failed_job(6, 1))), ElementsAre("job.queued 6", "job.started 6", "job.ended 6"));
  EXPECT_THAT(told(watch.take(snapshot, {})),
              ElementsAre("job.queued 300", "job.started 300", "job.queued 301", "job.ended 300"));
  EXPECT_THAT(watch.live(), ElementsAre(301));
}

TEST(WatchEventsTest, AnOlderJobIsToldOfFromThereOn) {
  WatchEvents watch({});
  watch.take(reply({job(500, v1::JOB_STATE_SUCCEEDED)}, true), {});
  EXPECT_THAT(told(watch.take(reply({job(3, v1::JOB_STATE_RUNNING)}), {})), IsEmpty());
  EXPECT_THAT(told(watch.take(reply({job(3, v1::JOB_STATE_SUCCEEDED)}), {})), ElementsAre("job.ended 3"));
  EXPECT_THAT(told(watch.take(reply({job(2, v1::JOB_STATE_CANCELLED)}), {})), ElementsAre("job.ended 2"));
}

TEST(WatchEventsTest, NamedJobsAreToldOfAsTheyAreAndEndIt) {
  WatchEvents watch({8, 7, 8});
  EXPECT_THAT(told(watch.take_job(job(8, v1::JOB_STATE_RUNNING))), ElementsAre("job.started 8"));
  EXPECT_THAT(told(watch.take_job(failed_job(7, 3))), ElementsAre("job.ended 7"));
  EXPECT_FALSE(watch.all_ended());
  EXPECT_THAT(told(watch.take(reply({job(9, v1::JOB_STATE_QUEUED), job(8, v1::JOB_STATE_RUNNING)}, true), {})),
              IsEmpty());
  v1::WatchReply last = reply({failed_job(8, 4)});
  *last.add_failed_attempts() = attempt(8, 0, 2, false);
  *last.add_failed_attempts() = attempt(9, 0, 2, false);
  EXPECT_THAT(told(watch.take(last, {})), ElementsAre("task.failed 8", "job.ended 8"));
  EXPECT_TRUE(watch.all_ended());
  EXPECT_EQ(watch.exit_code(), 4) << "of the first that was named";
}

TEST(WatchEventsTest, AJobThatIsGoneFailsTheWatch) {
  WatchEvents watch({8});
  watch.take_job(job(8, v1::JOB_STATE_RUNNING));
  v1::WatchReply gone;
  gone.add_removed_jobs(8);
  gone.add_removed_jobs(9);
  EXPECT_THAT(told(watch.take(gone, {})), ElementsAre("job.removed 8"));
  EXPECT_TRUE(watch.all_ended());
  EXPECT_EQ(watch.exit_code(), 1);
}

TEST(WatchEventsTest, FailuresThatWereMissedAreToldOnce) {
  WatchEvents watch({8});
  watch.take_job(job(8, v1::JOB_STATE_RUNNING));
  v1::WatchReply first = reply({}, true);
  *first.add_failed_attempts() = attempt(8, 3, 1, true);
  const WatchEvents::Events events = watch.take(first, {});
  EXPECT_THAT(told(events), ElementsAre("task.requeued 8"));
  EXPECT_EQ(events[0].data().state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(events[0].data().tasks(), 1U);
  EXPECT_EQ(event_line(events[0]).substr(10),
            "task 3 of job 8 (render) goes back to the queue, attempt 1 on pc2: its node was lost\n");
  std::vector<v1::Task> tasks(2);
  tasks[0].set_index(3);
  tasks[0].set_attempts(1);
  tasks[0].set_state(v1::TASK_STATE_PENDING);
  tasks[1] = tasks[0];
  tasks[1].set_index(4);
  tasks[1].set_state(v1::TASK_STATE_FAILED);
  EXPECT_THAT(told(watch.take_failures(job(8, v1::JOB_STATE_RUNNING), tasks)), ElementsAre("task.failed 8"));
  EXPECT_THAT(told(watch.take_failures(job(8, v1::JOB_STATE_RUNNING), tasks)), IsEmpty());
  tasks[0].set_attempts(2);
  EXPECT_THAT(told(watch.take_failures(job(8, v1::JOB_STATE_RUNNING), tasks)), ElementsAre("task.requeued 8"));
}

TEST(WatchEventsTest, AJobThatCameAndFailedAtOnceIsToldOfInOrder) {
  WatchEvents watch({});
  watch.take(reply({}, true), {});
  v1::WatchReply all = reply({failed_job(8, 3)});
  *all.add_failed_attempts() = attempt(8, 0, 1, false);
  const WatchEvents::Events events = watch.take(all, {});
  EXPECT_THAT(told(events), ElementsAre("job.queued 8", "job.started 8", "task.failed 8", "job.ended 8"));
  EXPECT_EQ(events[0].data().state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(events[3].data().state(), v1::JOB_STATE_FAILED);
}

TEST(WatchEventsTest, NodesComeAndGo) {
  WatchEvents watch({});
  v1::WatchReply here = reply({}, true);
  here.add_nodes()->set_id(2);
  here.mutable_nodes(0)->set_name("pc2\x1b[2J");
  here.mutable_nodes(0)->set_connected(true);
  EXPECT_THAT(watch.take(here, {}), IsEmpty()) << "it was there before";
  here.set_snapshot(false);
  EXPECT_THAT(watch.take(here, {}), IsEmpty());
  v1::WatchReply gone;
  gone.add_removed_devices(2);
  gone.add_removed_devices(3);
  const WatchEvents::Events events = watch.take(gone, {86'400'000});
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(event_line(events[0]).substr(8), "  node pc2?[2J is away\n");
  EXPECT_EQ(watch.take(here, {}).size(), 1U) << "it is here again";
}

TEST(WatchEventsTest, AnEventIsOneLineOfJson) {
  WatchEvents watch({});
  watch.take(reply({}, true), {});
  const WatchEvents::Events events = watch.take(reply({failed_job(1, 3)}), {});
  ASSERT_EQ(events.size(), 3U);
  const std::string json = event_json(events[2]);
  EXPECT_EQ(json.find('\n'), json.size() - 1);
  EXPECT_THAT(json, testing::HasSubstr(R"({"type":"job.ended","timestamp":"1970-01-01T00:00:03.000Z","version":1,)"));
  EXPECT_THAT(json, testing::HasSubstr(R"("job_id":"1")"));
  EXPECT_THAT(json, testing::HasSubstr(R"("exit_code":3)"));
  EXPECT_EQ(event_line(events[2]).substr(8), "  job 1 (render) failed: exit code 3\n");
}

}  // namespace
}  // namespace hearth::cli
