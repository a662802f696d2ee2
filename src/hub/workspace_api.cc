// WorkspaceService.
#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/workspaces.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

v1::Workspace to_proto(const Parts& parts, const store::WorkspaceRow& row) {
  v1::Workspace workspace;
  workspace.set_name(row.id.name);
  workspace.set_owner_id(row.id.owner.value);
  workspace.set_owner(parts.devices.name(row.id.owner));
  workspace.set_node(parts.devices.name(row.node));
  workspace.set_node_connected(parts.engine.connected(row.node));
  workspace.set_bytes(row.bytes);
  workspace.set_used_bytes(row.used_bytes);
  *workspace.mutable_made() = moment(row.made);
  *workspace.mutable_last_used() = moment(row.last_used);
  workspace.set_in_use_by(parts.engine.pool().user_of(row.id).value_or(JobId{}).value);
  workspace.set_leaving(row.leaving);
  return workspace;
}

v1::ListWorkspacesReply list(const Parts& parts, const net::Caller& caller) {
  v1::ListWorkspacesReply reply;
  for (const auto& [id, row] : parts.engine.workspaces()) {
    if (id.owner == caller.device || caller.level == net::AccessLevel::kOwner) {
      *reply.add_workspaces() = to_proto(parts, row);
    }
  }
  return reply;
}

net::Async<Result<v1::RemoveWorkspaceReply>> remove(Parts& parts, const v1::RemoveWorkspaceRequest& request,
                                                    const net::Caller& caller) {
  if (!is_short_name(request.name())) {
    co_return fail(Code::kInvalidArgument, "name: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
  }
  const WorkspaceId id{request.owner_id() == 0 ? caller.device : DeviceId{request.owner_id()}, request.name()};
  if (id.owner != caller.device && caller.level != net::AccessLevel::kOwner) {
    co_return fail(Code::kPermissionDenied, "only its own device or an owner's may remove a workspace");
  }
  const auto taken = [&parts, &caller, &id] {
    if (id.owner == caller.device) return;
    parts.audit.note(caller, "workspace.remove", id.name, "of=" + parts.devices.name(id.owner));
  };
  Result<RemovedWorkspace> removed = co_await parts.engine.remove_workspace(id, taken);
  if (!removed) co_return std::unexpected(removed.error());
  v1::RemoveWorkspaceReply reply;
  reply.set_gone(removed->gone);
  if (removed->wiped) *reply.mutable_wiped() = *removed->wiped;
  co_return reply;
}

}  // namespace

void add_workspace_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListWorkspacesRequest, v1::ListWorkspacesReply>(
      "hearth.v1.WorkspaceService.List",
      [&parts](const v1::ListWorkspacesRequest&, net::Caller& caller) -> net::Async<Result<v1::ListWorkspacesReply>> {
        co_return list(parts, caller);
      });
  dispatcher.unary<v1::RemoveWorkspaceRequest, v1::RemoveWorkspaceReply>(
      "hearth.v1.WorkspaceService.Remove", [&parts](const v1::RemoveWorkspaceRequest& request, net::Caller& caller) {
        return remove(parts, request, caller);
      });
}

}  // namespace hearth::hub
