// The upgrade to a WebSocket (RFC 6455, section 4), for both ends.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "net/http_message.h"
#include "net/tls_stream.h"
#include "net/websocket.h"
#include "net/websocket_frames.h"

namespace hearth::net {

// The header fields of the answer "101", or why the request is refused.
std::expected<Headers, HttpFault> websocket_answer(const ParsedRequest& request, std::string_view protocol);

// 16 random bytes in base64.
std::string websocket_key();

void add_websocket_request(Headers& headers, std::string_view protocol, std::string_view key);

// Whether the server has agreed. Errors: kFailedPrecondition.
Result<void> check_websocket_answer(const ParsedResponse& response, std::string_view protocol, std::string_view key);

// `bytes`: what came after the head.
std::unique_ptr<WebSocket> make_websocket(std::shared_ptr<TlsStream> stream, std::string bytes, WebSocketRole role,
                                          std::size_t max_message_bytes);

}  // namespace hearth::net
