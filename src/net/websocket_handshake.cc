#include "net/websocket_handshake.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace hearth::net {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  int size = EVP_EncodeBlock(as_bytes(out), as_bytes(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::unexpected<HttpFault> refuse(unsigned status, std::string message) {
  return std::unexpected(HttpFault{status, std::move(message)});
}

}  // namespace

std::string websocket_accept_key(std::string_view key) {
  std::string digest(20, '\0');
  std::string text = std::string(key) + std::string(kGuid);
  CHECK(EVP_Digest(text.data(), text.size(), as_bytes(digest), nullptr, EVP_sha1(), nullptr) == 1);
  return base64(digest);
}

std::string websocket_key() { return base64(random_bytes(16)); }

std::expected<Headers, HttpFault> websocket_answer(const ParsedRequest& request, std::string_view protocol) {
  const Headers& asked = request.head.headers;
  bool upgrades = request.head.method == "GET" && request.upgrade && has_token(asked.get("Upgrade"), "websocket");
  if (!upgrades || asked.get("Sec-WebSocket-Version") != "13") {
    return refuse(426, "this address speaks WebSocket (version 13) only");
  }
  if (request.body.kind != BodyFraming::Kind::kLength || request.body.length > 0) {
    return refuse(400, "a WebSocket request has no body");
  }
  std::string_view key = asked.get("Sec-WebSocket-Key");
  std::optional<std::string> nonce = from_base64(key);
  if (!nonce || nonce->size() != 16) return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64");
  if (!has_token(asked.get("Sec-WebSocket-Protocol"), protocol)) {
    return refuse(400, "the WebSocket protocol \"" + std::string(protocol) + "\" must be offered");
  }
  Headers answer;
  answer.add("Upgrade", "websocket");
  answer.add("Connection", "Upgrade");
  answer.add("Sec-WebSocket-Accept", websocket_accept_key(key));
  answer.add("Sec-WebSocket-Protocol", std::string(protocol));
  return answer;
}

void add_websocket_request(Headers& headers, std::string_view protocol, std::string_view key) {
  headers.set("Upgrade", "websocket");
  headers.set("Connection", "Upgrade");
  headers.set("Sec-WebSocket-Version", "13");
  headers.set("Sec-WebSocket-Key", std::string(key));
  headers.set("Sec-WebSocket-Protocol", std::string(protocol));
}

Result<void> check_websocket_answer(const ParsedResponse& response, std::string_view protocol, std::string_view key) {
  bool agreed = response.status == 101 && has_token(response.headers.get("Upgrade"), "websocket") &&
                has_token(response.headers.get("Connection"), "upgrade") &&
                response.headers.get("Sec-WebSocket-Accept") == websocket_accept_key(key) &&
                response.headers.get("Sec-WebSocket-Protocol") == protocol;
  if (!agreed) return fail(Code::kFailedPrecondition, "the server's answer to the WebSocket request makes no sense");
  return {};
}

}  // namespace hearth::net
