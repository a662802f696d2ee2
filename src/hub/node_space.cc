#include "hub/node_space.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/web_talk.h"
#include "net/tunnel.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMaxName = 200;  // that is shown

Result<NodeId> node_of(const Parts& parts, const std::string& name) {
  for (const store::DeviceRow* row : parts.devices.active()) {
    if (row->role == v1::ROLE_NODE && row->name == name) return NodeId{row->id.value};
  }
  return fail(Code::kNotFound, fmt::format("there is no node '{}' in this pool; all of them: hearth nodes",
                                           utf8_prefix(name, kMaxName)));
}

net::Async<Result<void>> send_request(net::Exchange& exchange, WebTalk& talk) {
  const net::RequestHead& head = exchange.head();
  net::Headers headers;
  headers.add("Host", "localhost");
  if (head.headers.has("range")) headers.add("Range", std::string(head.headers.get("range")));
  headers.add("Content-Length", std::to_string(head.content_length.value_or(0)));
  Result<void> sent = co_await talk.send(net::format_request_head(head.method, head.path, headers));
  std::string piece;
  while (sent) {
    piece.resize(net::kMaxTunnelMessage);
    const Result<std::size_t> count = co_await exchange.read_body(piece);
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) break;
    piece.resize(*count);
    sent = co_await talk.send(piece);
  }
  co_return sent;
}

}  // namespace

net::Async<void> serve_node_space(net::Exchange& exchange, Parts& parts, Tunnels& tunnels, const std::string& node,
                                  const net::Caller& caller) {
  const auto refuse = [&exchange](unsigned status, const std::string& message) {
    return exchange.reply(net::text_response(status, message));
  };
  if (caller.level < net::AccessLevel::kOwner) {
    co_return (void) co_await refuse(403, "what a node stores for the pool is for owners' devices");
  }
  if (!exchange.head().content_length) co_return (void) co_await refuse(411, "a Content-Length is needed");
  const Result<NodeId> id = node_of(parts, node);
  if (!id) co_return (void) co_await refuse(400, id.error().message);
  Result<std::unique_ptr<HubEnd>> way = co_await tunnels.open_space(parts, *id, caller.device);
  if (!way) co_return (void) co_await refuse(502, way.error().message);
  WebTalk talk(std::move(*way), [&exchange] { return exchange.gone(); });
  const Result<void> sent = co_await send_request(exchange, talk);
  if (!sent) co_return (void) co_await refuse(502, sent.error().message);
  const bool is_head = exchange.head().method == "HEAD";
  const Result<net::ParsedResponse> head = co_await talk.read_head(is_head);
  if (!head) co_return (void) co_await refuse(502, "the node does not answer: " + head.error().message);
  net::Headers headers;
  for (const char* name : {"Content-Type", "Content-Range"}) {
    if (head->headers.has(name)) headers.add(name, std::string(head->headers.get(name)));
  }
  if (!co_await exchange.start(head->status, std::move(headers), announced_length(*head, is_head))) co_return;
  co_await talk.give_body(exchange);
}

}  // namespace hearth::hub
