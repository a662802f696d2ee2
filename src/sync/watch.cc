#include "sync/watch.h"

#include <system_error>

#include "base/walk.h"
#include "sync/local_folder.h"

namespace hearth::sync {
namespace {

constexpr Duration kQuiet = milliseconds(500);
constexpr int kMostRounds = 20;  // somebody who writes all the time is not waited for

}  // namespace

void Watch::renew() {
  watch_.add(directory_);
  walk_below(directory_, [this](const std::filesystem::directory_entry& entry) {
    std::error_code gone;
    const bool is_folder = entry.symlink_status(gone).type() == std::filesystem::file_type::directory;
    if (!is_folder || entry.path().filename() == LocalFolder::kOwn) return false;
    watch_.add(entry.path());
    return true;
  });
}

void Watch::wait(Duration limit) {
  if (!watch_.changed(limit)) return;
  for (int round = 0; round < kMostRounds && watch_.changed(kQuiet); ++round) continue;
}

}  // namespace hearth::sync
