#include "cli/home.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/sizes.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMostSmallFile = kMiB;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<void> write_whole(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "writing");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_and_sync(int file, std::string_view content) {
  if (Result<void> written = write_whole(file, content); !written) return written;
  if (::fsync(file) != 0) return fail_errno(errno, "writing to the disk");
  return {};
}

}  // namespace

std::filesystem::path Home::drive() const {
  const Result<Home> usual = resolve_home({.option = {},
                                           .hearth_home = {},
                                           .xdg_data_home = environment("XDG_DATA_HOME"),
                                           .user_home = environment("HOME")});
  const bool is_usual = usual && usual->root == root && !environment("HOME").empty();
  return is_usual ? std::filesystem::path(environment("HOME")) / "Hearth" : root / "drive";
}

HomeSources home_sources(std::string_view option) {
  return {.option = std::string(option),
          .hearth_home = environment("HEARTH_HOME"),
          .xdg_data_home = environment("XDG_DATA_HOME"),
          .user_home = environment("HOME")};
}

Result<Home> resolve_home(const HomeSources& sources) {
  std::filesystem::path root;
  if (!sources.option.empty()) {
    root = sources.option;
  } else if (!sources.hearth_home.empty()) {
    root = sources.hearth_home;
  } else if (sources.xdg_data_home.starts_with('/')) {  // a relative one is invalid and to be ignored, says XDG
    root = std::filesystem::path(sources.xdg_data_home) / "hearth";
  } else if (!sources.user_home.empty()) {
    root = std::filesystem::path(sources.user_home) / ".local/share/hearth";
  } else {
    return fail(Code::kFailedPrecondition,
                "where to keep files is unknown: none of --home DIR, HEARTH_HOME, XDG_DATA_HOME and HOME is set");
  }
  std::error_code failure;
  std::filesystem::path whole = std::filesystem::absolute(root, failure);
  if (failure) return fail(Code::kFailedPrecondition, fmt::format("--home {}: {}", root.string(), failure.message()));
  return Home{whole.lexically_normal()};
}

Result<void> make_directory(const std::filesystem::path& directory) {
  std::filesystem::path so_far;
  for (const std::filesystem::path& part : directory) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + so_far.string());
  }
  std::error_code failure;
  if (!std::filesystem::is_directory(directory, failure)) {
    return fail(Code::kFailedPrecondition, directory.string() + " is no directory");
  }
  return {};
}

Result<std::string> read_small_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, "reading " + file.string());
  std::string content(kMostSmallFile + 1, '\0');
  std::size_t length = 0;
  while (length < content.size()) {
    const ssize_t got = ::read(descriptor, content.data() + length, content.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int failure = errno;
      ::close(descriptor);
      return fail_errno(failure, "reading " + file.string());
    }
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  if (length > kMostSmallFile) return fail(Code::kResourceExhausted, file.string() + " is larger than 1 MiB");
  content.resize(length);
  return content;
}

Result<void> write_file_atomically(const std::filesystem::path& file, std::string_view content) {
  if (Result<void> made = make_directory(file.parent_path()); !made) return made;
  std::string temporary = file.string() + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, "writing " + file.string());
  Result<void> written = write_and_sync(descriptor, content);
  ::close(descriptor);
  if (written && ::rename(temporary.c_str(), file.c_str()) != 0) written = fail_errno(errno, "replacing");
  if (written) return {};
  ::unlink(temporary.c_str());
  return fail(written, "writing " + file.string());
}

Result<std::optional<Lock>> Lock::take(const Home& home) {
  if (Result<void> made = make_directory(home.root); !made) return std::unexpected(made.error());
  const int file = ::open(home.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return fail_errno(errno, "opening " + home.lock().string());
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return std::optional<Lock>(Lock(file));
  const int failure = errno;
  ::close(file);
  if (failure == EWOULDBLOCK) return std::optional<Lock>();
  return fail_errno(failure, "locking " + home.lock().string());
}

std::optional<Holder> Lock::holder(const Home& home) {
  const int file = ::open(home.lock().c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  const bool held = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  struct stat status = {};
  ::fstat(file, &status);
  ::close(file);
  if (!held) return std::nullopt;
  Holder holder{.process = 0, .since = {static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1000}};
  if (const Result<std::string> text = read_small_file(home.lock())) {
    std::from_chars(text->data(), text->data() + text->size(), holder.process);
  }
  return holder;
}

Lock::Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

Lock::~Lock() {
  if (file_ >= 0) ::close(file_);
}

Result<void> Lock::sign() const {
  if (::ftruncate(file_, 0) != 0 || ::lseek(file_, 0, SEEK_SET) != 0) return fail_errno(errno, "writing the lock");
  return write_whole(file_, fmt::format("{}\n", ::getpid()));
}

std::string host_name() {
  std::array<char, 256> name = {};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "pc";
  return name.data();
}

}  // namespace hearth::cli
