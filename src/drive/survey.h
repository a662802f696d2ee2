// What the page asks of the drive that takes looking at much of it: a search, and how much it holds. Both are done on
// the drive's workers in bits, between other work.
#pragma once

#include <cstdint>
#include <optional>

#include "drive/drive.h"
#include "drive/search.h"

namespace hearth::drive {

struct SearchDone {
  std::vector<FoundFile> found;
  bool more = false;  // there is more, or its time was over
};

struct Usage {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // of files
  std::uint64_t trash_bytes = 0;
  std::uint64_t versions_bytes = 0;
};

class Survey {
 public:
  static constexpr Duration kMaxSearch = seconds(2);
  static constexpr int kMaxSearches = 4;  // at a time
  static constexpr Duration kUsageKept = minutes(1);
  static constexpr Duration kUsageWait = seconds(10);

  Survey(net::Loop& loop, Drive& drive) : loop_(loop), drive_(drive) {}

  // Errors: kNotFound, kFailedPrecondition (a file), kResourceExhausted (too many searches at a time).
  // `without`: as Walk's.
  net::Async<Result<SearchDone>> search(Path below, Sought sought, FolderNames without = {});

  // As it was counted at most kUsageKept ago; where that is past, a new count begins, and whoever asks waits for it, at
  // most kUsageWait, and then gets what was counted before, or else what is so far.
  net::Async<Result<Usage>> usage();

 private:
  net::Async<void> count();
  net::Async<Result<Usage>> count_all();
  net::Async<Result<void>> count_own(const Folder& folder, std::string_view name, std::uint64_t& bytes);

  net::Loop& loop_;
  Drive& drive_;
  int searches_ = 0;
  std::optional<Result<Usage>> counted_;
  Time counted_at_;
  bool is_counting_ = false;
  Usage so_far_;
  net::Event count_ended_;
};

}  // namespace hearth::drive
