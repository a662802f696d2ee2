// Earlier versions of replaced files: `.hearth/versions/SERIES/WHEN`, where SERIES is an extended attribute of the file
// (so that they go where it goes, by whomever it is moved) and WHEN the moment that it was replaced, in milliseconds
// since 1970. Where the file system keeps no such attribute, or no second name of a file, there are none.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/entries.h"
#include "core/drive/versions.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kVersions = "versions";
constexpr std::size_t kSeriesBytes = 32;
constexpr std::uint64_t kShare = 4;  // of the room that there is with them, one part in so many

// Empty: it has none.
std::string series_of(int file) {
  std::array<char, kSeriesBytes> name{};
  const bool is_there = ::fgetxattr(file, kSeriesName, name.data(), name.size()) == static_cast<ssize_t>(name.size());
  std::string series(name.data(), name.size());
  return is_there && is_unique_name(series) ? series : std::string();
}

std::optional<WallTime> replaced_at(std::string_view id) {
  WallTime at;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), at.unix_millis);
  if (error != std::errc() || end != id.data() + id.size() || at.unix_millis < 0) return std::nullopt;
  return at;
}

// Gives an open file's content a second name there. False: it cannot be had.
bool link_into(const std::filesystem::path& series, int folder, const std::string& name) {
  for (WallTime at = wall_now();; ++at.unix_millis) {
    const std::filesystem::path version = series / std::to_string(at.unix_millis);
    if (::linkat(folder, name.c_str(), AT_FDCWD, version.c_str(), 0) == 0) return true;
    // A series whose last version has just been dropped.
    if (errno == ENOENT && ::mkdir(series.c_str(), 0700) == 0) continue;
    if (errno != EEXIST) return false;
  }
}

bool sync_at(const std::filesystem::path& folder) {
  const Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.get() >= 0 && ::fsync(opened.get()) == 0;
}

}  // namespace

bool Folder::keep_version(int folder, const std::string& name, int replaced, int by) {
  struct stat status{};
  if (::fstat(replaced, &status) != 0 || status.st_size == 0) return false;
  const Result<std::filesystem::path> versions = own(kVersions);
  if (!versions) return false;
  std::string series = series_of(replaced);
  const bool is_new = series.empty();
  if (is_new) series = unique_name();
  if (::fsetxattr(by, kSeriesName, series.data(), series.size(), 0) != 0) return false;
  const std::filesystem::path place = *versions / series;
  if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) return true;
  if (!link_into(place, folder, name) || !sync_at(place)) return true;
  if (is_new) sync_at(*versions);
  kept_bytes_ += static_cast<std::uint64_t>(status.st_size);
  return true;
}

Result<std::vector<Version>> Folder::versions(const Path& file) const {
  const Result<std::pair<Fd, Entry>> now = read(file);
  if (!now) return std::unexpected(now.error());
  struct stat current{};
  if (::fstat(now->first.get(), &current) != 0) return fail_errno(errno, file.text());
  const std::string series = series_of(now->first.get());
  std::vector<Version> all;
  if (series.empty()) return all;
  std::error_code error;
  for (const auto& one : Entries(root_ / Path::kOwnFolder / kVersions / series, error)) {
    const std::string id = one.path().filename();
    const std::optional<WallTime> replaced = replaced_at(id);
    struct stat status{};
    if (!replaced || ::lstat(one.path().c_str(), &status) != 0) continue;
    const std::optional<Entry> entry = entry_of(status, id);
    // The present content, if the hub died as it was about to be replaced.
    if (!entry || entry->kind != Kind::kFile || status.st_ino == current.st_ino) continue;
    all.push_back({.id = id, .bytes = entry->bytes, .modified = entry->modified, .replaced = *replaced});
  }
  if (error && error != std::errc::no_such_file_or_directory) return fail_errno(error.value(), file.text());
  std::ranges::sort(all, [](const Version& a, const Version& b) { return b.replaced < a.replaced; });
  return all;
}

Result<std::filesystem::path> Folder::version_file(const Path& file, const std::string& id) const {
  const Result<std::pair<Fd, Entry>> now = read(file);
  if (!now) return std::unexpected(now.error());
  const std::string series = series_of(now->first.get());
  std::filesystem::path place = root_ / Path::kOwnFolder / kVersions / series / id;
  struct stat status{};
  if (series.empty() || !replaced_at(id) || ::lstat(place.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Code::kNotFound, file.text() + ": no version of it has that number");
  }
  return place;
}

Result<std::pair<Fd, Entry>> Folder::read_version(const Path& file, const std::string& id) const {
  const Result<std::filesystem::path> place = version_file(file, id);
  if (!place) return std::unexpected(place.error());
  Fd opened(::open(place->c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0) return fail_errno(errno, file.text());
  return std::pair(std::move(opened), *entry_of(status, file.name()));
}

Result<Placed> Folder::restore_version(const Path& file, const std::string& id) {
  const Result<std::filesystem::path> place = version_file(file, id);
  if (!place) return std::unexpected(place.error());
  return place_own(*place, file, {});
}

Result<std::uint64_t> Folder::thin_versions() {
  const Result<std::filesystem::path> versions = own(kVersions);
  if (!versions) return std::unexpected(versions.error());
  const Result<Room> room = this->room();
  if (!room) return std::unexpected(room.error());
  kept_bytes_ = 0;
  std::vector<KeptVersion> all;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& series : Entries(*versions, error)) {
    for (const auto& one : Entries(series.path(), error)) {
      struct stat status{};
      const std::optional<WallTime> replaced = replaced_at(one.path().filename().string());
      // With a second name it is the file itself, which is about to be replaced.
      if (!replaced || ::lstat(one.path().c_str(), &status) != 0 || status.st_nlink > 1) continue;
      all.push_back({.series = series.path().filename(),
                     .replaced = *replaced,
                     .id = one.path().filename(),
                     .bytes = static_cast<std::uint64_t>(status.st_size)});
      bytes += all.back().bytes;
    }
  }
  if (error) return fail_errno(error.value(), "reading the earlier versions of files");
  for (const KeptVersion& one : versions_to_drop(std::move(all), wall_now(), (room->free + bytes) / kShare)) {
    if (::unlink((*versions / one.series / one.id).c_str()) == 0) bytes -= one.bytes;
    ::rmdir((*versions / one.series).c_str());  // if that was the last
  }
  return bytes;
}

void erase_versions(const std::filesystem::path& file, const std::filesystem::path& own) {
  const Fd opened(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const std::string series = opened.get() < 0 ? std::string() : series_of(opened.get());
  std::error_code ignored;
  if (!series.empty()) std::filesystem::remove_all(own / kVersions / series, ignored);
}

}  // namespace hearth::drive
