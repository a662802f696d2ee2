// `hearth node`: what the pool's owners say of its nodes.
#include <algorithm>

#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

constexpr std::int64_t kMostGrace = 7 * 24 * 60 * 60;

v1::Duty duty_of(std::string_view verb) {
  if (verb == "drain") return v1::DUTY_DRAINING;
  return verb == "cordon" ? v1::DUTY_CORDONED : v1::DUTY_SERVING;
}

Result<std::uint32_t> parse_grace(const std::string& text) {
  if (text == "0") return 0;
  const Result<std::int64_t> grace = parse_time_limit("--grace", text);
  if (!grace) return std::unexpected(grace.error());
  if (*grace > kMostGrace) return fail(Code::kInvalidArgument, fmt::format("--grace {}: at most 7d", plain(text)));
  return static_cast<std::uint32_t>(*grace);
}

Result<v1::Node> find_node(Client& client, const std::string& name) {
  const Result<v1::ListNodesReply> reply =
      client.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  if (!reply) return std::unexpected(reply.error());
  const auto found = std::ranges::find(reply->nodes(), name, &v1::Node::name);
  if (found != reply->nodes().end()) return *found;
  return fail(Code::kNotFound, fmt::format("there is no node {}; those that there are: hearth nodes", plain(name)));
}

std::string sentence_of(const v1::Node& node, std::int64_t grace) {
  const std::string name = plain(node.name());
  if (node.duty() == v1::DUTY_SERVING) {
    return node.closed() ? fmt::format("{} is given tasks again once its own owner lets it: {}", name,
                                       plain(node.closed_reason()))
                         : name + " is given tasks again";
  }
  std::string text = name + " is given nothing new";
  if (node.running_tasks() > 0) {
    text += fmt::format("; {} {} there", node.running_tasks(), node.running_tasks() == 1 ? "task runs" : "tasks run");
    if (node.duty() == v1::DUTY_DRAINING) {
      text += grace == 0
                  ? ", sent back to the queue now"
                  : fmt::format(", what is left of them in {} goes back to the queue", format_duration(seconds(grace)));
    }
  }
  return text + "; take it back with: hearth node uncordon " + name;
}

}  // namespace

Result<int> set_duty(const Context& context, const DutyOptions& options, std::string_view verb) {
  v1::SetDutyRequest request;
  request.set_duty(duty_of(verb));
  if (request.duty() == v1::DUTY_DRAINING) {
    const Result<std::uint32_t> grace = parse_grace(options.grace);
    if (!grace) return std::unexpected(grace.error());
    request.set_grace_seconds(*grace);
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Node> node = find_node(**client, options.node);
  if (!node) return std::unexpected(node.error());
  request.set_node_id(node->id());
  const Result<v1::SetDutyReply> reply = (*client)->call<v1::SetDutyReply>("hearth.v1.NodeService/SetDuty", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
  } else {
    say(sentence_of(reply->node(), request.grace_seconds()));
  }
  return 0;
}

}  // namespace hearth::cli
