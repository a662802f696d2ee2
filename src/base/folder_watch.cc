#include "base/folder_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <fstream>

namespace hearth {

std::size_t FolderWatch::fair_share() {
  std::size_t most = 8'192;  // what Linux before 5.11 gives
  std::ifstream("/proc/sys/fs/inotify/max_user_watches") >> most;
  return most / 2;
}

FolderWatch::FolderWatch() : notices_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FolderWatch::~FolderWatch() {
  if (notices_ >= 0) ::close(notices_);
}

bool FolderWatch::add(const std::filesystem::path& folder) {
  constexpr std::uint32_t kEvents =
      IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW;
  return ::inotify_add_watch(notices_, folder.c_str(), kEvents) >= 0;
}

bool FolderWatch::changed(Duration limit) {
  pollfd waited{.fd = notices_, .events = POLLIN, .revents = 0};
  if (::poll(&waited, 1, static_cast<int>(limit.micros / 1'000)) <= 0) return false;
  std::array<char, 16'384> notices{};
  while (::read(notices_, notices.data(), notices.size()) > 0) continue;
  return true;
}

}  // namespace hearth
