// ScheduleService.
#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/schedules.pb.h"
#include "hub/job_blobs.h"
#include "hub/parts.h"
#include "hub/submission.h"

namespace hearth::hub {
namespace {

v1::Schedule to_proto(const Parts& parts, const store::ScheduleRow& row) {
  v1::Schedule schedule;
  schedule.set_name(row.name);
  schedule.set_owner_id(row.owner.value);
  schedule.set_owner(parts.devices.name(row.owner));
  schedule.set_cron(row.cron);
  v1::JobSpec spec;
  spec.ParseFromString(row.spec);
  *schedule.mutable_spec() = listed(std::move(spec));
  schedule.set_overlap(static_cast<v1::Overlap>(row.overlap));
  *schedule.mutable_made() = moment(row.made);
  *schedule.mutable_next() = moment(row.next);
  *schedule.mutable_last_due() = moment(row.last_due);
  schedule.set_last_job(row.last_job.value);
  schedule.set_last_trouble(row.last_trouble);
  return schedule;
}

Result<void> check_add(const Parts& parts, const v1::AddScheduleRequest& request, DeviceId device) {
  if (!is_short_name(request.name())) {
    return fail(Code::kInvalidArgument, "name: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
  }
  if (!v1::Overlap_IsValid(request.overlap())) return fail(Code::kInvalidArgument, "overlap: skip (1) or allow (2)");
  if (request.spec().after_size() > 0) {
    return fail(Code::kInvalidArgument, "spec.after: what runs by the clock runs after no other job");
  }
  if (parts.schedules.find({device, request.name()}) != nullptr) {
    return fail(Code::kAlreadyExists, fmt::format("there is a schedule {} already; take it out first: hearth schedule "
                                                  "remove {}",
                                                  request.name(), request.name()));
  }
  if (parts.schedules.count_of(device) >= Schedules::kMostOfDevice) {
    return fail(Code::kResourceExhausted,
                fmt::format("this device has {} schedules, as many as it may", Schedules::kMostOfDevice));
  }
  if (parts.schedules.all().size() >= Schedules::kMost) {
    return fail(Code::kResourceExhausted,
                fmt::format("the pool has {} schedules, as many as it takes", Schedules::kMost));
  }
  return {};
}

net::Async<Result<v1::AddScheduleReply>> add(Parts& parts, const v1::AddScheduleRequest& request, DeviceId device) {
  if (Result<void> checked = check_add(parts, request, device); !checked) co_return std::unexpected(checked.error());
  store::ScheduleRow row{.owner = device, .name = request.name(), .cron = request.cron(), .spec = {}};
  row.made = wall_now();
  const Result<WallTime> next = next_due(row.cron, row.made);
  if (!next) co_return std::unexpected(next.error());
  row.next = *next;
  row.overlap = static_cast<std::uint8_t>(request.overlap());
  // As if it were submitted now, so that what is wrong is told to whoever is there.
  Result<Submission> tried = co_await prepare_submission(parts, request.spec(), device);
  if (!tried) co_return std::unexpected(tried.error());
  // What it takes from the drive is what is there then.
  if (request.spec().drive_inputs_size() > 0) {
    *tried->spec.mutable_drive_inputs() = request.spec().drive_inputs();
    tried->spec.clear_inputs();
    if (request.spec().has_inputs()) *tried->spec.mutable_inputs() = request.spec().inputs();
  }
  row.spec = tried->spec.SerializeAsString();
  if (Result<void> checked = check_add(parts, request, device); !checked) co_return std::unexpected(checked.error());
  parts.schedules.put(row);
  Result<void> saved = co_await parts.engine.save_schedule(row);
  if (!saved) {
    parts.schedules.remove({row.owner, row.name});
    co_return std::unexpected(fail(saved, "the schedule was not taken").error());
  }
  for (const v1::Blob& tree : input_trees(tried->spec)) parts.access.taken(device, tree);
  v1::AddScheduleReply reply;
  *reply.mutable_schedule() = to_proto(parts, row);
  co_return reply;
}

v1::ListSchedulesReply list(const Parts& parts, Visibility visible) {
  v1::ListSchedulesReply reply;
  for (const auto& [key, row] : parts.schedules.all()) {
    if (visible.covers(row.owner)) *reply.add_schedules() = to_proto(parts, row);
  }
  return reply;
}

// One that the caller may act upon. Errors: kNotFound, also if it may not be seen; kPermissionDenied.
template <class Request>
Result<store::ScheduleRow> find(const Parts& parts, const Request& request, const net::Caller& caller) {
  const DeviceId owner = request.owner_id() == 0 ? caller.device : DeviceId{request.owner_id()};
  const store::ScheduleRow* row = parts.schedules.find({owner, request.name()});
  if (row == nullptr || !parts.devices.visible_to(caller.device).covers(owner)) {
    return fail(Code::kNotFound, "there is no such schedule; those that there are: hearth schedule list");
  }
  if (owner != caller.device && caller.level != net::AccessLevel::kOwner) {
    return fail(Code::kPermissionDenied, fmt::format("schedule {} is {}'s; only that device or an owner's may do that",
                                                     row->name, parts.devices.name(owner)));
  }
  return *row;
}

net::Async<Result<v1::RemoveScheduleReply>> remove(Parts& parts, const v1::RemoveScheduleRequest& request,
                                                   const net::Caller& caller) {
  Result<store::ScheduleRow> row = find(parts, request, caller);
  if (!row) co_return std::unexpected(row.error());
  parts.schedules.remove({row->owner, row->name});
  row->cron.clear();
  if (Result<void> saved = co_await parts.engine.save_schedule(*row); !saved) co_return std::unexpected(saved.error());
  parts.access.job_removed({}, row->owner);
  co_return v1::RemoveScheduleReply();
}

net::Async<Result<v1::RunScheduleReply>> run_now(Parts& parts, const v1::RunScheduleRequest& request,
                                                 const net::Caller& caller) {
  const Result<store::ScheduleRow> found = find(parts, request, caller);
  if (!found) co_return std::unexpected(found.error());
  Result<JobId> job = co_await submit_scheduled(parts, *found, net::random_bytes(16));
  if (!job) co_return std::unexpected(job.error());
  const store::ScheduleRow* still = parts.schedules.find({found->owner, found->name});
  if (still != nullptr && still->made == found->made) {
    store::ScheduleRow row = *still;
    row.last_job = *job;
    row.last_trouble.clear();
    parts.schedules.put(row);
    if (Result<void> saved = co_await parts.engine.save_schedule(row); !saved) co_return std::unexpected(saved.error());
  }
  v1::RunScheduleReply reply;
  reply.set_job_id(job->value);
  co_return reply;
}

}  // namespace

void add_schedule_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::AddScheduleRequest, v1::AddScheduleReply>(
      "hearth.v1.ScheduleService.Add", [&parts](const v1::AddScheduleRequest& request, net::Caller& caller) {
        return add(parts, request, caller.device);
      });
  dispatcher.unary<v1::ListSchedulesRequest, v1::ListSchedulesReply>(
      "hearth.v1.ScheduleService.List",
      [&parts](const v1::ListSchedulesRequest&, net::Caller& caller) -> net::Async<Result<v1::ListSchedulesReply>> {
        co_return list(parts, parts.devices.visible_to(caller.device));
      });
  dispatcher.unary<v1::RemoveScheduleRequest, v1::RemoveScheduleReply>(
      "hearth.v1.ScheduleService.Remove", [&parts](const v1::RemoveScheduleRequest& request, net::Caller& caller) {
        return remove(parts, request, caller);
      });
  dispatcher.unary<v1::RunScheduleRequest, v1::RunScheduleReply>(
      "hearth.v1.ScheduleService.RunNow",
      [&parts](const v1::RunScheduleRequest& request, net::Caller& caller) { return run_now(parts, request, caller); });
}

}  // namespace hearth::hub
