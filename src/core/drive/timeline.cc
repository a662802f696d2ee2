#include "core/drive/timeline.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <tuple>
#include <utility>

#include "core/drive/path.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kFirstLine = "hearth-timeline 2\n";
constexpr std::string_view kFirstLineBefore = "hearth-timeline 1\n";  // in which no film was asked
constexpr std::size_t kMaxShots = 5'000'000;
constexpr std::size_t kMaxEtag = 100;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kMaxSeconds = 1'000'000'000'000;

constexpr std::array<std::string_view, 11> kPictures = {"avif", "gif", "heic", "heif", "jpe", "jpeg",
                                                        "jpg",  "png", "tif",  "tiff", "webp"};
constexpr std::array<std::string_view, 10> kVideos = {"3gp", "avi", "m4v", "mkv", "mov",
                                                      "mp4", "mpg", "mts", "ogv", "webm"};

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// From 1970-01-01 to the first of a month: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
std::int64_t days_before(std::int64_t year, std::int64_t month) {
  const std::int64_t shifted = year - (month <= 2 ? 1 : 0);  // years begin in March
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const std::int64_t of_era = shifted - era * 400;
  const std::int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

Month month_of(ClockTime time) {
  const std::int64_t day = time.seconds / kDay - (time.seconds % kDay < 0 ? 1 : 0);
  std::int64_t year = 1970 + day * 400 / 146'097;  // or one beside it
  while (days_before(year + 1, 1) <= day) ++year;
  while (days_before(year, 1) > day) --year;
  int month = 12;
  while (days_before(year, month) > day) --month;
  return {.year = static_cast<int>(year), .month = month};
}

}  // namespace

MediaKind media_kind(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return MediaKind::kNone;
  std::string ending(name.substr(dot + 1));
  std::ranges::transform(ending, ending.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (std::ranges::find(kPictures, ending) != kPictures.end()) return MediaKind::kPicture;
  return std::ranges::find(kVideos, ending) != kVideos.end() ? MediaKind::kVideo : MediaKind::kNone;
}

std::optional<ClockTime> parse_exif_time(std::string_view text) {
  constexpr std::string_view kForm = "dddd:dd:dd dd:dd:dd";
  constexpr int kFirstYear = 1826;
  constexpr int kLastYear = 2199;
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kForm[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return std::nullopt;
  }
  const auto number = [text](std::size_t at, std::size_t digits) {
    int value = 0;
    read_number(text.substr(at, digits), value);
    return value;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  const std::int64_t hour = number(11, 2);
  const std::int64_t minute = number(14, 2);
  const std::int64_t second = number(17, 2);
  if (year < kFirstYear || year > kLastYear || month < 1 || month > 12) return std::nullopt;
  const std::int64_t first = days_before(year, month);
  const std::int64_t next = month == 12 ? days_before(year + 1, 1) : days_before(year, month + 1);
  if (day < 1 || day > next - first || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return ClockTime{(first + day - 1) * kDay + hour * 3'600 + minute * 60 + second};
}

Merged merge(std::span<const Shot> before, std::vector<FoundShot> found) {
  using Key = std::pair<std::string_view, std::string_view>;  // etag and path: hard links share the former
  std::map<Key, const Shot*> known;
  for (const Shot& shot : before) known.emplace(Key(shot.etag, shot.path), &shot);
  Merged merged;
  merged.changed = found.size() != before.size();
  merged.shots.reserve(found.size());
  for (FoundShot& one : found) {
    const bool is_there = known.contains(Key(one.etag, one.path));
    const auto last = known.lower_bound(Key(one.etag, is_there ? one.path : std::string_view()));
    const bool is_known = last != known.end() && last->first.first == one.etag;
    merged.changed = merged.changed || !is_there;
    const bool is_read = is_known && last->second->read;
    if (!is_read) merged.unread.push_back(merged.shots.size());
    merged.shots.push_back({.path = std::move(one.path),
                            .etag = std::move(one.etag),
                            .bytes = one.bytes,
                            .taken = {std::clamp((is_known && is_read ? last->second->taken : one.modified).seconds,
                                                 -kMaxSeconds, kMaxSeconds)},
                            .read = is_read});
  }
  return merged;
}

Timeline::Timeline(std::vector<Shot> shots) : shots_(std::move(shots)) {
  std::ranges::sort(shots_,
                    [](const Shot& a, const Shot& b) { return std::tie(b.taken, a.path) < std::tie(a.taken, b.path); });
  for (const Shot& shot : shots_) {
    bytes_ += shot.bytes;
    const Month month = month_of(shot.taken);
    const bool same = !months_.empty() && months_.back().year == month.year && months_.back().month == month.month;
    if (!same) months_.push_back(month);
    ++months_.back().count;
  }
}

std::span<const Shot> Timeline::page(std::size_t offset, std::size_t count) const {
  const std::size_t first = std::min(offset, shots_.size());
  return std::span(shots_).subspan(first, std::min(count, shots_.size() - first));
}

std::string encode_timeline(std::span<const Shot> shots) {
  std::string text(kFirstLine);
  for (const Shot& shot : shots) {
    text += std::to_string(shot.taken.seconds) + "\t" + (shot.read ? "read" : "unread") + "\t" +
            std::to_string(shot.bytes) + "\t" + shot.etag + "\t" + shot.path + "\n";
  }
  return text;
}

Result<std::vector<Shot>> decode_timeline(std::string_view text) {
  const auto damaged = [](std::size_t line) {
    return fail(Code::kDataLoss, "line " + std::to_string(line) + " of the timeline is damaged");
  };
  const bool is_before = text.starts_with(kFirstLineBefore);
  if ((!is_before && !text.starts_with(kFirstLine)) || !text.ends_with('\n')) return damaged(1);
  text.remove_prefix(kFirstLine.size());
  std::vector<Shot> shots;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    std::array<std::string_view, 4> words;
    for (std::string_view& word : words) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string_view::npos) return damaged(shots.size() + 2);
      word = line.substr(0, tab);
      line.remove_prefix(tab + 1);
    }
    Shot shot{.path = std::string(line), .etag = std::string(words[3]), .read = words[1] == "read"};
    const bool good = read_number(words[0], shot.taken.seconds) && shot.taken.seconds <= kMaxSeconds &&
                      shot.taken.seconds >= -kMaxSeconds && (shot.read || words[1] == "unread") &&
                      read_number(words[2], shot.bytes) && shot.etag.size() <= kMaxEtag && shots.size() < kMaxShots;
    const Result<Path> path = Path::parse(line);
    if (!good || !path || path->text() != line) return damaged(shots.size() + 2);
    shot.read = shot.read && !(is_before && media_kind(shot.path) == MediaKind::kVideo);
    shots.push_back(std::move(shot));
  }
  return shots;
}

}  // namespace hearth::drive
