#include "terminal/session.h"

#include <algorithm>
#include <utility>

#include "screen/ports.h"

namespace hearth::terminal {

bool Session::add(int viewer, May may) {
  const auto watchers = std::ranges::count_if(viewers_, [](const auto& one) { return one.second.may == May::kWatch; });
  const bool full = may == May::kWatch && static_cast<std::size_t>(watchers) >= kMaxWatchers;
  if (full || viewers_.size() >= screen::kMaxViewers) return false;
  viewers_[viewer].may = may;
  return true;
}

void Session::hear(int number, const v1::FromTerminalViewer& message) {
  const auto found = viewers_.find(number);
  if (found == viewers_.end()) return;
  Viewer& viewer = found->second;
  // Each time costs the program's PC all of the history, and the program a drawing anew.
  const bool may_begin = viewer.may == May::kControl || !viewer.watches;
  if (message.has_watch() && may_begin) {
    viewer.watches = true;
    viewer.is_to_start = true;
    viewer.is_to_know_size = true;
    viewer.wish = message.watch();
  }
  if (!viewer.watches) return;
  viewer.shown = std::max(viewer.shown, std::min(message.shown(), viewer.next));
  if (viewer.may == May::kWatch) {
    viewer.is_to_know_size = viewer.is_to_know_size || message.has_size();
    return;
  }
  if (message.has_size()) {
    const Size wanted{.rows = message.size().rows(), .columns = message.size().columns()};
    viewer.is_to_know_size = true;
    if (wanted != size_) {
      for (auto& [other, its] : viewers_) its.is_to_know_size = true;
    }
    size_ = wanted;
  }
  input_ += message.input();
}

v1::ToTerminalViewer Session::start_anew(Viewer& viewer, std::uint64_t offset) {
  const History::Cut cut = history_.cut_at(offset);
  viewer.next = viewer.shown = cut.offset;
  redraw_ = redraw_ || cut.modes.on_alternate_screen();
  v1::ToTerminalViewer message;
  v1::TerminalStart& start = *message.mutable_start();
  start.set_run(run_);
  start.set_offset(cut.offset);
  start.set_reset(true);
  start.set_prelude(cut.modes.prelude());
  start.set_present(history_.end());
  return message;
}

v1::ToTerminalViewer Session::start(Viewer& viewer) {
  viewer.is_to_start = false;
  const std::uint64_t from = viewer.wish.from();
  if (viewer.wish.run() != run_ || from < history_.begin() || from > history_.end()) {
    return start_anew(viewer, history_.begin());
  }
  viewer.next = viewer.shown = from;
  v1::ToTerminalViewer message;
  v1::TerminalStart& start = *message.mutable_start();
  start.set_run(run_);
  start.set_offset(from);
  start.set_present(history_.end());
  return message;
}

std::optional<v1::ToTerminalViewer> Session::next(int number) {
  const auto found = viewers_.find(number);
  if (found == viewers_.end() || !found->second.watches) return std::nullopt;
  Viewer& viewer = found->second;
  if (viewer.is_to_start) return start(viewer);
  v1::ToTerminalViewer message;
  if (viewer.is_to_know_size) {
    viewer.is_to_know_size = false;
    message.mutable_size()->set_rows(size_.rows);
    message.mutable_size()->set_columns(size_.columns);
    return message;
  }
  if (viewer.next - viewer.shown >= limits_.ahead_bytes) return std::nullopt;
  if (viewer.next < history_.begin()) {
    const std::uint64_t end = history_.end();
    const std::uint64_t wanted = end - std::min<std::uint64_t>(end, limits_.catch_up_bytes);
    return start_anew(viewer, std::max(history_.begin(), wanted));
  }
  if (const std::string_view data = history_.read(viewer.next, kMaxOutputBytes); !data.empty()) {
    message.mutable_output()->set_offset(viewer.next);
    message.mutable_output()->set_data(std::string(data));
    viewer.next += data.size();
    return message;
  }
  if (!exit_code_ || viewer.knows_end) return std::nullopt;
  viewer.knows_end = true;
  message.mutable_end()->set_exit_code(*exit_code_);
  return message;
}

bool Session::take_redraw() { return std::exchange(redraw_, false); }

}  // namespace hearth::terminal
