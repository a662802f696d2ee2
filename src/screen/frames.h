// What whoever watches an app and hearth-screen say to each other (proto/hearth/v1/screen.proto), and its limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hearth/v1/screen.pb.h"
#include "screen/ports.h"

namespace hearth::screen {

inline constexpr std::uint32_t kLeastSide = 160;
inline constexpr std::uint32_t kMostSide = 2048;
inline constexpr int kMaxKeys = 16;
inline constexpr std::size_t kMaxTextBytes = 1'024;
inline constexpr std::int32_t kMaxNotches = 50;
inline constexpr std::size_t kMaxOfferBytes = 16 << 10;
inline constexpr std::size_t kMaxSoundBytes = 1'275;  // one packet of Opus (RFC 6716)
inline constexpr std::int32_t kMaxStep = 500;         // of the pointer, by Input.dx and dy
inline constexpr std::int32_t kStickMost = 32'767;    // of a gamepad, to the right and down; as much to the other side
inline constexpr std::uint32_t kTriggerMost = 255;
inline constexpr std::uint32_t kPadButtons = (1U << 17) - 1;
inline constexpr std::size_t kMaxPiece = 32 << 10;
inline constexpr std::size_t kMaxClipboard = 1 << 20;
inline constexpr std::size_t kMaxNameBytes = 1'024;
inline constexpr std::size_t kMaxFromViewer = 64 << 10;
inline constexpr std::size_t kMaxToViewer = 4 << 20;

// Bytes of a stream become whole messages.
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Errors: kInvalidArgument (a message is too long); nothing can be read any more then.
  Result<void> push(std::string_view bytes);
  // The next whole message's bytes.
  std::optional<std::string> next();

 private:
  std::size_t max_bytes_;
  std::string bytes_;
  std::size_t taken_ = 0;  // of them
  bool failed_ = false;
};

std::string frame_of(const google::protobuf::MessageLite& message);

// Within the schema's limits: sides are even, what is out of range is brought into it. Errors: kInvalidArgument (no
// message, too many keys, too long a text, name, piece, offer or packet of sound).
Result<v1::FromViewer> parse_from_viewer(const std::string& bytes);

// What of it is heeded of somebody who may only watch: that he watches, and how what he is sent gets to him.
v1::FromViewer part_of_watcher(const v1::FromViewer& said);

Result<v1::ToViewer> parse_to_viewer(const std::string& bytes);

}  // namespace hearth::screen
