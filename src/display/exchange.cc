#include "display/exchange.h"

#include <algorithm>

#include "base/bytes.h"
#include "display/clipboard.h"
#include "display/drag.h"
#include "screen/frames.h"

namespace hearth::display {
namespace {

constexpr std::uint64_t kMostFile = std::uint64_t{1} << 30;
constexpr std::size_t kMostTogether = 64;  // files of one drop
constexpr std::size_t kMostDrops = 16;     // waiting; what comes then lies in the folder, and is offered to nobody
constexpr std::size_t kMostToTell = 64;    // a viewer that takes nothing learns only of its last ones

bool is_over(const v1::FileProgress& progress) {
  return !progress.saved_as().empty() || !progress.problem().empty() || progress.offered();
}

}  // namespace

Exchange::Exchange(std::unique_ptr<Clipboard> clipboard, std::unique_ptr<Drag> drag, std::string folder)
    : clipboard_(std::move(clipboard)), drag_(std::move(drag)), folder_(std::move(folder)) {}

Exchange::~Exchange() = default;

std::array<int, 2> Exchange::files() const { return {clipboard_->file(), drag_->file()}; }

Result<std::unique_ptr<Exchange>> Exchange::open(const std::string& folder) {
  Result<std::unique_ptr<Clipboard>> clipboard = Clipboard::open();
  if (!clipboard) return std::unexpected(clipboard.error());
  Result<std::unique_ptr<Drag>> drag = Drag::open();
  if (!drag) return std::unexpected(drag.error());
  Inbox::remove_leftovers(folder);
  return std::unique_ptr<Exchange>(new Exchange(std::move(*clipboard), std::move(*drag), folder));
}

void Exchange::welcome(int viewer) { sides_[viewer].inbox = std::make_unique<Inbox>(folder_, kMostFile); }

void Exchange::forget(int viewer) { sides_.erase(viewer); }

void Exchange::look(Clock::time_point now) {
  clipboard_->look(now);
  if (std::optional<Clipboard::Copied> copied = clipboard_->take_copied()) {
    const auto shared = std::make_shared<const Copied>(std::move(copied->text), std::move(copied->problem));
    for (auto& [viewer, side] : sides_) {
      side.copied = shared;
      side.told = 0;
    }
  }
  drag_->look(now);
  if (const std::optional<bool> taken = drag_->take_outcome(); taken && !drops_.empty()) {
    const auto side = sides_.find(drops_.front().viewer);
    if (side != sides_.end()) {
      v1::FileProgress progress;
      progress.set_number(drops_.front().number);
      progress.set_offered(true);
      progress.set_taken(*taken);
      note(side->second, std::move(progress));
    }
    drops_.pop_front();
  }
  start_drop(now);
}

void Exchange::start_drop(Clock::time_point now) {
  if (drops_.empty() || drag_->busy()) return;
  drag_->drop(drops_.front().paths, drops_.front().x, drops_.front().y, now);
}

Clock::duration Exchange::until_due(Clock::time_point now) const {
  constexpr std::chrono::hours kLong(1);
  Clock::time_point due = now + kLong;
  for (const auto& one : {clipboard_->due(), drag_->due()}) due = std::min(due, one.value_or(due));
  return std::max(due - now, Clock::duration(0));
}

void Exchange::hear(int viewer, const v1::FromViewer& message, Clock::time_point now) {
  const auto side = sides_.find(viewer);
  if (side == sides_.end()) return;
  if (message.has_clipboard()) hear_clipboard(side->second, message.clipboard());
  if (message.has_file()) hear_file(viewer, side->second, message.file());
  start_drop(now);
}

void Exchange::hear_clipboard(Side& side, const v1::Clipboard& piece) {
  if (piece.offset() == 0) {
    side.pasted.clear();
    side.refuses_paste = false;
  }
  const bool fits =
      piece.offset() == side.pasted.size() && piece.data().size() <= screen::kMaxClipboard - side.pasted.size();
  if (!fits && !std::exchange(side.refuses_paste, true)) refuse_paste(side);
  if (side.refuses_paste) return side.pasted.clear();
  side.pasted += piece.data();
  if (!piece.last()) return;
  if (is_utf8(side.pasted)) clipboard_->offer(std::move(side.pasted));
  side.pasted = {};
}

void Exchange::refuse_paste(Side& side) {
  side.copied = std::make_shared<const Copied>("", "A text of at most 1 MiB can be pasted into the app");
  side.told = 0;
}

void Exchange::hear_file(int viewer, Side& side, const v1::FilePiece& piece) {
  v1::FileProgress progress = side.inbox->take(piece);
  if (!progress.saved_as().empty()) side.saved.push_back(folder_ + "/" + progress.saved_as());
  const bool complete = !piece.more() || side.saved.size() >= kMostTogether;
  const bool ends = piece.last() || piece.cancelled() || !progress.problem().empty();
  note(side, std::move(progress));
  if (!ends || !complete || side.saved.empty()) return;
  if (drops_.size() >= kMostDrops) return side.saved.clear();
  drops_.push_back({viewer, piece.number(), std::exchange(side.saved, {}), piece.x(), piece.y()});
}

void Exchange::note(Side& side, v1::FileProgress progress) {
  std::deque<v1::FileProgress>& all = side.progress;
  if (!all.empty() && all.back().number() == progress.number() && !is_over(all.back())) all.pop_back();
  all.push_back(std::move(progress));
  if (all.size() > kMostToTell) all.pop_front();
}

v1::Clipboard Exchange::next_piece(Side& side) {
  const std::string& text = side.copied->text;
  v1::Clipboard piece;
  piece.set_offset(static_cast<std::uint32_t>(side.told));
  piece.set_data(text.substr(side.told, screen::kMaxPiece));
  piece.set_problem(side.copied->problem);
  side.told += piece.data().size();
  piece.set_last(side.told == text.size());
  if (piece.last()) side.copied.reset();
  return piece;
}

std::optional<v1::ToViewer> Exchange::next_for(int viewer) {
  const auto found = sides_.find(viewer);
  if (found == sides_.end()) return std::nullopt;
  Side& side = found->second;
  v1::ToViewer message;
  if (!side.progress.empty()) {
    *message.mutable_file() = std::move(side.progress.front());
    side.progress.pop_front();
    return message;
  }
  if (!side.copied) return std::nullopt;
  *message.mutable_clipboard() = next_piece(side);
  return message;
}

}  // namespace hearth::display
