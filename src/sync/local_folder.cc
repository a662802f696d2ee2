#include "sync/local_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "base/entries.h"

namespace hearth::sync {
namespace {

constexpr std::string_view kNew = "new";
constexpr std::string_view kTrash = "trash";
constexpr std::int64_t kDay = 86'400;
constexpr mode_t kPermissions = 0777;
// From so many on, bringing all of the file system to the disk takes less time than waiting for each.
constexpr std::size_t kWorthAll = 8;

std::int64_t nanos(const timespec& at) { return at.tv_sec * 1'000'000'000 + at.tv_nsec; }

Result<void> sync_all(int file) {
  if (::syncfs(file) != 0) return fail_errno(errno, "bringing files to the disk");
  return {};
}

// What stays the same though it is renamed, and whether that is so.
std::string kept_part(const struct stat& status) {
  return fmt::format("{:x}.{:x}.{:x}", status.st_size, status.st_ino, nanos(status.st_mtim));
}

std::optional<Side> side_of(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return Side{.kind = Kind::kFolder, .version = {}};
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return Side{.kind = Kind::kFile, .version = fmt::format("{}.{:x}", kept_part(status), nanos(status.st_ctim))};
}

bool is_still(const struct stat& status, const Side& before) {
  return S_ISREG(status.st_mode) && before.version.starts_with(kept_part(status) + ".");
}

// For whoever may read it.
mode_t runnable(mode_t mode) { return mode | S_IXUSR | ((mode & (S_IRGRP | S_IROTH)) >> 2U); }

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::unexpected<Error> fail_changed(const std::string& path) {
  return fail(Code::kFailedPrecondition, path + " has just been changed here: the next run sees to it");
}

void erase_old_trash(const std::filesystem::path& trash, std::int64_t now) {
  std::error_code error;
  for (const auto& run : Entries(trash, error)) {
    const std::string name = run.path().filename();
    std::int64_t second = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), second);
    if (bad == std::errc() && now - second > LocalFolder::kTrashDays * kDay) {
      std::filesystem::remove_all(run.path(), error);
    }
  }
}

// What runs that were killed were receiving, but for large files, which are gone on with.
void erase_left(const std::filesystem::path& folder, std::int64_t now) {
  std::error_code error;
  for (const auto& file : Entries(folder, error)) {
    struct stat status{};
    const bool is_known = ::lstat(file.path().c_str(), &status) == 0;
    const bool is_part = file.path().filename().string().starts_with("part-");
    if (!is_known || !is_part || now - status.st_mtim.tv_sec > LocalFolder::kTrashDays * kDay) {
      std::filesystem::remove_all(file.path(), error);
    }
  }
}

}  // namespace

Result<std::string> read_at(int file, std::uint64_t offset, std::size_t most) {
  std::string bytes(most, '\0');
  std::size_t filled = 0;
  while (filled < most) {
    const ssize_t got = ::pread(file, bytes.data() + filled, most - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading a file");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

Result<void> write_all_to(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "writing a file");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<std::unique_ptr<LocalFolder>> LocalFolder::open(const std::filesystem::path& directory, To to) {
  Fd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0 && errno == ENOENT) {
    return fail(Code::kNotFound,
                directory.string() + " is not there: make it first (mkdir), or name another directory");
  }
  if (root.get() < 0) return fail_errno(errno, directory.string());
  const std::filesystem::path own = directory / kOwn;
  const bool changes = to == To::kChange;
  for (const std::filesystem::path& folder : {own, own / kNew, own / kTrash}) {
    if (changes && ::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail_errno(errno, "making " + folder.string());
    }
  }
  Fd lock(::open((own / "lock").c_str(), O_RDWR | (changes ? O_CREAT : 0) | O_CLOEXEC, 0600));
  const bool was_never_synced = !changes && errno == ENOENT;
  if (lock.get() < 0 && !was_never_synced) return fail_errno(errno, (own / "lock").string());
  if (lock.get() >= 0 && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kFailedPrecondition,
                directory.string() + " is being synchronized by another `hearth drive sync`: wait for it, or end it");
  }
  const std::int64_t now = std::time(nullptr);
  if (changes) {
    erase_old_trash(own / kTrash, now);
    erase_left(own / kNew, now);
  }
  struct stat status{};
  const bool is_lock_a_program = ::fstat(lock.get(), &status) == 0 && (status.st_mode & S_IXUSR) != 0;
  std::unique_ptr<LocalFolder> folder(
      new LocalFolder(directory, std::move(root), std::move(lock), fmt::format("{}-{}", now, ::getpid())));
  folder->keeps_modes_ = !is_lock_a_program;
  return folder;
}

Result<Fd> LocalFolder::open_beneath(const std::string& path, int flags) const {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long opened = ::syscall(SYS_openat2, root_.get(), path.empty() ? "." : path.c_str(), &how, sizeof how);
    if (opened >= 0) return Fd(static_cast<int>(opened));
    if (errno != EINTR && errno != EAGAIN) return fail_errno(errno, path);
  }
}

