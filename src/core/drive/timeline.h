// The drive's pictures and films by the time they were taken, the newest first. Pure; the shell that walks the drive
// and asks for dates is drive/photos.h.
//
//   Merged merged = merge(last.shots(), found);     // after a walk: `merged.unread` are to be asked for their dates
//   Timeline timeline(std::move(merged.shots));
//   timeline.page(0, 100); timeline.months();
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::drive {

enum class MediaKind : std::uint8_t {
  kNone,
  kPicture,  // of a kind that hearth-pictures reads
  kVideo,
};

// By the name's ending.
MediaKind media_kind(std::string_view name);

// A moment as the clock showed it where it was: seconds since 1970-01-01 00:00 of that clock. So a holiday's pictures
// stay in order, and in their month, whatever zone the hub is in.
struct ClockTime {
  std::int64_t seconds = 0;

  constexpr auto operator<=>(const ClockTime&) const = default;
};

// "2024:05:17 12:03:11", as EXIF has it. Nothing: no such moment, or none from 1826 (the first photograph) to 2199.
std::optional<ClockTime> parse_exif_time(std::string_view text);

// A picture or film that the walk came by.
struct FoundShot {
  std::string path;
  std::string etag;
  std::uint64_t bytes = 0;
  ClockTime modified;
};

struct Shot {
  std::string path;  // as Path::text()
  std::string etag;
  std::uint64_t bytes = 0;
  ClockTime taken;    // else when the file was changed
  bool read = false;  // it was asked when it was taken

  bool operator==(const Shot&) const = default;
};

struct Merged {
  std::vector<Shot> shots;          // those that were found
  std::vector<std::size_t> unread;  // of which shots it is not known yet when they were taken
  bool changed = false;             // something was not as it was before
};

// What was known of a file goes on holding if its etag is the same, also when it was moved.
Merged merge(std::span<const Shot> before, std::vector<FoundShot> found);

struct Month {
  int year = 0;
  int month = 1;  // 1 to 12
  std::size_t count = 0;

  bool operator==(const Month&) const = default;
};

class Timeline {
 public:
  Timeline() = default;
  explicit Timeline(std::vector<Shot> shots);  // in any order

  const std::vector<Shot>& shots() const { return shots_; }
  const std::vector<Month>& months() const { return months_; }  // those with shots, in the order of these
  std::span<const Shot> page(std::size_t offset, std::size_t count) const;
  std::uint64_t bytes() const { return bytes_; }  // of all

 private:
  std::vector<Shot> shots_;
  std::vector<Month> months_;
  std::uint64_t bytes_ = 0;
};

// As it is kept on the disk: a line of each.
std::string encode_timeline(std::span<const Shot> shots);
// Errors: kDataLoss. At most 5,000,000 shots.
Result<std::vector<Shot>> decode_timeline(std::string_view text);

}  // namespace hearth::drive
