#include "hub/copying.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/wall_clock.h"

namespace hearth::hub {
namespace {

constexpr Duration kRetry = seconds(1);  // and twice as long each time
constexpr Duration kLongestRetry = minutes(1);
constexpr Duration kLeastPause = milliseconds(500);
constexpr Duration kTold = seconds(2);                  // at most so often, while something is behind
constexpr Duration kLookedAnyway = minutes(5);          // for what the holder did not notice in its folder
constexpr Duration kComparedAnyway = minutes(24 * 60);  // and in the copy's

}  // namespace

DriveCopy::DriveCopy(net::Loop& loop, Start start) : loop_(loop), start_(std::move(start)) {
  ++running_;
  loop_.spawn(run());
}

void DriveCopy::meet(const store::HubRow* holder) {
  const bool was_met = std::exchange(is_met_, holder != nullptr);
  if (holder != nullptr) caller_.ask(*holder);
  if (holder == nullptr && was_met) caller_.close();
  if (is_met_ && !was_met) woken_.notify();
}

net::Async<void> DriveCopy::stop() {
  stopping_ = true;
  caller_.end();
  if (folder_) folder_->end();
  woken_.notify();
  while (running_ > 0) co_await stopped_.wait();
}

net::Async<void> DriveCopy::run() {
  Duration retry = kRetry;
  while (!stopping_) {
    if (!is_met_) {
      co_await woken_.wait(kRetry);
      continue;
    }
    busy_since_ = loop_.now();
    const Result<void> done = co_await round();
    if (stopping_) break;
    if (!done) co_await fail_with(done.error());
    if (stopping_) break;
    // A look costs the holder's disk something: at most half of the time is spent with it.
    const bool gets_on = done || done.error().code == Code::kAborted;
    retry = gets_on ? kRetry : std::min(kLongestRetry, retry * 2);
    const Duration pause = gets_on ? std::max(kLeastPause, loop_.now() - busy_since_) : retry;
    if (co_await woken_.wait(pause)) retry = kRetry;
  }
  if (--running_ == 0) stopped_.notify();
}

net::Async<Result<void>> DriveCopy::round() {
  const Time now = loop_.now();
  if (now - looked_ > kLookedAnyway) known_ = 0;
  if (now - compared_ > kComparedAnyway) memory_.digests.clear();
  looked_at_ = wall_now();
  const Result<CopyCaller::Look> look = co_await caller_.look(state_, known_);
  if (!look) co_return std::unexpected(look.error());
  busy_since_ = look->begun;
  if (look->head.same()) {
    if (state_.whole()) state_.set_whole_unix_millis(looked_at_.unix_millis);
    co_await write_state();
    co_return Result<void>();
  }
  if (Result<void> opened = co_await open(look->head.drive()); !opened) co_return opened;
  if (memory_.digests.empty()) compared_ = now;
  looked_ = now;
  CopyRound round(caller_, files_, *folder_, memory_, names_,
                  [this](const CopyRound& going) { return progress(going); });
  const Result<void> done = co_await round.run(*look);
  if (stopping_) co_return done;
  co_await settle(*look, round, done);
  co_return done;
}

net::Async<Result<void>> DriveCopy::open(const std::string& drive) {
  drive::CopyFolder::Names names{.drive = drive,
                                 .source = drive::copy_source_name(caller_.holder().identity),
                                 .self = drive::copy_source_name(start_.self.identity)};
  const bool is_open = folder_ && names.drive == names_.drive && names.source == names_.source;
  if (is_open) co_return Result<void>();
  memory_ = {};
  folder_.reset();
  Result<std::unique_ptr<drive::CopyFolder>> opened =
      co_await files_.run([&] { return drive::CopyFolder::open(start_.folder, names); });
  if (!opened) co_return std::unexpected(opened.error());
  folder_ = std::move(*opened);
  names_ = std::move(names);
  log_info("this PC keeps a copy of the pool's drive", {{"folder", start_.folder.string()}});
  co_return Result<void>();
}

// --- how it stands --------------------------------------------------------------------------------------------------

net::Async<void> DriveCopy::progress(const CopyRound& round) {
  const bool is_behind = round.files_behind() > 0;
  if (is_behind) state_.set_whole(false);
  state_.set_files_behind(round.files_behind());
  state_.set_bytes_behind(round.bytes_behind());
  if (loop_.now() - told_ < kTold) co_return;
  told_ = loop_.now();
  co_await write_state();
  co_await caller_.tell(state_);
}

net::Async<void> DriveCopy::settle(const CopyCaller::Look& look, const CopyRound& round, const Result<void>& done) {
  const bool is_whole = done && !round.waits_for_second_look();
  if (is_whole) {
    co_await files_.run([&] {
      folder_->forget_coming();
      state_.set_set_aside(folder_->count_aside());
    });
    state_.set_aside(folder_->aside().string());
    if (state_.whole_unix_millis() == 0 || !state_.trouble().empty()) {
      log_info("the copy of the pool's drive is whole", {{"set aside", state_.set_aside()}});
    }
    state_.set_whole_unix_millis(looked_at_.unix_millis);
    state_.set_files_behind(0);
    state_.set_bytes_behind(0);
  }
  if (done) state_.clear_trouble();
  state_.set_whole(is_whole);
  state_.set_changes(look.head.changes());
  known_ = is_whole ? look.head.changes() : 0;
  co_await write_state();
}

net::Async<void> DriveCopy::fail_with(const Error& error) {
  known_ = 0;
  // What changed while it was fetched is nobody's trouble.
  const std::string trouble = error.code == Code::kAborted ? "" : error.message;
  if (!trouble.empty() && state_.trouble() != trouble) {
    log_warning("the copy of the pool's drive does not get on", {{"error", trouble}});
  }
  state_.set_trouble(trouble);
  // Of a holder that does not answer nobody knows better.
  if (error.code != Code::kUnavailable && error.code != Code::kCanceled) state_.set_whole(false);
  co_await write_state();
  if (is_met_ && error.code != Code::kUnavailable) co_await caller_.tell(state_);
}

net::Async<void> DriveCopy::write_state() {
  std::string text = state_.SerializeAsString();
  if (text == written_) co_return;
  const Result<void> written = co_await files_.run([&]() -> Result<void> {
    const std::filesystem::path file = start_.directory / kDriveCopyFile;
    const std::filesystem::path fresh = file.string() + ".new";
    std::ofstream stream(fresh, std::ios::trunc);
    stream << text;
    stream.close();
    std::error_code error;
    if (stream) std::filesystem::rename(fresh, file, error);
    return stream && !error ? Result<void>() : fail(Code::kInternal, "writing " + file.string());
  });
  if (written) written_ = std::move(text);
}

}  // namespace hearth::hub
