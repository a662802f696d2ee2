// JobService.
#include <fmt/format.h>

#include "hearth/v1/jobs.pb.h"
#include "hub/parts.h"
#include "hub/submission.h"
#include "hub/why.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kMaxListed = 1000;
constexpr std::uint32_t kDefaultListed = 100;

net::Async<Result<v1::SubmitReply>> submit(Parts& parts, const v1::SubmitRequest& request, const net::Caller& caller) {
  if (request.request_id().size() != 16) co_return fail(Code::kInvalidArgument, "request_id: 16 random bytes");
  Result<Submission> submission = co_await prepare_submission(parts, request.spec(), caller.device);
  if (!submission) co_return std::unexpected(submission.error());
  submission->request_id = request.request_id();
  submission->even_if_never_run = request.even_if_never_run();
  Result<JobId> id = co_await hub::submit(parts, std::move(*submission));
  if (!id) co_return std::unexpected(id.error());
  v1::SubmitReply reply;
  reply.set_job_id(id->value);
  co_return reply;
}

net::Async<Result<v1::GetJobReply>> get(Parts& parts, const v1::GetJobRequest& request, Visibility visible) {
  Result<v1::Job> job = co_await parts.views.job({request.job_id()}, visible);
  if (!job) co_return std::unexpected(job.error());
  v1::GetJobReply reply;
  *reply.mutable_job() = std::move(*job);
  if (request.task_limit() > 0) {
    Result<std::vector<v1::Task>> tasks = co_await parts.views.tasks(
        {request.job_id()}, request.first_task(), std::min(request.task_limit(), kMaxListed), request.only_failed());
    if (!tasks) co_return std::unexpected(tasks.error());
    for (v1::Task& task : *tasks) *reply.add_tasks() = std::move(task);
  }
  co_return reply;
}

// What somebody does to a job of their own is their own affair.
void note_others(Parts& parts, const net::Caller& caller, std::string_view action, JobId job, DeviceId owner) {
  if (caller.device == owner) return;
  parts.audit.note(caller, action, fmt::format("job {}", job.value), "of=" + parts.devices.name(owner));
}

net::Async<Result<v1::CancelReply>> cancel(Parts& parts, const v1::CancelRequest& request, const net::Caller& caller) {
  const JobId id{request.job_id()};
  const Visibility visible = parts.devices.visible_to(caller.device);
  if (const LiveJob* live = parts.engine.live_job(id)) {
    if (!visible.covers(live->row.request.owner)) co_return no_job(id);
    if (live->row.request.owner != caller.device && caller.level < net::AccessLevel::kOperator) {
      co_return fail(Code::kPermissionDenied,
                     fmt::format("job {} is {}'s; only that device, an owner's or an operator's may end it", id.value,
                                 parts.devices.name(live->row.request.owner)));
    }
    note_others(parts, caller, "job.cancel", id, live->row.request.owner);
    if (Result<void> done = co_await parts.engine.cancel(id); !done) co_return std::unexpected(done.error());
  }
  Result<v1::Job> job = co_await parts.views.job(id, visible);
  if (!job) co_return std::unexpected(job.error());
  v1::CancelReply reply;
  reply.set_state(job->state());
  co_return reply;
}

net::Async<Result<v1::RemoveReply>> remove(Parts& parts, const v1::RemoveRequest& request, const net::Caller& caller) {
  const JobId id{request.job_id()};
  Result<DeviceId> owner = co_await owner_of(parts, id, parts.devices.visible_to(caller.device));
  if (!owner) co_return std::unexpected(owner.error());
  if (*owner != caller.device && caller.level != net::AccessLevel::kOwner) {
    co_return fail(Code::kPermissionDenied, fmt::format("job {} is {}'s; only that device or an owner's may remove it",
                                                        id.value, parts.devices.name(*owner)));
  }
  const auto taken = [&parts, &caller, id, of = *owner] { note_others(parts, caller, "job.remove", id, of); };
  if (Result<void> done = co_await parts.engine.remove(id, taken); !done) co_return std::unexpected(done.error());
  co_return v1::RemoveReply();
}

