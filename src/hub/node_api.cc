// NodeService: nodes, the pool in one look, and the stream that keeps a page up to date.
#include <fmt/format.h>

#include "hearth/v1/nodes.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kMaxGraceSeconds = 7 * 24 * 60 * 60;

// Of the tasks that are its own.
void count_tasks(const Parts& parts, Visibility visible, v1::StatusReply& reply) {
  for (const auto& [id, live] : parts.engine.live_jobs()) {
    const auto view =
        visible.covers(live.row.request.owner) ? parts.engine.pool().job(id, parts.loop.now()) : std::nullopt;
    if (!view) continue;
    reply.set_tasks_pending(reply.tasks_pending() + view->pending);
    reply.set_tasks_running(reply.tasks_running() + view->running);
  }
}

void tell_hubs(const Parts& parts, v1::StatusReply& reply) {
  for (const store::KnownHub& known : parts.circle->hubs()) {
    v1::Hub& hub = *reply.add_hubs();
    hub.set_name(known.row.name);
    hub.set_endpoints(known.row.endpoints);
    hub.set_holds(known.holds);
    hub.set_alive(known.alive);
    const Replicas::Step step = parts.replicas->step_of(known.row.identity);
    hub.set_in_step(step.in_step && !known.records_behind);
    hub.set_records_behind(known.records_behind);
    hub.set_files_behind(step.behind);
    const std::optional<v1::DriveCopyState> copy = parts.copies->state();
    if (!known.holds && parts.pair != nullptr && copy) {
      *hub.mutable_drive_copy() = *copy;
      hub.mutable_drive_copy()->set_whole(parts.copies->is_current());
    }
  }
  const store::DeviceRow* witness = parts.devices.find(parts.circle->witness());
  if (witness != nullptr) reply.set_witness(witness->name);
}

v1::StatusReply status(Parts& parts, const net::Caller& caller) {
  const Visibility visible = parts.devices.visible_to(caller.device);
  v1::StatusReply reply;
  reply.set_pool_name(parts.options.pool_name);
  reply.set_version(HEARTH_VERSION);
  Resources offered;
  Resources used;
  for (const v1::Node& node : parts.views.nodes(visible)) {
    reply.set_nodes(reply.nodes() + 1);
    if (node.spared()) reply.set_nodes_spared(reply.nodes_spared() + 1);
    if (!node.connected()) continue;
    reply.set_nodes_connected(reply.nodes_connected() + 1);
    if (!node.closed()) offered = offered + from_proto(node.offered());
    used = used + from_proto(node.used());
  }
  *reply.mutable_offered() = to_proto(offered);
  *reply.mutable_used() = to_proto(used);
  if (visible.is_whole()) {
    reply.set_tasks_pending(parts.engine.pool().pending_tasks());
    reply.set_tasks_running(parts.engine.pool().leased_tasks());
    reply.set_blob_bytes(parts.blobs.bytes());
    tell_hubs(parts, reply);
  } else {
    count_tasks(parts, visible, reply);
    reply.set_own_only(true);
  }
  reply.set_uptime_seconds((parts.loop.now() - parts.started).micros / 1'000'000);
  reply.set_device_name(caller.device_name);
  return reply;
}

// The stop comes first: it must not wait for a disk.
net::Async<Result<v1::StopEverythingReply>> stop_everything(Parts& parts, const v1::StopEverythingRequest& request,
                                                            const net::Caller& caller) {
  const store::DeviceRow* device = parts.devices.find_active({request.node_id()});
  if (device == nullptr || device->role != v1::ROLE_NODE) co_return fail(Code::kNotFound, "there is no such node");
  NodeLink* link = parts.engine.link(device->id);
  if (link == nullptr) {
    co_return fail(Code::kUnavailable, device->name + " is not connected; on that PC itself: hearth " +
                                           (request.resume() ? "resume" : "stop-everything"));
  }
  link->stop_everything(!request.resume());
  parts.audit.note(caller, request.resume() ? "node.resume" : "node.stop", device->name);
  if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  co_return v1::StopEverythingReply();
}

net::Async<Result<v1::SetDutyReply>> set_duty(Parts& parts, const v1::SetDutyRequest& request,
                                              const net::Caller& caller) {
  if (request.duty() == v1::DUTY_UNSPECIFIED || !v1::Duty_IsValid(request.duty())) {
    co_return fail(Code::kInvalidArgument, "duty: serving, cordoned or draining");
  }
  if (request.grace_seconds() > kMaxGraceSeconds) {
    co_return fail(Code::kInvalidArgument,
                   fmt::format("grace_seconds: {}: at most {} (7 days)", request.grace_seconds(), kMaxGraceSeconds));
  }
  const store::DeviceRow* device = parts.devices.find_active({request.node_id()});
  if (device == nullptr || device->role != v1::ROLE_NODE) co_return fail(Code::kNotFound, "there is no such node");
  const bool drains = request.duty() == v1::DUTY_DRAINING;
  store::DutyRow row{.node = device->id, .duty = static_cast<pool::Duty>(request.duty()), .grace_ends = {}};
  if (drains) row.grace_ends = {wall_now().unix_millis + std::int64_t{1000} * request.grace_seconds()};
  parts.audit.note(caller,
                   drains                                ? "node.drain"
                   : request.duty() == v1::DUTY_CORDONED ? "node.cordon"
                                                         : "node.uncordon",
                   device->name, drains ? fmt::format("grace={}s", request.grace_seconds()) : "");
  if (Result<void> kept = co_await parts.engine.set_duty(row); !kept) co_return std::unexpected(kept.error());
  v1::SetDutyReply reply;
  device = parts.devices.find({request.node_id()});
  *reply.mutable_node() = parts.views.node(*device, parts.devices.visible_to(caller.device));
  co_return reply;
}

}  // namespace

void add_node_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListNodesRequest, v1::ListNodesReply>(
      "hearth.v1.NodeService.List",
      [&parts](const v1::ListNodesRequest&, net::Caller& caller) -> net::Async<Result<v1::ListNodesReply>> {
        v1::ListNodesReply reply;
        const Visibility visible = parts.devices.visible_to(caller.device);
        for (v1::Node& node : parts.views.nodes(visible)) *reply.add_nodes() = std::move(node);
        reply.set_own_only(!visible.is_whole());
        co_return reply;
      });
  dispatcher.unary<v1::StatusRequest, v1::StatusReply>(
      "hearth.v1.NodeService.Status",
      [&parts](const v1::StatusRequest&, net::Caller& caller) -> net::Async<Result<v1::StatusReply>> {
        co_return status(parts, caller);
      });
  dispatcher.unary<v1::StopEverythingRequest, v1::StopEverythingReply>(
      "hearth.v1.NodeService.StopEverything", [&parts](const v1::StopEverythingRequest& request, net::Caller& caller) {
        return stop_everything(parts, request, caller);
      });
  dispatcher.unary<v1::SetDutyRequest, v1::SetDutyReply>(
      "hearth.v1.NodeService.SetDuty",
      [&parts](const v1::SetDutyRequest& request, net::Caller& caller) { return set_duty(parts, request, caller); });
  dispatcher.streaming<v1::WatchRequest, v1::WatchReply>(
      "hearth.v1.NodeService.Watch",
      [&parts](const v1::WatchRequest& request, net::Caller& caller, net::ReplyStream& stream) {
        return parts.watchers.watch(request, caller, stream);
      });
}

}  // namespace hearth::hub
