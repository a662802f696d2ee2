// The pool as a whole: its nodes, and how busy it is.
#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/service.h"
#include "cli/values.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

std::string own_state_of(const v1::Node& node) {
  if (!node.connected()) return node.spared() ? "away, keeps its tasks" : "away";
  if (!node.closed() && node.offered().cores() == 0) return "closed by its owner's limit";
  if (!node.closed()) return node.running_tasks() > 0 ? "working" : "idle";
  return node.closed_reason().empty() ? "closed" : "closed: " + node.closed_reason();
}

std::string state_of(const v1::Node& node) {
  return own_state_of(node) + (node.booking() > 0 ? fmt::format(", booking {}", node.booking()) : "");
}

std::string memory_of(const v1::Node& node) {
  return fmt::format("{} of {}", format_bytes(node.used().memory_bytes()), format_bytes(node.offered().memory_bytes()));
}

std::string disk_of(const v1::Node& node) {
  return fmt::format("{} of {}", format_bytes(node.used().disk_bytes()), format_bytes(node.offered().disk_bytes()));
}

std::string gpus_of(const v1::Node& node) {
  std::string text = fmt::format("{} of {}", node.used().gpus(), node.offered().gpus());
  if (node.offered().gpu_memory_bytes() > 0)
    text += fmt::format(" ({})", format_bytes(node.offered().gpu_memory_bytes()));
  return text;
}

std::string sentence_of(const NodeStatus& status) {
  if (status.stopped) return "stopped; others may use it again after: hearth resume";
  if (!status.closed_reason.empty()) {
    return (status.frozen ? "guests are frozen: " : "nothing new starts: ") + plain(status.closed_reason);
  }
  return status.tasks.empty() ? "nothing runs for others" : "works for others";
}

// What runs on this PC and for whom, by its node's own file, so with or without a hub. Empty if no node runs here.
std::string describe_this_pc(const Context& context) {
  const Result<std::string> file = read_small_file(context.home.node_status());
  if (!file || !Lock::holder(context.home)) return "";
  const Result<NodeStatus> status = parse_node_status(*file);
  if (!status) return "";
  std::string text = fmt::format("This PC: {}\n", sentence_of(*status));
  for (const RunningHere& task : status->tasks) {
    text += fmt::format("  job {}, task {} for {}, since {}{}\n", task.job, task.task,
                        task.owner.empty() ? "an unnamed device" : plain(task.owner),
                        format_age(task.since, wall_now()), task.frozen ? ", frozen" : "");
  }
  if (!status->heeds_owner) {
    text += "  you come first  not watched: nobody sits at this PC, or you said --owner-first off (hearth doctor)\n";
  } else if (status->freeze_millis) {
    text += fmt::format("  you come first  guests stood still at most {} ms after your last return\n",
                        *status->freeze_millis);
  }
  if (!status->tasks.empty()) text += "  end it all with: hearth stop-everything\n";
  return text;
}

}  // namespace

namespace {

std::string text_of(const v1::Attribute& attribute) {
  if (attribute.has_text()) return fmt::format("'{}'", plain(attribute.text()));
  if (attribute.has_flag()) return attribute.flag() ? "true" : "false";
  const bool is_bytes = attribute.name().ends_with("memory");
  return is_bytes ? format_bytes(static_cast<std::uint64_t>(attribute.number()))
                  : fmt::format("{:g}", attribute.number());
}

std::string attributes_text(const v1::ListNodesReply& nodes) {
  std::string text;
  for (const v1::Node& node : nodes.nodes()) {
    text += fmt::format("{}{}\n", text.empty() ? "" : "\n", plain(node.name()));
    for (const v1::Attribute& attribute : node.attributes()) {
      text += fmt::format("  {:12} {}\n", plain(attribute.name()), text_of(attribute));
    }
  }
  return text;
}

}  // namespace

Result<int> list_nodes(const Context& context, bool with_attributes) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListNodesReply> reply =
      (*client)->call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  if (with_attributes) {
    print(attributes_text(*reply));
    return 0;
  }
  Table table({{"NAME"},
               {"STATE"},
               {"TASKS", true},
               {"CORES", true},
               {"MEMORY", true},
               {"DISK", true},
               {"GPUS", true},
               {"CPU", true},
               {"SYSTEM"}});
  // A device that is shown its own alone is not told how busy the PC is, nor what it runs.
  const bool own = reply->own_only();
  for (const v1::Node& node : reply->nodes()) {
    table.add({node.name(), state_of(node), fmt::format("{}", node.running_tasks()),
               fmt::format("{} of {}", node.used().cores(), node.offered().cores()), memory_of(node), disk_of(node),
               gpus_of(node), own ? "-" : fmt::format("{:.0f} %", node.cpu_load() * 100), own ? "-" : node.system()});
  }
  if (table.empty()) say("no nodes; another PC joins with: hearth join LINK (the link is shown by: hearth invite)");
  if (!table.empty()) print(table.text());
  if (!table.empty() && own) {
    say("tasks and what they use are this device's own: only devices of ring home are shown others'");
  }
  return 0;
}

Result<int> status(const Context& context) {
  const std::string here = describe_this_pc(context);
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) {
    if (!context.json) print(here);
    // Of a PC that works for another's pool there is no more to be told here.
    const Result<Config> config = load_config(context.home);
    if (context.json || here.empty() || !config || !has_joined(context.home, *config)) {
      return std::unexpected(client.error());
    }
    say(client.error().message);
    return 0;
  }
  const Result<v1::StatusReply> reply =
      (*client)->call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  if (!reply) {
    if (!context.json) print(here);
    return std::unexpected(reply.error());
  }
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  std::string text =
      fmt::format("Pool \"{}\" at {}\n", plain(reply->pool_name()), (*client)->session().account().endpoint.text());
  text += fmt::format("  up for    {}\n", format_duration(seconds(reply->uptime_seconds())));
  text += fmt::format("  nodes     {} of {} connected\n", reply->nodes_connected(), reply->nodes());
  if (reply->nodes_spared() > 0) {
    text += fmt::format(
        "            {} fell silent at once, so perhaps this hub was cut off: they keep their tasks for now\n",
        reply->nodes_spared());
  }
  text += fmt::format("  cores     {} of {} in use\n", reply->used().cores(), reply->offered().cores());
  text += fmt::format("  memory    {} of {} in use\n", format_bytes(reply->used().memory_bytes()),
                      format_bytes(reply->offered().memory_bytes()));
  text += fmt::format("  tasks     {} running, {} waiting\n", format_count(reply->tasks_running()),
                      format_count(reply->tasks_pending()));
  if (!reply->own_only()) text += fmt::format("  files     {} on the hub's disk\n", format_bytes(reply->blob_bytes()));
  text += hubs_text(*reply);
  text += fmt::format("  you are   {}{}\n", plain(reply->device_name()),
                      reply->own_only() ? ", not of ring home: what is in use, runs and waits is your own" : "");
  print(text + here);
  return 0;
}

}  // namespace hearth::cli
