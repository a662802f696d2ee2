#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::uint64_t number(const char* name) { return std::strtoull(variable(name).c_str(), nullptr, 10); }

}  // namespace

World World::from_variables() {
  World world{.mark = variable("TARGET_MARK"),
              .secret = variable("TARGET_SECRET"),
              .directory = variable("TARGET_DIRECTORY"),
              .victim = static_cast<pid_t>(number("TARGET_VICTIM")),
              .abstract = variable("TARGET_ABSTRACT"),
              .socket = variable("TARGET_SOCKET"),
              .key = static_cast<int>(number("TARGET_KEY")),
              .queue = variable("TARGET_QUEUE"),
              .memory = variable("TARGET_MEMORY"),
              .port = static_cast<int>(number("TARGET_PORT")),
              .bytes = number("TARGET_BYTES"),
              .processes = number("TARGET_PROCESSES"),
              .files = number("TARGET_FILES")};
  std::ranges::reverse(world.mark);
  return world;
}

int outcome_of(long result) { return result < 0 ? errno : 0; }

int outcome_of(long result, int complaint) { return result < 0 && errno != complaint ? errno : 0; }

bool can_open(const std::string& path, int flags) { return open_only(path, flags) == 0; }

int open_only(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (file < 0) return errno;
  ::close(file);
  return 0;
}

int find_mark(const World& world, const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return errno;
  std::string text(64 << 10, '\0');
  const ssize_t count = ::read(file, text.data(), text.size());
  ::close(file);
  if (count < 0) return errno;
  text.resize(static_cast<std::size_t>(count));
  return !world.mark.empty() && text.find(world.mark) != std::string::npos ? 0 : ENODATA;
}

}  // namespace hearth::attacks
