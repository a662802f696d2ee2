#include "drive/folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "core/drive/waits.h"
#include "drive/executable.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kNew = "new";

// A symbolic link in the way is, to whoever asks, not there.
std::unexpected<Error> fail_path(const Path& path) {
  const int error = errno == ELOOP || errno == EXDEV || errno == ENOTDIR ? ENOENT : errno;
  return fail_errno(error, path.text());
}

Result<Folder::Room> room_of(int file) {
  struct statvfs disk{};
  if (::fstatvfs(file, &disk) != 0) return fail_errno(errno, "asking for the room on the drive's disk");
  const std::uint64_t free = disk.f_bavail * disk.f_frsize;
  return Folder::Room{.free = free - std::min(free, kKeptFree), .used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize};
}

}  // namespace

Result<void> check_room(int file, std::uint64_t bytes) {
  const Result<Folder::Room> room = room_of(file);
  if (!room) return std::unexpected(room.error());
  if (room->free >= std::max<std::uint64_t>(bytes, 1)) return {};
  return fail(Code::kResourceExhausted,
              fmt::format("the drive's disk has room for {} more, besides {} that stay free; this needs {}: erase what "
                          "is in .hearth/trash, or remove files",
                          format_bytes(room->free), format_bytes(kKeptFree), format_bytes(bytes)));
}

Incoming& Incoming::operator=(Incoming&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  std::swap(is_on_disk_, other.is_on_disk_);
  return *this;
}

Incoming::~Incoming() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<void> Incoming::write(std::string_view bytes) {
  if (Result<void> room = check_room(file_.get(), bytes.size()); !room) return room;
  return append(bytes);
}

Result<void> Incoming::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "writing what is received");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> Incoming::finish(std::optional<WallTime> modified) {
  if (modified && !set_modified(file_.get(), *modified)) return fail_errno(errno, "dating what is received");
  if (::fsync(file_.get()) != 0) return fail_errno(errno, "writing what is received");
  is_on_disk_ = true;
  return {};
}

Result<std::unique_ptr<Folder>> Folder::open(const std::filesystem::path& root) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(root, error);
  if (error) return fail_errno(error.value(), "making the drive's folder " + root.string());
  if (is_new) ::chmod(root.c_str(), 0700);
  Fd file(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "opening the drive's folder " + root.string());
  std::unique_ptr<Folder> folder(new Folder(std::move(file), root));
  struct statfs disk{};
  if (::fstatfs(folder->root_file_.get(), &disk) == 0) {
    folder->is_local_ = is_local(static_cast<std::uint64_t>(disk.f_type));
  }
  const Result<std::filesystem::path> fresh = folder->own(kNew);
  if (!fresh) return std::unexpected(fresh.error());
  for (const auto& left : Entries(*fresh, error)) {
    // A file was being received; the versions that it may name are those of what it was about to replace. Folders have
    // been discarded, and their versions go with them.
    std::error_code ignored;
    if (left.symlink_status(ignored).type() != std::filesystem::file_type::directory) {
      std::filesystem::remove(left.path(), ignored);
    } else {
      (void)erase_some(left.path(), root / Path::kOwnFolder, minutes(60));
    }
  }
  return folder;
}

Result<std::filesystem::path> Folder::own(std::string_view name) const {
  const std::filesystem::path own = root_ / Path::kOwnFolder;
  if (::mkdir(own.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + own.string());
  std::filesystem::path path = own / name;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + path.string());
  return path;
}