net::Async<Result<v1::WhyReply>> why(Parts& parts, const v1::WhyRequest& request, Visibility visible) {
  const JobId id{request.job_id()};
  v1::WhyReply reply;
  std::optional<pool::Why> answer = parts.engine.pool().why(id, parts.loop.now());
  const LiveJob* live = parts.engine.live_job(id);
  if (answer && live != nullptr && visible.covers(live->row.request.owner)) {
    // The others that it waits for are jobs that have not ended either.
    std::erase_if(answer->jobs, [&](JobId other) {
      const LiveJob* known = parts.engine.live_job(other);
      return known == nullptr || !visible.covers(known->row.request.owner);
    });
    reply.set_cause(static_cast<v1::WhyReply::Cause>(answer->cause));
    reply.set_sentence(sentence(parts, *answer, *live));
    reply.set_copies(answer->copies);
    for (const JobId job : answer->jobs) reply.add_job_ids(job.value);
    co_return reply;
  }
  Result<v1::Job> job = co_await parts.views.job(id, visible);
  if (!job) co_return std::unexpected(job.error());
  reply.set_cause(v1::WhyReply::CAUSE_ENDED);
  reply.set_sentence(job->has_first_failure() ? fmt::format("it has ended: {}", job->first_failure().message())
                                              : "it has ended");
  co_return reply;
}

}  // namespace

void add_job_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::SubmitRequest, v1::SubmitReply>(
      "hearth.v1.JobService.Submit",
      [&parts](const v1::SubmitRequest& request, net::Caller& caller) { return submit(parts, request, caller); });
  dispatcher.unary<v1::GetJobRequest, v1::GetJobReply>(
      "hearth.v1.JobService.Get", [&parts](const v1::GetJobRequest& request, net::Caller& caller) {
        return get(parts, request, parts.devices.visible_to(caller.device));
      });
  dispatcher.unary<v1::ListJobsRequest, v1::ListJobsReply>(
      "hearth.v1.JobService.List",
      [&parts](const v1::ListJobsRequest& request, net::Caller& caller) -> net::Async<Result<v1::ListJobsReply>> {
        const Visibility visible = parts.devices.visible_to(caller.device);
        const std::uint32_t limit = request.limit() == 0 ? kDefaultListed : std::min(request.limit(), kMaxListed);
        Result<std::vector<v1::Job>> jobs = co_await parts.views.jobs({request.before_id()}, limit, visible);
        if (!jobs) co_return std::unexpected(jobs.error());
        v1::ListJobsReply reply;
        for (v1::Job& job : *jobs) *reply.add_jobs() = std::move(job);
        reply.set_own_only(!visible.is_whole());
        co_return reply;
      });
  dispatcher.unary<v1::CancelRequest, v1::CancelReply>(
      "hearth.v1.JobService.Cancel",
      [&parts](const v1::CancelRequest& request, net::Caller& caller) { return cancel(parts, request, caller); });
  dispatcher.unary<v1::RemoveRequest, v1::RemoveReply>(
      "hearth.v1.JobService.Remove",
      [&parts](const v1::RemoveRequest& request, net::Caller& caller) { return remove(parts, request, caller); });
  dispatcher.unary<v1::WhyRequest, v1::WhyReply>("hearth.v1.JobService.Why",
                                                 [&parts](const v1::WhyRequest& request, net::Caller& caller) {
                                                   return why(parts, request, parts.devices.visible_to(caller.device));
                                                 });
  dispatcher.streaming<v1::LogsRequest, v1::LogsReply>(
      "hearth.v1.JobService.Logs",
      [&parts](const v1::LogsRequest& request, net::Caller& caller,
               net::ReplyStream& stream) -> net::Async<Result<void>> {
        Result<v1::Job> job = co_await parts.views.job({request.job_id()}, parts.devices.visible_to(caller.device));
        if (!job) co_return std::unexpected(job.error());
        co_return co_await parts.logs.stream(request, stream);
      });
}

}  // namespace hearth::hub
