#include "hub/events.h"

#include "base/rfc3339.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kVersion = 1;

void describe(v1::EventData& data, const v1::Outcome& outcome) {
  data.set_reason(outcome.reason());
  data.set_message(outcome.message());
  if (outcome.reason() == v1::FAILURE_REASON_EXIT_CODE || outcome.reason() == v1::FAILURE_REASON_SIGNAL) {
    data.set_exit_code(outcome.exit_code());
  }
}

}  // namespace

std::string name_of(const v1::JobSpec& spec) {
  if (!spec.name().empty()) return spec.name();
  return spec.argv().empty() ? std::string() : spec.argv(0);
}

v1::Event event_of(webhook::Kind kind, WallTime at, const std::string& pool) {
  v1::Event event;
  event.set_type(std::string(webhook::name_of(kind)));
  event.set_timestamp(rfc3339(at));
  event.set_version(kVersion);
  event.mutable_data()->set_pool(pool);
  return event;
}

v1::Event event_of(webhook::Kind kind, WallTime at, const std::string& pool, const v1::Job& job) {
  v1::Event event = event_of(kind, at, pool);
  v1::EventData& data = *event.mutable_data();
  data.set_job_id(job.id());
  data.set_job(name_of(job.spec()));
  data.set_owner(job.owner());
  data.set_state(job.state());
  data.set_tasks(job.spec().tasks());
  data.set_succeeded(job.succeeded());
  data.set_failed(job.failed());
  data.set_cancelled(job.cancelled());
  if (kind == webhook::Kind::kJobEnded) describe(data, job.first_failure());
  return event;
}

v1::Event event_of(const FailedAttempt& failed, const std::string& pool, const v1::Job& job, const std::string& node) {
  const webhook::Kind kind = failed.again ? webhook::Kind::kTaskRequeued : webhook::Kind::kTaskFailed;
  v1::Event event = event_of(kind, failed.at, pool, job);
  v1::EventData& data = *event.mutable_data();
  describe(data, failed.outcome);
  data.set_task(failed.attempt.task.index);
  data.set_attempts(failed.attempts);
  data.set_node(node);
  return event;
}

}  // namespace hearth::hub
