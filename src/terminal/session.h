// A program's terminal and those who watch it: what each is to be sent next, and what they want of the program. Pure;
// server.h moves the bytes. A viewer costs no memory of its own: all are served from the one history, each at its own
// pace, and one that falls too far behind goes on near the end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/v1/terminal.pb.h"
#include "terminal/history.h"
#include "terminal/messages.h"

namespace hearth::terminal {

class Session {
 public:
  struct Limits {
    std::size_t history_bytes = 1 << 20;
    std::size_t ahead_bytes = 256 << 10;     // sent, but not shown yet
    std::size_t catch_up_bytes = 128 << 10;  // what one that fell behind is shown of the past
    std::size_t input_bytes = 64 << 10;      // waiting for the program: then nothing more is to be heard
  };

  // `run`: not 0.
  explicit Session(std::uint64_t run) : Session(run, Limits()) {}
  Session(std::uint64_t run, const Limits& limits) : run_(run), limits_(limits), history_(limits.history_bytes) {}

  // Of the program.
  void write(std::string_view output) { history_.add(output); }
  void end(int exit_code) { exit_code_ = exit_code; }

  enum class May : std::uint8_t { kWatch, kControl };

  // Of viewers, by a number that the caller chooses. False: there are too many.
  bool add(int viewer, May may);
  void remove(int viewer) { viewers_.erase(viewer); }
  // What is not theirs to say is not heeded.
  void hear(int viewer, const v1::FromTerminalViewer& message);
  // What the viewer is to be sent now; nothing: it is up to date, or has not shown what it was sent.
  std::optional<v1::ToTerminalViewer> next(int viewer);

  // For the program.
  bool takes_input() const { return input_.size() < limits_.input_bytes; }
  const std::string& input() const { return input_; }
  void drop_input(std::size_t bytes) { input_.erase(0, bytes); }
  Size size() const { return size_; }
  // Whether the program is to draw its screen anew, since somebody begins to watch it in the middle.
  bool take_redraw();

 private:
  struct Viewer {
    May may = May::kWatch;
    bool watches = false;
    bool is_to_start = false;
    bool is_to_know_size = false;
    bool knows_end = false;
    v1::TerminalWatch wish;
    std::uint64_t next = 0;   // the offset of what it is sent next
    std::uint64_t shown = 0;  // at most `next`
  };

  v1::ToTerminalViewer start(Viewer& viewer);
  v1::ToTerminalViewer start_anew(Viewer& viewer, std::uint64_t offset);

  std::uint64_t run_;
  Limits limits_;
  History history_;
  std::map<int, Viewer> viewers_;
  std::string input_;
  Size size_;
  bool redraw_ = false;
  std::optional<int> exit_code_;
};

}  // namespace hearth::terminal
