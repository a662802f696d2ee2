#include "drive/thumbnail_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include "base/entries.h"
#include "drive/files.h"
#include "pictures/answer.h"

namespace hearth::drive {
namespace {

constexpr std::int64_t kUseNotedSeconds = 86'400;  // a use is noted once a day
constexpr std::string_view kUnfinished = ".new";

}  // namespace

Result<void> ThumbnailStore::open(const Folder& folder) {
  if (!folder_.empty()) return {};
  const Result<std::filesystem::path> own = folder.own("thumbs");
  if (!own) return std::unexpected(own.error());
  std::error_code error;
  std::uint64_t bytes = 0;
  for (const auto& one : Entries(*own, error)) {
    if (one.path().extension() == kUnfinished) {
      std::filesystem::remove(one.path(), error);
      continue;
    }
    const std::uint64_t size = one.file_size(error);
    if (!error) bytes += size;
  }
  bytes_ = bytes;
  folder_ = *own;
  return {};
}

std::string ThumbnailStore::name_of(std::string_view etag, std::uint32_t size) {
  std::string name;
  for (const char c : etag) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-') name += c;
  }
  return name + "-" + std::to_string(size);
}

std::optional<std::string> ThumbnailStore::find(const std::string& name) const {
  const Fd file(::open((folder_ / name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  std::string text(std::min(size, pictures::kMaxAnswerBytes), '\0');
  if (::pread(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return std::nullopt;
  if (std::time(nullptr) - status.st_mtime > kUseNotedSeconds) ::futimens(file.get(), nullptr);
  return text;
}

// Not on the disk for certain: what is lost is made again.
Result<void> ThumbnailStore::keep(const std::string& name, std::string_view answer) {
  const std::filesystem::path path = folder_ / name;
  const std::filesystem::path fresh = path.string() + std::string(kUnfinished);
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail_errno(errno, fresh.string());
  if (Result<void> room = check_room(file.get(), answer.size()); !room) {
    ::unlink(fresh.c_str());
    return room;
  }
  if (::write(file.get(), answer.data(), answer.size()) != static_cast<ssize_t>(answer.size()) ||
      ::rename(fresh.c_str(), path.c_str()) != 0) {
    const std::unexpected<Error> failed = fail_errno(errno, fresh.string());
    ::unlink(fresh.c_str());
    return failed;
  }
  bytes_ += answer.size();
  if (bytes_ > limit_) make_room();
  return {};
}

void ThumbnailStore::make_room() {
  struct Kept {
    std::filesystem::file_time_type used;
    std::filesystem::path path;
    std::uint64_t bytes = 0;
  };
  std::vector<Kept> all;
  std::error_code error;
  std::uint64_t bytes = 0;
  for (const auto& one : Entries(folder_, error)) {
    const std::uint64_t size = one.file_size(error);
    if (error) continue;  // gone meanwhile
    all.push_back({.used = one.last_write_time(error), .path = one.path(), .bytes = size});
    bytes += size;
  }
  std::ranges::sort(all, {}, &Kept::used);
  for (const Kept& one : all) {
    if (bytes <= limit_ / 10 * 9) break;
    if (std::filesystem::remove(one.path, error)) bytes -= one.bytes;
  }
  bytes_ = bytes;
}

}  // namespace hearth::drive