Result<void> Folder::write_own(std::string_view name, std::string_view text) const {
  Result<Incoming> file = receive(text.size());
  if (!file) return std::unexpected(file.error());
  if (Result<void> written = file->write(text); !written) return written;
  const std::filesystem::path place = std::filesystem::path(Path::kOwnFolder) / name;
  const Fd parent(::openat(root_file_.get(), place.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || ::fsync(file->descriptor()) != 0 ||
      ::renameat(AT_FDCWD, file->path_.c_str(), parent.get(), place.filename().c_str()) != 0) {
    return fail_errno(errno, fmt::format("writing {}", name));
  }
  file->path_.clear();
  if (::fsync(parent.get()) != 0) return fail_errno(errno, fmt::format("writing {}", name));
  return {};
}

Result<std::string> Folder::read_own(std::string_view name) const {
  const Fd file(::open((root_ / Path::kOwnFolder / name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (file.get() < 0 && errno == ENOENT) return std::string();
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return fail_errno(errno, fmt::format("reading {}", name));
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), 0);
  if (count < 0) return fail_errno(errno, fmt::format("reading {}", name));
  text.resize(static_cast<std::size_t>(count));
  return text;
}

Result<Fd> Folder::open_beneath(const Path& path, int flags, std::uint64_t also) const {
  Fd file(open_beneath_root(root_file_.get(), path.relative(), flags, also));
  if (file.get() < 0) return fail_path(path);
  return file;
}

Result<Fd> Folder::parent_of(const Path& path) const { return open_beneath(path.parent(), O_PATH | O_DIRECTORY); }

Result<Entry> Folder::look(const Path& path) const {
  const Result<Fd> file = open_beneath(path, O_PATH | O_NOFOLLOW);
  if (!file) return std::unexpected(file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return fail_path(path);
  std::optional<Entry> entry = entry_of(status, path.is_root() ? "" : path.name());
  if (!entry) return fail(Code::kNotFound, path.text() + ": no file and no folder");
  return *std::move(entry);
}

Result<Fd> Folder::open_folder(const Path& folder) const {
  const Result<Entry> itself = look(folder);
  if (!itself) return std::unexpected(itself.error());
  if (itself->kind != Kind::kFolder) return fail(Code::kFailedPrecondition, folder.text() + " is a file");
  return open_beneath(folder, O_RDONLY | O_DIRECTORY);
}

Result<std::vector<Entry>> Folder::list(const Path& folder) const {
  const Result<Fd> file = open_folder(folder);
  if (!file) return std::unexpected(file.error());
  std::vector<Entry> entries;
  const Result<void> read = for_each_of(file->get(), [&](std::string name, Kind) {
    if (folder.is_root() && name == Path::kOwnFolder) return;
    struct stat status{};
    if (::fstatat(file->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (std::optional<Entry> entry = entry_of(status, std::move(name))) entries.push_back(*std::move(entry));
  });
  if (!read) return fail(read, folder.text());
  return entries;
}

Result<std::pair<Fd, Entry>> Folder::read_with(const Path& file, std::uint64_t also) const {
  // What is opened is looked at first: opening a pipe waits, opening a device may act.
  const Result<Fd> found = open_beneath(file, O_PATH | O_NOFOLLOW, also);
  if (!found) return std::unexpected(found.error());
  struct stat status{};
  if (::fstat(found->get(), &status) != 0) return fail_path(file);
  if (S_ISDIR(status.st_mode)) return fail(Code::kFailedPrecondition, file.text() + " is a folder");
  if (!S_ISREG(status.st_mode)) return fail(Code::kNotFound, file.text() + ": no file and no folder");
  Result<Fd> opened = open_beneath(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, also);
  if (!opened) return std::unexpected(opened.error());
  if (::fstat(opened->get(), &status) != 0) return fail_path(file);
  if (!S_ISREG(status.st_mode)) return fail(Code::kNotFound, file.text() + ": no file");
  return std::pair(std::move(*opened), *entry_of(status, file.name()));
}

Result<std::pair<Fd, Entry>> Folder::read(const Path& file) const { return read_with(file, 0); }

std::optional<std::pair<Fd, Entry>> Folder::read_at_once(const Path& file) const {
  if (!is_local_ || file.is_root()) return std::nullopt;
  Result<std::pair<Fd, Entry>> read = read_with(file, RESOLVE_CACHED);
  if (!read) return std::nullopt;
  return *std::move(read);
}

Result<Folder::Room> Folder::room() const { return room_of(root_file_.get()); }

Result<Properties> Folder::properties(const Path& path) const {
  if (const Result<Entry> found = look(path); !found) return std::unexpected(found.error());
  const Result<Fd> file = open_beneath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return std::unexpected(file.error());
  return read_properties(file->get());
}

Result<void> Folder::change_properties(const Path& path, const std::vector<PropertyChange>& changes) {
  Result<Properties> properties = this->properties(path);
  if (!properties) return std::unexpected(properties.error());
  for (const PropertyChange& change : changes) {
    if (change.is_removed)
      properties->erase(change.name);
    else
      (*properties)[change.name] = change.xml;
  }
  const Result<Fd> file = open_beneath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return std::unexpected(file.error());
  return write_properties(file->get(), *properties);
}

Result<Incoming> Folder::make_incoming() const {
  const std::filesystem::path own = root_ / Path::kOwnFolder / kNew;
  std::filesystem::path path = own / unique_name();
  for (bool made = false;; made = true) {
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() >= 0) return Incoming(std::move(file), std::move(path));
    if (errno != ENOENT || made) return fail_errno(errno, "making a file for what is received");
    if (const Result<std::filesystem::path> fresh = this->own(kNew); !fresh) return std::unexpected(fresh.error());
  }
}

Result<Incoming> Folder::receive(std::uint64_t expected_bytes) const {
  if (Result<void> room = check_room(root_file_.get(), expected_bytes); !room) return std::unexpected(room.error());
  return make_incoming();
}

Result<Incoming> Folder::receive_whole(std::string_view bytes, std::optional<WallTime> modified) const {
  Result<Incoming> file = receive(bytes.size());
  if (!file) return file;
  if (const Result<void> written = file->append(bytes); !written) return std::unexpected(written.error());
  if (modified && !set_modified(file->descriptor(), *modified)) return fail_errno(errno, "dating what is received");
  return file;
}

Result<void> Folder::check_fits(const Path& path, std::uint64_t bytes) const {
  const Result<Entry> before = look(path);
  const std::uint64_t now = before ? before->bytes : 0;
  return allowances_->check(*this, path, bytes - std::min(bytes, now));
}

Result<Placed> Folder::place(Incoming file, const Path& path, const Condition& condition) {
  NamedFolders named;
  Result<Placed> placed = place(std::move(file), path, condition, named);
  return sync_name(std::move(placed), named);
}

Result<Placed> Folder::place(Incoming file, const Path& path, const Condition& condition, NamedFolders& named) {
  Result<Placed> placed = place_named(file.path_, file.descriptor(), path, condition, file.is_on_disk_, named);
  if (placed) file.path_.clear();
  return placed;
}

Result<Placed> Folder::place_own(const std::filesystem::path& file, const Path& path, const Condition& condition,
                                 std::optional<WallTime> modified) {
  const Fd opened(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (opened.get() < 0) return fail_errno(errno, file.string());
  if (modified && !set_modified(opened.get(), *modified)) return fail_errno(errno, path.text());
  NamedFolders named;
  Result<Placed> placed = place_named(file, opened.get(), path, condition, false, named);
  return sync_name(std::move(placed), named);
}

Result<Placed> Folder::place_named(const std::filesystem::path& from, int descriptor, const Path& path,
                                   const Condition& condition, bool is_on_disk, NamedFolders& named) {
  if (path.is_root()) return fail(Code::kAlreadyExists, "the root is a folder");
  const Path above = path.parent();
  auto parent = named.find(above);
  if (parent == named.end()) {
    Result<Fd> opened = open_beneath(above, O_RDONLY | O_DIRECTORY);
    if (!opened) return std::unexpected(opened.error());
    parent = named.emplace(above, *std::move(opened)).first;
  }
  const int folder = parent->second.get();
  const char* const name = path.name().c_str();
  struct stat status{};
  const bool is_taken = ::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
  const std::optional<Entry> before = is_taken ? entry_of(status, path.name()) : std::nullopt;
  if (before && before->kind == Kind::kFolder) return fail(Code::kAlreadyExists, path.text() + " is a folder");
  if (Result<void> holds = check(condition, before ? &*before : nullptr); !holds) return fail(holds, path.text());
  struct stat arriving{};
  if (::fstat(descriptor, &arriving) != 0) return fail_errno(errno, path.text());
  const auto bytes = static_cast<std::uint64_t>(arriving.st_size);
  if (Result<void> fits = allowances_->take(*this, path, bytes - std::min(bytes, before ? before->bytes : 0)); !fits) {
    return std::unexpected(fits.error());
  }
  if (before) {
    if (is_executable(status) && !make_executable(descriptor)) return fail_errno(errno, path.text());
    const Result<Fd> replaced = open_beneath(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (replaced && copy_properties(replaced->get(), descriptor)) is_on_disk = false;
    if (replaced && keep_version(folder, path.name(), replaced->get(), descriptor)) is_on_disk = false;
  }
  if (!is_on_disk && ::fsync(descriptor) != 0) return fail_errno(errno, path.text());
  const unsigned flags = before ? 0 : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, from.c_str(), folder, name, flags) != 0) return fail_errno(errno, path.text());
  if (::fstat(descriptor, &status) != 0) return fail_errno(errno, path.text());
  return Placed{.entry = *entry_of(status, path.name()), .created = !before};
}

Result<Entry> Folder::make_folder(const Path& path) {
  if (path.is_root()) return fail(Code::kAlreadyExists, "the root is there");
  const Result<Fd> parent = open_beneath(path.parent(), O_RDONLY | O_DIRECTORY);
  if (!parent) return std::unexpected(parent.error());
  if (::mkdirat(parent->get(), path.name().c_str(), 0700) != 0) return fail_errno(errno, path.text());
  if (::fsync(parent->get()) != 0) return fail_errno(errno, path.text());
  return look(path);
}

}  // namespace hearth::drive
