// What comes from the other side, and from the disk: taken or refused, and what was taken is the same when it is
// written again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "core/sync/chunks.h"
#include "core/sync/names.h"
#include "core/sync/state.h"
#include "core/sync/wire.h"

namespace hearth::sync {
namespace {

template <class Decode>
void try_message(std::string_view frame, Decode decode) {
  const auto message = decode(frame);
  if (message) CHECK(decode(encode(*message)) == *message);
}

void try_frames(std::string_view body) {
  const Result<std::vector<std::string>> frames = frames_of(body, kMaxBatch);
  if (!frames) return;
  std::string again;
  for (const std::string& frame : *frames) {
    append_frame(again, frame);
    try_message(frame, decode_listed);
    try_message(frame, decode_change);
    try_message(frame, decode_outcome);
    try_message(frame, decode_wanted);
    try_message(frame, decode_given);
    try_message(frame, decode_chunk_head);
    try_message(frame, decode_chunk);
    try_message(frame, decode_delta_part);
  }
  CHECK(again == body);
}

void try_state(std::string_view text) {
  const Result<State> state = parse_state(text);
  if (!state) return;
  CHECK(state->good_bytes <= text.size());
  const Result<State> again = parse_state(text_of(*state));
  CHECK(again && again->binding == state->binding && again->known == state->known);
}

}  // namespace
}  // namespace hearth::sync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  hearth::sync::try_frames(text);
  std::string framed;
  hearth::sync::append_frame(framed, text);
  hearth::sync::try_frames(framed);
  static_cast<void>(hearth::sync::decode_chunk_list(text));
  hearth::sync::try_state(text);
  // What a crash has cut behind what is whole.
  const hearth::sync::Binding binding{.hub = std::string(hearth::sync::kHashBytes, 'h'), .folder = "/"};
  hearth::sync::try_state(hearth::sync::first_line(binding) + std::string(text));
  for (std::string_view left = text; !left.empty();) {
    const std::size_t length = hearth::sync::next_chunk(left, {});
    CHECK(length > 0 && length <= left.size());
    left.remove_prefix(length);
  }
  const std::string folded = hearth::sync::folded_name(text);
  CHECK(hearth::sync::folded_name(folded) == folded);
  return 0;
}
