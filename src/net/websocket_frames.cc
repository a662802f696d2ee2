#include "net/websocket_frames.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "net/crypto.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxReasonBytes = 123;
constexpr std::uint16_t kNoCode = 1005;

std::unexpected<WebSocketFault> violation(std::string message) {
  return std::unexpected(WebSocketFault{1002, std::move(message)});
}

bool is_valid_close_code(unsigned code) {
  bool defined = code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
  return defined || (code >= 3000 && code <= 4999);
}

ssize_t append_to_string(const std::uint8_t* data, std::size_t size, int, void* out) {
  static_cast<std::string*>(out)->append(reinterpret_cast<const char*>(data), size);
  return static_cast<ssize_t>(size);
}

int random_mask(std::uint8_t* out, std::size_t size, void*) {
  std::string mask = random_bytes(size);
  std::memcpy(out, mask.data(), size);
  return 0;
}

}  // namespace

// wslay's context holds a buffer of 4 KiB, so it is made when bytes arrive and freed between frames.
struct FrameDecoder::Wslay {
  wslay_frame_context_ptr context = nullptr;
  std::string_view input;
  std::uint64_t held = 0;  // bytes taken from inputs that no frame has accounted for yet

  Wslay() {
    wslay_frame_callbacks callbacks = {nullptr, &Wslay::receive, nullptr};
    CHECK(wslay_frame_context_init(&context, &callbacks, this) == 0);
  }
  Wslay(const Wslay&) = delete;
  Wslay& operator=(const Wslay&) = delete;
  ~Wslay() { wslay_frame_context_free(context); }

  static ssize_t receive(std::uint8_t* buffer, std::size_t size, int, void* self) {
    auto& wslay = *static_cast<Wslay*>(self);
    std::size_t count = std::min(size, wslay.input.size());
    if (count == 0) return -1;
    std::memcpy(buffer, wslay.input.data(), count);
    wslay.input.remove_prefix(count);
    wslay.held += count;
    return static_cast<ssize_t>(count);
  }
};

// A frame, or the next piece of one.
struct FrameDecoder::Frame {
  std::uint8_t opcode = 0;
  bool fin = false;
  bool masked = false;
  std::uint8_t reserved = 0;
  std::uint64_t size = 0;
  std::string_view data;
  bool is_control() const { return (opcode & 8) != 0; }
  std::size_t head_size() const {
    std::size_t length = size > 0xFFFF ? 8 : size > 125 ? 2 : 0;
    return 2 + length + (masked ? 4 : 0);
  }
};

FrameDecoder::FrameDecoder(WebSocketRole role, std::size_t max_message_bytes)
    : role_(role), max_message_bytes_(max_message_bytes) {}

FrameDecoder::~FrameDecoder() = default;

std::expected<std::optional<WebSocketItem>, WebSocketFault> FrameDecoder::next(std::string_view& input) {
  if (!wslay_) wslay_ = std::make_unique<Wslay>();
  wslay_->input = input;
  while (true) {
    wslay_frame_iocb frame = {};
    ssize_t count = wslay_frame_recv(wslay_->context, &frame);
    input = wslay_->input;
    if (count == WSLAY_ERR_WANT_READ) {
      if (frame_left_ == 0 && wslay_->held == 0) wslay_.reset();
      return std::nullopt;
    }
    if (count < 0) return violation("the peer sent a malformed WebSocket frame");
    auto item = take({.opcode = frame.opcode,
                      .fin = frame.fin != 0,
                      .masked = frame.mask != 0,
                      .reserved = frame.rsv,
                      .size = frame.payload_length,
                      .data = {reinterpret_cast<const char*>(frame.data), static_cast<std::size_t>(count)}});
    if (!item || *item) return item;
  }
}

