// What a viewer sends to hearth-terminal: what is let through is within limits, and whatever viewers ask for, each is
// sent a stream without a gap.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "screen/frames.h"
#include "terminal/session.h"

namespace hearth::terminal {
namespace {

constexpr Session::Limits kLimits = {.history_bytes = 256, .ahead_bytes = 64, .catch_up_bytes = 32, .input_bytes = 128};

void check(const v1::FromTerminalViewer& message) {
  CHECK(message.input().size() <= kMaxInputBytes);
  if (!message.has_size()) return;
  CHECK(message.size().rows() >= 1 && message.size().rows() <= kMostRows);
  CHECK(message.size().columns() >= kLeastColumns && message.size().columns() <= kMostColumns);
}

// Each piece of output begins where the last one ended.
void follow(Session& session, int viewer, std::uint64_t& at) {
  while (const std::optional<v1::ToTerminalViewer> message = session.next(viewer)) {
    if (message->has_start()) at = message->start().offset();
    if (!message->has_output()) continue;
    CHECK(message->output().offset() == at && !message->output().data().empty());
    at += message->output().data().size();
  }
}

// Whoever may only watch changes nothing.
void hear_watcher(Session& session, int viewer, const v1::FromTerminalViewer& message) {
  const std::string input = session.input();
  const Size size = session.size();
  session.hear(viewer, message);
  CHECK(session.input() == input && session.size() == size);
}

}  // namespace
}  // namespace hearth::terminal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;            // NOLINT(google-build-using-namespace): a program of its own
  using namespace hearth::terminal;  // NOLINT(google-build-using-namespace)
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Session session(1, kLimits);
  session.add(1, Session::May::kControl);
  session.add(2, Session::May::kWatch);
  std::uint64_t at = 0;
  std::uint64_t watched = 0;
  screen::FrameReader reader(kMaxMessage);
  for (std::size_t from = 0; from < bytes.size(); from += 16) {
    const std::string_view piece = bytes.substr(from, 16);
    session.write(piece);
    const bool good = reader.push(piece).has_value();
    while (const std::optional<std::string> frame = reader.next()) {
      const Result<v1::FromTerminalViewer> message = parse_from_viewer(*frame);
      if (!message) return 0;
      check(*message);
      session.hear(1, *message);
      hear_watcher(session, 2, *message);
    }
    follow(session, 1, at);
    follow(session, 2, watched);
    if (!good) return 0;
  }
  if (const Result<v1::FromTerminalViewer> message = parse_from_viewer(std::string(bytes))) {
    check(*message);
    session.hear(1, *message);
    follow(session, 1, at);
  }
  return 0;
}
