#include "drive/walk.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "drive/executable.h"
#include "drive/files.h"

namespace hearth::drive {

Result<Walk> Walk::below(const Folder& folder, const Path& path, FolderNames without) {
  Result<Fd> file = folder.open_folder(path);
  if (!file) return std::unexpected(file.error());
  Walk walk;
  walk.without_ = std::move(without);
  walk.enter(std::move(*file), path);
  return walk;
}

Result<Walk> Walk::below_own(const Folder& folder, std::string_view name) {
  const Result<std::filesystem::path> own = folder.own(name);
  if (!own) return std::unexpected(own.error());
  Fd file(::open(own->c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, own->string());
  Walk walk;
  walk.enter(std::move(file), *Path::parse("own"));
  return walk;
}

void Walk::enter(Fd file, Path path) {
  std::vector<Walked> left;
  const Result<void> read = for_each_of(file.get(), [&](std::string name, Kind kind) {
    if (path.is_root() && (name == Path::kOwnFolder || without_.contains(name))) return;
    left.push_back({.name = std::move(name), .kind = kind});
  });
  if (!read && !trouble_) trouble_ = fail(read, path.text()).error();
  std::ranges::sort(left, std::greater(), &Walked::name);
  levels_.push_back({.file = std::move(file), .path = std::move(path), .left = std::move(left)});
}

const Walked* Walk::next() {
  if (!is_first_ && now_.kind == Kind::kFolder) {
    Result<Fd> file = open();
    const std::optional<Path> below = path();
    if (file && below && below->names().size() < Path::kMaxDepth) {
      enter(std::move(*file), *below);
    } else if (!trouble_) {
      trouble_ = file ? Error{Code::kInvalidArgument, now_.name + ": too deep"} : file.error();
    }
  }
  is_first_ = false;
  while (!levels_.empty() && levels_.back().left.empty()) levels_.pop_back();
  if (levels_.empty()) {
    now_ = {};
    return nullptr;
  }
  now_ = std::move(levels_.back().left.back());
  levels_.back().left.pop_back();
  return &now_;
}

std::optional<Path> Walk::path() const {
  const Result<Path> path = levels_.back().path.child(now_.name);
  return path ? std::optional(*path) : std::nullopt;
}

std::optional<Entry> Walk::entry() const {
  struct stat status{};
  if (::fstatat(levels_.back().file.get(), now_.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return entry_of(status, now_.name);
}

bool Walk::is_executable() const {
  struct stat status{};
  return ::fstatat(levels_.back().file.get(), now_.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         drive::is_executable(status);
}

Result<Fd> Walk::open() const {
  const int flags = now_.kind == Kind::kFolder ? O_DIRECTORY : O_NONBLOCK;
  Fd file(::openat(levels_.back().file.get(), now_.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags));
  if (file.get() < 0) return fail_errno(errno, now_.name);
  return file;
}

}  // namespace hearth::drive
