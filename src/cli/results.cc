#include "cli/results.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

// The parts of a safe relative path; empty if it is unsafe.
std::vector<std::string> safe_parts(std::string_view path) {
  constexpr std::size_t kMostPath = 4096;
  constexpr std::size_t kMostPart = 255;
  std::vector<std::string> parts;
  if (path.size() > kMostPath || !is_plain_utf8(path)) return {};
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.size() > kMostPart) return {};
    parts.emplace_back(part);
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

// "a/b/c" -> "a/b", "a"
std::vector<std::string> parents(const std::string& path) {
  std::vector<std::string> all;
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    all.push_back(path.substr(0, slash));
  }
  return all;
}

Result<int> enter(int directory, const std::string& part) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if (::mkdirat(directory, part.c_str(), 0777) != 0 && errno != EEXIST) return fail_errno(errno, "making a directory");
  const int inner = ::openat(directory, part.c_str(), kFlags);
  if (inner >= 0) return inner;
  if (errno == ELOOP || errno == ENOTDIR) {
    return fail(Code::kFailedPrecondition,
                fmt::format("\"{}\" is there already and is no directory (links are not followed); move it away or "
                            "choose another place: hearth get JOB --to DIR",
                            part));
  }
  return fail_errno(errno, "opening a directory");
}

}  // namespace

bool ResultsPlan::taken(const std::string& path) const {
  if (by_path_.contains(path) || directories_.contains(path)) return true;
  for (const std::string& parent : parents(path)) {
    if (by_path_.contains(parent)) return true;
  }
  return false;
}

std::string ResultsPlan::free_name(const std::string& path, std::uint32_t task) const {
  const std::string suffix = fmt::format(".task-{}", task);
  std::string name = path + suffix;
  // Where a directory of the path is another task's file, that part gets the suffix.
  for (const std::string& parent : parents(path)) {
    if (by_path_.contains(parent)) name = parent + suffix + path.substr(parent.size());
  }
  for (int again = 2; taken(name); ++again) name = fmt::format("{}{}.{}", path, suffix, again);
  return name;
}

Result<void> ResultsPlan::add(std::uint32_t task, const v1::Tree& tree) {
  for (const v1::TreeFile& file : tree.files()) {
    if (safe_parts(file.path()).empty()) {
      return fail(Code::kDataLoss,
                  fmt::format("task {} has an output of the unsafe name \"{}\"; nothing of it is written", task,
                              plain(file.path())));
    }
    std::string path = file.path();
    if (const auto same = by_path_.find(path); same != by_path_.end()) {
      const PlannedFile& there = files_[same->second];
      if (there.blob.sha256() == file.blob().sha256() && there.executable == file.executable()) continue;
    }
    if (taken(path)) {
      path = free_name(file.path(), task);
      warnings_.push_back(
          fmt::format("{} of task {} differs from an earlier task's; written as {}", file.path(), task, path));
    }
    by_path_[path] = files_.size();
    for (std::string& parent : parents(path)) directories_.insert(std::move(parent));
    files_.push_back({path, file.blob(), file.executable()});
  }
  return {};
}

std::uint64_t ResultsPlan::bytes() const {
  std::uint64_t sum = 0;
  for (const PlannedFile& file : files_) sum += file.blob.size();
  return sum;
}

Result<Destination> Destination::open(const std::filesystem::path& directory) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, "opening " + directory.string());
  return Destination(descriptor);
}

Destination::Destination(Destination&& other) noexcept : directory_(std::exchange(other.directory_, -1)) {}

Destination::~Destination() {
  if (directory_ >= 0) ::close(directory_);
}

Result<Destination::Place> Destination::place(const std::string& path) const {
  std::vector<std::string> parts = safe_parts(path);
  if (parts.empty()) {
    return fail(Code::kInvalidArgument, fmt::format("\"{}\" is no safe relative path", plain(path)));
  }
  const std::string name = std::move(parts.back());
  parts.pop_back();
  int directory = ::fcntl(directory_, F_DUPFD_CLOEXEC, 0);
  for (const std::string& part : parts) {
    const Result<int> inner = enter(directory, part);
    ::close(directory);
    if (!inner) return fail(inner, path);
    directory = *inner;
  }
  Place place(directory, name);
  struct stat status = {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)) {
    return fail(Code::kFailedPrecondition, fmt::format("{}: a directory of this name is in the way; move it away or "
                                                       "choose another place: hearth get JOB --to DIR",
                                                       path));
  }
  return place;
}

Destination::Place::Place(Place&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)), name_(std::move(other.name_)) {}

Destination::Place::~Place() {
  if (directory_ >= 0) ::close(directory_);
}

std::filesystem::path Destination::Place::file() const { return fmt::format("/proc/self/fd/{}/{}", directory_, name_); }

Result<std::string> Destination::Place::keep() const {
  constexpr int kMostKept = 1'000;
  for (int again = 1; again <= kMostKept; ++again) {
    std::string kept = again == 1 ? name_ + ".before" : fmt::format("{}.before.{}", name_, again);
    if (::linkat(directory_, name_.c_str(), directory_, kept.c_str(), 0) == 0) return kept;
    if (errno == ENOENT) return std::string();
    // Where there are no hard links, or none to another's file.
    const bool has_no_links = errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK;
    if (has_no_links && ::renameat2(directory_, name_.c_str(), directory_, kept.c_str(), RENAME_NOREPLACE) == 0) {
      return kept;
    }
    if (errno != EEXIST) {
      return fail_errno(errno,
                        fmt::format("keeping what is there as {} (hearth get JOB --to DIR writes elsewhere)", kept));
    }
  }
  return fail(
      Code::kFailedPrecondition,
      fmt::format("{0} is there, and so are {0}.before to {0}.before.{1}: move them away, or choose another place: "
                  "hearth get JOB --to DIR",
                  name_, kMostKept));
}

}  // namespace hearth::cli
