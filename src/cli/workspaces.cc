// `hearth workspace`: directories that outlive jobs.
#include <fmt/format.h>

#include "account/wipe_record.h"
#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/workspaces.pb.h"

namespace hearth::cli {
namespace {

Result<v1::ListWorkspacesReply> fetch_workspaces(Client& client) {
  return client.call<v1::ListWorkspacesReply>("hearth.v1.WorkspaceService/List", v1::ListWorkspacesRequest());
}

std::string state_of(const v1::Workspace& workspace) {
  if (workspace.leaving()) return "being removed";
  return workspace.in_use_by() == 0 ? "" : fmt::format("job {}", workspace.in_use_by());
}

// One's own, or that of the device that `options` names.
Result<v1::Workspace> find_workspace(Client& client, const WorkspaceOptions& options) {
  const Result<v1::ListWorkspacesReply> reply = fetch_workspaces(client);
  if (!reply) return std::unexpected(reply.error());
  std::string names;
  std::string owner;
  for (const v1::Workspace& one : reply->workspaces()) {
    const bool is_meant = options.device.empty() ? DeviceId{one.owner_id()} == client.session().account().device
                                                 : one.owner() == options.device;
    if (is_meant && one.name() == options.name) return one;
    if (is_meant) names += (names.empty() ? "" : ", ") + one.name();
    if (one.name() == options.name) owner = one.owner();
  }
  if (options.device.empty() && !owner.empty()) {
    return fail(Code::kNotFound, fmt::format("workspace {} is {}'s: hearth workspace rm {} --of \"{}\"", options.name,
                                             plain(owner), options.name, plain(owner)));
  }
  return fail(Code::kNotFound,
              fmt::format("there is no workspace {}; {}", plain(options.name),
                          names.empty() ? "there is none yet: hearth run --workspace NAME" : "there are: " + names));
}

}  // namespace

Result<int> list_workspaces(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListWorkspacesReply> reply = fetch_workspaces(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"}, {"WHOSE"}, {"ON"}, {"HOLDS", true}, {"AT MOST", true}, {"LAST USED"}, {"IN USE BY"}});
  for (const v1::Workspace& one : reply->workspaces()) {
    table.add({one.name(), one.owner(), one.node() + (one.node_connected() ? "" : " (away)"),
               format_bytes(one.used_bytes()), format_bytes(one.bytes()),
               format_age({one.last_used().unix_millis()}, wall_now()), state_of(one)});
  }
  if (table.empty()) say("no workspaces; a job makes one: hearth run --workspace NAME -- PROGRAM");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> remove_workspace(const Context& context, const WorkspaceOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Workspace> found = find_workspace(**client, options);
  if (!found) return std::unexpected(found.error());
  v1::RemoveWorkspaceRequest request;
  request.set_name(found->name());
  request.set_owner_id(found->owner_id());
  const Result<v1::RemoveWorkspaceReply> reply =
      (*client)->call<v1::RemoveWorkspaceReply>("hearth.v1.WorkspaceService/Remove", request);
  if (!reply) return std::unexpected(reply.error());
  std::vector<std::string> remains;
  if (reply->has_wiped()) {
    const Result<v1::WipeStatement> statement = account::verify_wipe(reply->wiped());
    if (!statement) return fail(statement, "what its node signed about the wiping");
    remains.assign(statement->remains().begin(), statement->remains().end());
  }
  for (const std::string& path : remains) say(fmt::format("NOT WIPED  on {}: {}", plain(found->node()), plain(path)));
  say(reply->gone() ? fmt::format("{} is gone from {}", found->name(), plain(found->node()))
                    : fmt::format("{} is wiped as soon as {} is back; until then it is listed as being removed",
                                  found->name(), plain(found->node())));
  if (context.json) print(object_json({{"name", found->name()}, {"gone", reply->gone()}, {"not_wiped", remains}}));
  return remains.empty() ? 0 : 1;
}

}  // namespace hearth::cli
