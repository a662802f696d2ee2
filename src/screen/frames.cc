#include "screen/frames.h"

#include <algorithm>

namespace hearth::screen {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::int32_t kFarAway = 1 << 14;

std::size_t length_of(std::string_view bytes) {
  std::size_t length = 0;
  for (const char byte : bytes.substr(0, kLengthBytes)) length = length << 8 | static_cast<unsigned char>(byte);
  return length;
}

std::uint32_t side(std::uint32_t wanted) { return std::clamp(wanted, kLeastSide, kMostSide) & ~1U; }

void bring_into_range(v1::Pad& pad) {
  pad.set_buttons(pad.buttons() & kPadButtons);
  pad.set_left_x(std::clamp(pad.left_x(), -kStickMost, kStickMost));
  pad.set_left_y(std::clamp(pad.left_y(), -kStickMost, kStickMost));
  pad.set_right_x(std::clamp(pad.right_x(), -kStickMost, kStickMost));
  pad.set_right_y(std::clamp(pad.right_y(), -kStickMost, kStickMost));
  pad.set_left_trigger(std::min(pad.left_trigger(), kTriggerMost));
  pad.set_right_trigger(std::min(pad.right_trigger(), kTriggerMost));
}

void bring_into_range(v1::Input& input) {
  const bool stays = input.x() < 0 && input.y() < 0;
  input.set_x(stays ? -1 : std::clamp(input.x(), 0, kFarAway));
  input.set_y(stays ? -1 : std::clamp(input.y(), 0, kFarAway));
  input.set_dx(std::clamp(input.dx(), -kMaxStep, kMaxStep));
  input.set_dy(std::clamp(input.dy(), -kMaxStep, kMaxStep));
  input.set_buttons(input.buttons() & 7U);
  input.set_wheel_x(std::clamp(input.wheel_x(), -kMaxNotches, kMaxNotches));
  input.set_wheel_y(std::clamp(input.wheel_y(), -kMaxNotches, kMaxNotches));
  if (input.has_pad()) bring_into_range(*input.mutable_pad());
}

}  // namespace

Result<void> FrameReader::push(std::string_view bytes) {
  bytes_.erase(0, taken_);
  taken_ = 0;
  if (!failed_) bytes_.append(bytes);
  failed_ = failed_ || (bytes_.size() >= kLengthBytes && length_of(bytes_) > max_bytes_);
  return failed_ ? fail(Code::kInvalidArgument, "a message is too long") : Result<void>();
}

std::optional<std::string> FrameReader::next() {
  const std::string_view left = std::string_view(bytes_).substr(taken_);
  if (failed_ || left.size() < kLengthBytes) return std::nullopt;
  const std::size_t length = length_of(left);
  failed_ = length > max_bytes_;
  if (failed_ || left.size() - kLengthBytes < length) return std::nullopt;
  taken_ += kLengthBytes + length;
  return std::string(left.substr(kLengthBytes, length));
}

std::string frame_of(const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  std::string frame;
  frame.reserve(size + kLengthBytes);
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(size >> shift & 0xff));
  message.AppendToString(&frame);
  return frame;
}

Result<v1::FromViewer> parse_from_viewer(const std::string& bytes) {
  v1::FromViewer message;
  if (!message.ParseFromString(bytes)) return fail(Code::kInvalidArgument, "that is no message of a viewer");
  if (message.input().keys_size() > kMaxKeys) return fail(Code::kInvalidArgument, "more than 16 keys are held");
  if (message.text().size() > kMaxTextBytes) {
    return fail(Code::kInvalidArgument, "text is at most 1,024 bytes");
  }
  if (message.offer().size() > kMaxOfferBytes) return fail(Code::kInvalidArgument, "an offer is at most 16 KiB");
  if (message.voice().size() > kMaxSoundBytes) {
    return fail(Code::kInvalidArgument, "a packet of sound is at most 1,275 bytes");
  }
  if (message.clipboard().data().size() > kMaxPiece || message.file().data().size() > kMaxPiece) {
    return fail(Code::kInvalidArgument, "a piece is at most 32 KiB");
  }
  if (message.file().name().size() > kMaxNameBytes) {
    return fail(Code::kInvalidArgument, "a file's name is at most 1,024 bytes");
  }
  if (!v1::Codec_IsValid(message.codec())) return fail(Code::kInvalidArgument, "codecs are H.264 (0) and VP8 (1)");
  if (message.has_view()) {
    message.mutable_view()->set_width(side(message.view().width()));
    message.mutable_view()->set_height(side(message.view().height()));
  }
  if (message.has_input()) bring_into_range(*message.mutable_input());
  if (message.has_file()) {
    message.mutable_file()->set_x(std::clamp(message.file().x(), 0, kFarAway));
    message.mutable_file()->set_y(std::clamp(message.file().y(), 0, kFarAway));
  }
  return message;
}

v1::FromViewer part_of_watcher(const v1::FromViewer& said) {
  v1::FromViewer part;
  if (said.has_view()) *part.mutable_view() = said.view();
  part.set_codec(said.codec());
  part.set_sound(said.sound());
  part.set_shown(said.shown());
  part.set_key_picture(said.key_picture());
  part.set_kbits(said.kbits());
  return part;
}

Result<v1::ToViewer> parse_to_viewer(const std::string& bytes) {
  v1::ToViewer message;
  if (!message.ParseFromString(bytes)) return fail(Code::kInvalidArgument, "that is no message of hearth-screen");
  return message;
}

}  // namespace hearth::screen
