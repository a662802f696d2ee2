#include "sync/watch.h"

#include <system_error>

#include "sync/local_folder.h"

namespace hearth::sync {
namespace {

constexpr Duration kQuiet = milliseconds(500);
constexpr int kMostRounds = 20;  // somebody who writes all the time is not waited for

}  // namespace

void Watch::renew() {
  watch_.add(directory_);
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator below(directory_, error), end; !error && below != end;
       below.increment(error)) {
    if (below->symlink_status(error).type() != std::filesystem::file_type::directory) continue;
    if (below->path().filename() == LocalFolder::kOwn)
      below.disable_recursion_pending();
    else
      watch_.add(below->path());
  }
}

void Watch::wait(Duration limit) {
  if (!watch_.changed(limit)) return;
  for (int round = 0; round < kMostRounds && watch_.changed(kQuiet); ++round) continue;
}

}  // namespace hearth::sync
