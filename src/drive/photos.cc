#include "drive/photos.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "drive/walk.h"

namespace hearth::drive {
namespace {

constexpr Duration kBit = milliseconds(20);
constexpr Duration kShowEvery = seconds(3);  // while dates are read
constexpr Duration kReadFor = seconds(30);   // then it is looked again what there is
constexpr std::string_view kFile = "timeline";
constexpr std::size_t kMaxParts = 16;

// As this PC's clock showed it.
ClockTime clock_time(WallTime time) {
  const std::time_t second = time.unix_millis / 1'000;
  std::tm parts{};
  ::localtime_r(&second, &parts);
  return {second + parts.tm_gmtoff};
}

std::optional<ClockTime> taken_time(std::string_view text) {
  if (!text.ends_with('Z')) return parse_exif_time(text);
  const std::optional<ClockTime> utc = parse_exif_time(text.substr(0, text.size() - 1));
  return utc ? std::optional(clock_time({utc->seconds * 1'000})) : std::nullopt;
}

// False: that was all.
bool find_some(Walk& walk, std::vector<FoundShot>& found) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kBit.micros);
  do {
    const Walked* one = walk.next();
    if (one == nullptr) return false;
    if (one->kind != Kind::kFile || media_kind(one->name) == MediaKind::kNone) continue;
    const std::optional<Path> path = walk.path();
    std::optional<Entry> entry = walk.entry();
    if (!path || !entry || entry->kind != Kind::kFile) continue;
    found.push_back({.path = path->text(),
                     .etag = std::move(entry->etag),
                     .bytes = entry->bytes,
                     .modified = clock_time(entry->modified)});
  } while (std::chrono::steady_clock::now() < end);
  return true;
}

}  // namespace

net::Async<Result<Photos::Shown>> Photos::timeline(FolderNames without) {
  const bool is_due = !looked_at_ || loop_.now() - *looked_at_ > kFresh;
  if (is_due && !is_looking_) {
    is_looking_ = true;
    loop_.spawn(update());
  }
  if (!shown_) (void)co_await changed_.wait(kFirstWait);
  if (!shown_ && !trouble_) co_return std::unexpected(trouble_.error());
  // Before waiting: there may be a newer one after.
  const std::uint64_t version = version_;
  co_return Shown{.timeline = co_await timeline_without(std::move(without)),
                  .version = version,
                  .is_looking = is_looking_,
                  .unread = unread_};
}

net::Async<std::shared_ptr<const Timeline>> Photos::timeline_without(FolderNames without) {
  const std::shared_ptr<const Timeline> all = shown_ ? shown_ : std::make_shared<const Timeline>();
  if (without.empty()) co_return all;
  if (const auto found = parts_.find(without); found != parts_.end()) co_return found->second;
  const auto part = co_await drive_.workers().run([&] {
    std::vector<Shot> shots;
    std::ranges::copy_if(all->shots(), std::back_inserter(shots), [&](const Shot& shot) {
      const std::string_view below = std::string_view(shot.path).substr(1);
      return !without.contains(below.substr(0, below.find('/'))) || !below.contains('/');
    });
    return std::make_shared<const Timeline>(std::move(shots));
  });
  if (all == shown_ && parts_.size() < kMaxParts) parts_.emplace(std::move(without), part);
  co_return part;
}

net::Async<void> Photos::update() {
  const Result<void> before = trouble_;
  do {
    trouble_ = co_await update_all();
    looked_at_ = loop_.now();
  } while (trouble_ && unread_ > 0);
  if (!trouble_ && trouble_ != before) {
    log_warning("the drive's timeline is not up to date: " + trouble_.error().message);
  }
  is_looking_ = false;
  changed_.notify();
}

net::Async<void> Photos::show(std::vector<Shot> shots) {
  shown_ = co_await drive_.workers().run([&] { return std::make_shared<const Timeline>(std::move(shots)); });
  parts_.clear();
  ++version_;
  constexpr std::uint64_t kPartKept = 50;  // 2 % of the pictures
  thumbnails_.set_limit(shown_->bytes() / kPartKept);
  changed_.notify();
}

net::Async<void> Photos::keep(Folder& folder) {
  const Result<void> kept = co_await drive_.workers().run(
      [&, now = shown_] { return folder.write_own(kFile, encode_timeline(now->shots())); });
  if (!kept) log_warning("the drive's timeline is not kept for a restart: " + kept.error().message);
}

net::Async<Result<void>> Photos::update_all() {
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  if (!shown_) {
    Result<std::vector<Shot>> kept = co_await drive_.workers().run([&]() -> Result<std::vector<Shot>> {
      const Result<std::string> text = (*folder)->read_own(kFile);
      if (!text) return std::unexpected(text.error());
      return text->empty() ? std::vector<Shot>() : decode_timeline(*text);
    });
    if (!kept) log_warning("the drive's timeline is made anew: " + kept.error().message);
    if (kept && !kept->empty()) co_await show(*std::move(kept));
  }
  Result<Walk> walk = co_await drive_.workers().run([&] { return Walk::below(**folder, Path()); });
  if (!walk) co_return std::unexpected(walk.error());
  std::vector<FoundShot> found;
  while (co_await drive_.workers().run([&] { return find_some(*walk, found); })) continue;
  Merged merged = co_await drive_.workers().run(
      [&] { return merge(shown_ ? std::span(shown_->shots()) : std::span<const Shot>(), std::move(found)); });
  unread_ = merged.unread.size();
  if (merged.changed || !shown_) {
    co_await show(merged.shots);
    co_await keep(**folder);
  }
  if (merged.unread.empty()) co_return Result<void>();
  co_return co_await read_dates(**folder, std::move(merged));
}

net::Async<Result<void>> Photos::read_dates(Folder& folder, Merged merged) {
  const Time end = loop_.now() + kReadFor;
  Time shown_at = loop_.now();
  Result<void> trouble;
  bool is_more = false;  // than was shown
  for (const std::size_t at : merged.unread) {
    Shot& shot = merged.shots[at];
    const Result<Path> path = Path::parse(shot.path);
    const Result<std::pair<Fd, Entry>> file = co_await drive_.workers().run(
        [&] { return path ? folder.read(*path) : Result<std::pair<Fd, Entry>>(std::unexpected(path.error())); });
    --unread_;
    if (!file || file->second.etag != shot.etag) continue;  // the next look finds what it is now
    const Result<pictures::Picture> seen = co_await thumbnails_.look(file->first, media_kind(shot.path));
    if (!seen && seen.error().code == Code::kUnavailable) {
      ++unread_;
      trouble = std::unexpected(seen.error());
      break;
    }
    shot.read = is_more = true;
    if (const auto taken = seen ? taken_time(seen->taken) : std::nullopt) shot.taken = *taken;
    if (loop_.now() > end) break;
    if (loop_.now() - shown_at < kShowEvery) continue;
    co_await show(merged.shots);
    shown_at = loop_.now();
  }
  if (!is_more) co_return trouble;
  co_await show(std::move(merged.shots));
  co_await keep(folder);
  co_return trouble;
}

}  // namespace hearth::drive
