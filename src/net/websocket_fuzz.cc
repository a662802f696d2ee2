// WebSocket frames: the decoder gives the same items however its input is cut, and what we encode it decodes.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "net/websocket_frames.h"

namespace hearth::net {
namespace {

constexpr std::size_t kLimit = 1000;

std::string decode(WebSocketRole role, std::string_view bytes, std::size_t piece) {
  FrameDecoder decoder(role, kLimit);
  std::string out;
  while (!bytes.empty()) {
    std::string_view input = bytes.substr(0, std::min(piece, bytes.size()));
    bytes.remove_prefix(input.size());
    while (true) {
      auto item = decoder.next(input);
      if (!item) return out + "fault " + std::to_string(item.error().code);
      if (!*item) break;
      CHECK((*item)->payload.size() <= kLimit);
      out += std::to_string(static_cast<int>((*item)->kind)) + (*item)->payload + std::to_string((*item)->code);
    }
  }
  return out;
}

}  // namespace
}  // namespace hearth::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::net;  // NOLINT(google-build-using-namespace): a program of its own
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (WebSocketRole role : {WebSocketRole::kServer, WebSocketRole::kClient}) {
    CHECK(decode(role, bytes, 1) == decode(role, bytes, size + 1));
  }
  std::string frame;
  append_frame(frame, WebSocketRole::kClient, FrameKind::kBinary, bytes.substr(0, kLimit));
  CHECK(decode(WebSocketRole::kServer, frame, 5) == "2" + std::string(bytes.substr(0, kLimit)) + "0");
  return 0;
}
