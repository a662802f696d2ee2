// The pool as a whole: its nodes, and how busy it is.
#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

std::string state_of(const v1::Node& node) {
  if (!node.connected()) return "away";
  if (!node.closed() && node.offered().cores() == 0) return "closed by its owner's limit";
  if (!node.closed()) return node.running_tasks() > 0 ? "working" : "idle";
  return node.closed_reason().empty() ? "closed" : "closed: " + node.closed_reason();
}

std::string memory_of(const v1::Node& node) {
  return fmt::format("{} of {}", format_bytes(node.used().memory_bytes()), format_bytes(node.offered().memory_bytes()));
}

}  // namespace

Result<int> list_nodes(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListNodesReply> reply =
      (*client)->call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"},
               {"STATE"},
               {"TASKS", true},
               {"CORES", true},
               {"MEMORY", true},
               {"GPUS", true},
               {"CPU", true},
               {"SYSTEM"}});
  for (const v1::Node& node : reply->nodes()) {
    table.add({node.name(), state_of(node), fmt::format("{}", node.running_tasks()),
               fmt::format("{} of {}", node.used().cores(), node.offered().cores()), memory_of(node),
               fmt::format("{} of {}", node.used().gpus(), node.offered().gpus()),
               fmt::format("{:.0f} %", node.cpu_load() * 100), node.system()});
  }
  if (table.empty()) say("no nodes; another PC joins with: hearth join LINK (the link is shown by: hearth invite)");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> status(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::StatusReply> reply =
      (*client)->call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  std::string text =
      fmt::format("Pool \"{}\" at {}\n", plain(reply->pool_name()), (*client)->session().account().endpoint.text());
  text += fmt::format("  up for    {}\n", format_duration(seconds(reply->uptime_seconds())));
  text += fmt::format("  nodes     {} of {} connected\n", reply->nodes_connected(), reply->nodes());
  text += fmt::format("  cores     {} of {} in use\n", reply->used().cores(), reply->offered().cores());
  text += fmt::format("  memory    {} of {} in use\n", format_bytes(reply->used().memory_bytes()),
                      format_bytes(reply->offered().memory_bytes()));
  text += fmt::format("  tasks     {} running, {} waiting\n", format_count(reply->tasks_running()),
                      format_count(reply->tasks_pending()));
  text += fmt::format("  files     {} on the hub's disk\n", format_bytes(reply->blob_bytes()));
  text += fmt::format("  you are   {}\n", plain(reply->device_name()));
  print(text);
  return 0;
}

}  // namespace hearth::cli