// The folder that a name is about to be changed in.
Result<Fd> LocalFolder::folder_of(const std::string& path) {
  Result<Fd> folder = open_beneath(parent_of(path), O_RDONLY | O_DIRECTORY);
  if (folder) changed_.insert(parent_of(path));
  return folder;
}

Scan LocalFolder::scan(const std::function<Result<void>(const std::string& path)>& check) const {
  Scan scan;
  scan_folder(root_, "", check, scan);
  return scan;
}

void LocalFolder::scan_folder(const Fd& folder, const std::string& path,
                              const std::function<Result<void>(const std::string&)>& check, Scan& scan) const {
  const auto leave = [&](const std::string& what, std::string_view why) {
    scan.left.insert(what);
    scan.remarks.push_back(fmt::format("{}: {}", what.empty() ? "." : what, why));
  };
  const int again = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> names(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
  if (!names) return leave(path, fail_errno(errno, "left as it is").error().message);
  errno = 0;
  for (const dirent* found = ::readdir(names.get()); found != nullptr; found = ::readdir(names.get())) {
    const std::string name = found->d_name;
    if (name == "." || name == "..") continue;
    const std::string place = path.empty() ? name : fmt::format("{}/{}", path, name);
    if (name == kOwn) {
      scan.left.insert(place);
      continue;
    }
    struct stat status{};
    if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) leave(place, "left as it is: it cannot be looked at");
      errno = 0;
      continue;
    }
    const std::optional<Side> side = side_of(status);
    if (!side) {
      leave(place, "left as it is: neither a file nor a folder");
    } else if (const Result<void> checked = check(place); !checked) {
      leave(place, "left as it is: " + checked.error().message);
    } else {
      scan.seen[place] = {
          .side = *side,
          .bytes = side->kind == Kind::kFile ? static_cast<std::uint64_t>(status.st_size) : 0,
          .modified_nanos = nanos(status.st_mtim),
          .is_executable = side->kind == Kind::kFile && keeps_modes_ && (status.st_mode & S_IXUSR) != 0};
      if (side->kind == Kind::kFolder) {
        const Fd below(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (below.get() < 0) {
          leave(place, fail_errno(errno, "left as it is").error().message);
        } else {
          scan_folder(below, place, check, scan);
        }
      }
    }
    errno = 0;
  }
  if (errno != 0) leave(path, fail_errno(errno, "left as it is").error().message);
}

std::optional<Side> LocalFolder::look(const std::string& path) const {
  const Result<Fd> file = open_beneath(path, O_PATH | O_NOFOLLOW);
  struct stat status{};
  if (!file || ::fstat(file->get(), &status) != 0) return std::nullopt;
  return side_of(status);
}

std::optional<Side> LocalFolder::look_at(int file) {
  struct stat status{};
  return ::fstat(file, &status) == 0 ? side_of(status) : std::nullopt;
}