std::expected<std::optional<WebSocketItem>, WebSocketFault> FrameDecoder::take(const Frame& frame) {
  if (frame_left_ == 0) {
    std::optional<WebSocketFault> fault = check(frame);
    if (fault) return std::unexpected(std::move(*fault));
    wslay_->held -= frame.head_size();
    frame_left_ = frame.size;
    if (!frame.is_control()) in_message_ = true;
  }
  (frame.is_control() ? control_ : message_).append(frame.data);
  wslay_->held -= frame.data.size();
  frame_left_ -= frame.data.size();
  if (frame_left_ > 0) return std::nullopt;
  return finish(frame);
}

std::optional<WebSocketFault> FrameDecoder::check(const Frame& frame) const {
  if (frame.reserved != 0) return WebSocketFault{1002, "a WebSocket frame uses an extension that was not agreed"};
  bool should_mask = role_ == WebSocketRole::kServer;
  if (frame.masked != should_mask) return WebSocketFault{1002, "a WebSocket frame has the wrong masking"};
  if (frame.is_control()) {
    bool known = frame.opcode <= WSLAY_PONG;
    return known ? std::nullopt : std::optional(WebSocketFault{1002, "a WebSocket frame has an unknown opcode"});
  }
  if (frame.opcode == WSLAY_TEXT_FRAME) return WebSocketFault{1003, "only binary messages are taken here"};
  if (frame.opcode > WSLAY_BINARY_FRAME) return WebSocketFault{1002, "a WebSocket frame has an unknown opcode"};
  bool continues = frame.opcode == WSLAY_CONTINUATION_FRAME;
  if (continues != in_message_) return WebSocketFault{1002, "the pieces of a WebSocket message are out of order"};
  if (frame.size > max_message_bytes_ || message_.size() + frame.size > max_message_bytes_) {
    return WebSocketFault{1009, "a message is longer than " + std::to_string(max_message_bytes_) + " bytes"};
  }
  return std::nullopt;
}

std::expected<std::optional<WebSocketItem>, WebSocketFault> FrameDecoder::finish(const Frame& frame) {
  if (!frame.is_control()) {
    if (!frame.fin) return std::nullopt;
    in_message_ = false;
    return WebSocketItem{.kind = FrameKind::kBinary, .payload = std::exchange(message_, std::string())};
  }
  WebSocketItem item{.kind = FrameKind(frame.opcode), .payload = std::exchange(control_, std::string())};
  if (item.kind != FrameKind::kClose) return item;
  item.code = kNoCode;
  if (item.payload.empty()) return item;
  unsigned code = 0;
  for (char c : std::string_view(item.payload).substr(0, 2)) code = code * 256 + static_cast<unsigned char>(c);
  if (item.payload.size() < 2 || !is_valid_close_code(code)) return violation("the peer closed with an invalid code");
  item.code = static_cast<std::uint16_t>(code);
  item.payload.erase(0, 2);
  return item;
}

void append_frame(std::string& out, WebSocketRole role, FrameKind kind, std::string_view payload) {
  wslay_frame_callbacks callbacks = {append_to_string, nullptr, random_mask};
  wslay_frame_context_ptr context = nullptr;
  CHECK(wslay_frame_context_init(&context, &callbacks, &out) == 0);
  wslay_frame_iocb frame = {};
  frame.fin = 1;
  frame.opcode = static_cast<std::uint8_t>(kind);
  frame.mask = role == WebSocketRole::kClient ? 1 : 0;
  frame.payload_length = payload.size();
  frame.data = reinterpret_cast<const std::uint8_t*>(payload.data());
  frame.data_length = payload.size();
  out.reserve(out.size() + payload.size() + 14);
  do {
    ssize_t count = wslay_frame_send(context, &frame);
    CHECK(count >= 0);
    frame.data += count;
    frame.data_length -= static_cast<std::size_t>(count);
  } while (frame.data_length > 0);
  wslay_frame_context_free(context);
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string out;
  out.push_back(static_cast<char>(code >> 8));
  out.push_back(static_cast<char>(code & 0xFF));
  out.append(utf8_prefix(reason, kMaxReasonBytes));
  return out;
}

}  // namespace hearth::net
