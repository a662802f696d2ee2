// WebSocket frames (RFC 6455, section 5) without a socket, on wslay's frame layer.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::net {

enum class WebSocketRole { kServer, kClient };

enum class FrameKind : std::uint8_t { kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// A whole message or a control frame.
struct WebSocketItem {
  FrameKind kind = FrameKind::kBinary;
  std::string payload;     // of kClose: the reason
  std::uint16_t code = 0;  // of kClose; 1005 if the peer gave none
};

// Why the connection must end, and the close code that says so.
struct WebSocketFault {
  std::uint16_t code = 1002;
  std::string message;
};

// Decodes what the peer of a `role` end sends.
class FrameDecoder {
 public:
  FrameDecoder(WebSocketRole role, std::size_t max_message_bytes);
  ~FrameDecoder();
  FrameDecoder(const FrameDecoder&) = delete;
  FrameDecoder& operator=(const FrameDecoder&) = delete;

  // Takes bytes off the front of `input` until an item is complete; nothing if all is taken and more is needed. Holds
  // no buffer between messages. After a fault it must not be called again.
  std::expected<std::optional<WebSocketItem>, WebSocketFault> next(std::string_view& input);

 private:
  struct Wslay;
  struct Frame;
  std::optional<WebSocketFault> check(const Frame& frame) const;
  std::expected<std::optional<WebSocketItem>, WebSocketFault> take(const Frame& frame);
  std::expected<std::optional<WebSocketItem>, WebSocketFault> finish(const Frame& frame);

  WebSocketRole role_;
  std::size_t max_message_bytes_;
  std::unique_ptr<Wslay> wslay_;
  std::uint64_t frame_left_ = 0;
  std::string message_;
  bool in_message_ = false;
  std::string control_;
};

// Appends one whole message or control frame, masked if `role` is the client's.
void append_frame(std::string& out, WebSocketRole role, FrameKind kind, std::string_view payload);

// The payload of a close frame. The reason is cut to what fits.
std::string close_payload(std::uint16_t code, std::string_view reason);

}  // namespace hearth::net
