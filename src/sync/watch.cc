#include "sync/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <system_error>

#include "sync/local_folder.h"

namespace hearth::sync {
namespace {

constexpr Duration kQuiet = milliseconds(500);
constexpr int kMostRounds = 20;  // somebody who writes all the time is not waited for

}  // namespace

Watch::Watch(std::filesystem::path directory)
    : directory_(std::move(directory)), notices_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

Watch::~Watch() {
  if (notices_ >= 0) ::close(notices_);
}

void Watch::renew() {
  constexpr std::uint32_t kEvents =
      IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW;
  ::inotify_add_watch(notices_, directory_.c_str(), kEvents);
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator below(directory_, error), end; !error && below != end;
       below.increment(error)) {
    if (below->symlink_status(error).type() != std::filesystem::file_type::directory) continue;
    if (below->path().filename() == LocalFolder::kOwn)
      below.disable_recursion_pending();
    else
      ::inotify_add_watch(notices_, below->path().c_str(), kEvents);
  }
}

bool Watch::something_within(Duration limit) const {
  pollfd waited{.fd = notices_, .events = POLLIN, .revents = 0};
  if (::poll(&waited, 1, static_cast<int>(limit.micros / 1'000)) <= 0) return false;
  std::array<char, 16'384> notices{};
  while (::read(notices_, notices.data(), notices.size()) > 0) continue;
  return true;
}

void Watch::wait(Duration limit) {
  if (!something_within(limit)) return;
  for (int round = 0; round < kMostRounds && something_within(kQuiet); ++round) continue;
}

}  // namespace hearth::sync