Result<Fd> LocalFolder::open_file(const std::string& path) const {
  return open_beneath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

Result<Aside> LocalFolder::receive(const std::string& name) const {
  Aside aside{.file = Fd(::open((own(kNew) / name).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666)),
              .name = name};
  if (aside.file.get() < 0) return fail_errno(errno, "making a file for what is received");
  return aside;
}

std::optional<Fd> LocalFolder::open_left(const std::string& name) const {
  Fd file(::open((own(kNew) / name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  return file.get() < 0 ? std::nullopt : std::optional(std::move(file));
}

void LocalFolder::rename_left(const std::string& name, const std::string& to) const {
  ::rename((own(kNew) / name).c_str(), (own(kNew) / to).c_str());
}

void LocalFolder::drop(const std::string& name) const { ::unlink((own(kNew) / name).c_str()); }

void LocalFolder::set_modified(const Aside& file, std::int64_t modified_millis) {
  const std::int64_t millis = (modified_millis % 1'000 + 1'000) % 1'000;  // of a time before 1970, too
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                             {.tv_sec = (modified_millis - millis) / 1'000, .tv_nsec = millis * 1'000'000}};
  ::futimens(file.file.get(), times);
}

void LocalFolder::make_executable(const Aside& file) {
  struct stat status{};
  if (::fstat(file.file.get(), &status) == 0) ::fchmod(file.file.get(), runnable(status.st_mode & kPermissions));
}

Result<void> LocalFolder::finish(const std::vector<const Aside*>& files) {
  if (files.size() >= kWorthAll) return sync_all(files.front()->file.get());
  for (const Aside* file : files) {
    if (::fsync(file->file.get()) != 0) return fail_errno(errno, "bringing a file to the disk");
  }
  return {};
}

Result<Side> LocalFolder::place(const Aside& file, const std::string& path, const std::optional<Side>& before) {
  const Result<Fd> folder = folder_of(path);
  if (!folder) return std::unexpected(folder.error());
  const std::string from = own(kNew) / file.name;
  const std::string name = name_of(path);
  const auto swap = [&] {
    return ::renameat2(AT_FDCWD, from.c_str(), folder->get(), name.c_str(), RENAME_EXCHANGE) == 0;
  };
  if (before) {
    struct stat status{};
    if (::fstatat(folder->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || side_of(status) != before) {
      return fail_changed(path);
    }
    struct stat fresh{};
    const bool is_program = ::fstat(file.file.get(), &fresh) == 0 && (fresh.st_mode & S_IXUSR) != 0;
    const mode_t mode = status.st_mode & kPermissions;
    ::fchmod(file.file.get(), is_program ? runnable(mode) : mode);  // a program stays one
    const bool swapped = swap();
    if (!swapped && errno != EINVAL) return fail_errno(errno, path);
    // What came out is what was looked at; else somebody has written to it in between, and has it back.
    if (swapped && (::lstat(from.c_str(), &status) != 0 || !is_still(status, *before))) {
      (void)swap();
      return fail_changed(path);
    }
    if (swapped) ::unlink(from.c_str());
    // A file system that cannot exchange.
    if (!swapped && ::renameat(AT_FDCWD, from.c_str(), folder->get(), name.c_str()) != 0)
      return fail_errno(errno, path);
  } else if (::renameat2(AT_FDCWD, from.c_str(), folder->get(), name.c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, path);
  }
  struct stat status{};
  if (::fstat(file.file.get(), &status) != 0) return fail_errno(errno, path);
  return *side_of(status);
}

Result<void> LocalFolder::make_folder(const std::string& path) {
  const Result<Fd> folder = folder_of(path);
  if (!folder) return std::unexpected(folder.error());
  if (::mkdirat(folder->get(), name_of(path).c_str(), 0777) == 0) return {};
  if (errno == EEXIST && look(path) == Side{.kind = Kind::kFolder, .version = {}}) return {};
  return fail_errno(errno, path);
}

Result<Side> LocalFolder::rename(const std::string& path, const std::string& to, const Side& before) {
  if (look(path) != before) return fail_changed(path);
  const Result<Fd> folder = folder_of(path);
  if (!folder) return std::unexpected(folder.error());
  if (::renameat2(folder->get(), name_of(path).c_str(), folder->get(), name_of(to).c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(errno, path);
  }
  const std::optional<Side> now = look(to);
  if (!now) return fail_changed(to);
  return *now;
}

// The same folder within this run's trash.
Result<Fd> LocalFolder::trash_for(const std::string& path) const {
  const std::filesystem::path folder = own(kTrash) / run_ / parent_of(path);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0) return fail_errno(errno, folder.string());
  return opened;
}

Result<void> LocalFolder::remove(const std::string& path, const Side& before) {
  if (look(path) != before) return fail_changed(path);
  const Result<Fd> folder = folder_of(path);
  if (!folder) return std::unexpected(folder.error());
  const std::string name = name_of(path);
  if (before.kind == Kind::kFolder) {
    if (::unlinkat(folder->get(), name.c_str(), AT_REMOVEDIR) == 0) return {};
    if (errno == ENOTEMPTY) return fail_changed(path);
    return fail_errno(errno, path);
  }
  const Result<Fd> trash = trash_for(path);
  if (!trash) return std::unexpected(trash.error());
  // Whatever there is of the name in this run's trash was a folder there, or lay here a moment ago: it stays.
  std::string kept = name;
  for (int number = 2; ::renameat2(folder->get(), name.c_str(), trash->get(), kept.c_str(), RENAME_NOREPLACE) != 0;
       ++number) {
    if (errno != EEXIST) return fail_errno(errno, path);
    kept = fmt::format("{}.{}", name, number);
  }
  struct stat status{};
  if (::fstatat(trash->get(), kept.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && is_still(status, before)) return {};
  ::renameat2(trash->get(), kept.c_str(), folder->get(), name.c_str(), RENAME_NOREPLACE);
  return fail_changed(path);
}

Result<void> LocalFolder::sync_folders() {
  if (changed_.size() >= kWorthAll) {
    changed_.clear();
    return sync_all(root_.get());
  }
  for (const std::string& path : changed_) {
    // One that has been removed since has nothing to be brought to the disk.
    const Result<Fd> folder = open_beneath(path, O_RDONLY | O_DIRECTORY);
    if (folder && ::fsync(folder->get()) != 0) return fail_errno(errno, path);
  }
  changed_.clear();
  return {};
}

}  // namespace hearth::sync
