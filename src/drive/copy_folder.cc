#include "drive/copy_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <map>
#include <ranges>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kComing = "copy-";
constexpr const char* kIdFile = "id";

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "2026-11-28T07-12-03Z"
std::string moment() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H-%M-%SZ", &utc);
  return {text.data(), length};
}

// Whether nothing lies there but what a drive makes for itself.
bool is_unused(const fs::path& root) {
  std::error_code error;
  for (const auto& found : Entries(root, error)) {
    const std::string name = found.path().filename();
    if (name != Path::kOwnFolder && name != "lost+found") return false;
  }
  for (const auto& found : Entries(root / Path::kOwnFolder, error)) {
    if (found.path().filename() != "new") return false;
  }
  return true;
}

std::string read_id(const fs::path& root) {
  const Fd file(::open((root / Path::kOwnFolder / kIdFile).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t count = file.get() < 0 ? -1 : ::read(file.get(), text.data(), text.size());
  return count < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(count));
}

Result<void> sync_folder(const fs::path& folder) {
  const Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0 && ::fsync(opened.get()) == 0) return {};
  return fail_errno(errno, folder.string());
}

Result<void> write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "writing the drive's copy");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> date(int file, const CopyEntry& entry) {
  const std::array<timespec, 2> times{
      timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
      timespec{.tv_sec = entry.modified_seconds, .tv_nsec = static_cast<long>(entry.modified_nanos)}};
  return ::futimens(file, times.data()) == 0 ? Result<void>() : fail_errno(errno, "dating a file of the drive's copy");
}

// Only now is it this drive's: after that, what lies here is compared and not refused.
Result<void> write_id(const fs::path& root, const std::string& drive) {
  const fs::path own = root / Path::kOwnFolder;
  const fs::path file = own / "new" / unique_name();
  {
    const Fd opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (opened.get() < 0) return fail_errno(errno, file.string());
    if (::fsetxattr(opened.get(), kMarkName, "x", 1, 0) != 0) {
      std::error_code ignored;
      fs::remove(file, ignored);
      return fail(Code::kUnimplemented,
                  fmt::format("{} lies on a file system that keeps no extended attributes (user.*), by which a copy of "
                              "the drive knows its files: another one is needed, as ext4, XFS or Btrfs",
                              root.string()));
    }
    if (Result<void> written = write_all(opened.get(), drive); !written) return written;
    if (::fsync(opened.get()) != 0) return fail_errno(errno, file.string());
  }
  if (::rename(file.c_str(), (own / kIdFile).c_str()) != 0) return fail_errno(errno, file.string());
  return sync_folder(own);
}

std::unexpected<Error> has_others(const fs::path& root) {
  return fail(
      Code::kFailedPrecondition,
      fmt::format("{} has other files, so no copy of the drive can be there: move them away (.hearth, too), or let "
                  "this PC stand by with another home, whose folder \"drive\" it is then: hearth up --home DIR "
                  "--standby-of LINK",
                  root.string()));
}

// Of an ended process; files that came half are gone on with.
void clear_fresh(const fs::path& fresh, bool coming_too) {
  std::error_code error;
  for (const auto& left : Entries(fresh, error)) {
    std::error_code ignored;
    if (coming_too || !left.path().filename().string().starts_with(kComing)) fs::remove_all(left.path(), ignored);
  }
}

}  // namespace

CopyFolder::CopyFolder(fs::path root, CopyTree tree, Names names)
    : root_(std::move(root)), tree_(std::move(tree)), names_(std::move(names)), stay_(moment()) {}

Result<void> CopyFolder::check_room(std::uint64_t bytes) const {
  const Result<void> room = drive::check_room(tree_.root_file(), bytes);
  if (room || room.error().code != Code::kResourceExhausted) return room;
  return fail(
      Code::kResourceExhausted,
      fmt::format("the disk of the PC that stands by is full: {} more do not fit into {} besides {} that stay free",
                  format_bytes(bytes), root_.string(), format_bytes(kKeptFree)));
}

Result<void> CopyFolder::check_folder(const fs::path& root) {
  if (!read_id(root).empty() || is_unused(root)) return {};
  return has_others(root);
}

Result<std::unique_ptr<CopyFolder>> CopyFolder::open(const fs::path& root, Names names) {
  std::error_code error;
  if (fs::create_directories(root, error)) ::chmod(root.c_str(), 0700);
  if (error) return fail_errno(error.value(), "making the folder of the drive's copy, " + root.string());
  const std::string id = read_id(root);
  if (id != names.drive && !(id.empty() && is_unused(root))) return has_others(root);
  for (const fs::path& folder : {root / Path::kOwnFolder, root / Path::kOwnFolder / "new"}) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + folder.string());
  }
  clear_fresh(root / Path::kOwnFolder / "new", false);
  if (id.empty()) {
    if (Result<void> written = write_id(root, names.drive); !written) return std::unexpected(written.error());
  }
  Result<CopyTree> tree = CopyTree::open(root);
  if (!tree) return std::unexpected(tree.error());
  return std::unique_ptr<CopyFolder>(new CopyFolder(root, *std::move(tree), std::move(names)));
}

Result<Fd> CopyFolder::parent_of(const std::string& path) const {
  if (Result<void> checked = check_copy_path(path); !checked) return std::unexpected(checked.error());
  return tree_.open_folder(folder_of(path));
}

Result<std::string> CopyFolder::hash(const std::string& path) const {
  const Result<std::pair<Fd, CopyEntry>> file = tree_.read(path);
  return file ? hash_file(file->first.get(), ended_) : std::unexpected(file.error());
}

// --- what is said of a file -----------------------------------------------------------------------------------------

Result<void> CopyFolder::mark(int file, const CopyEntry& entry) const {
  struct stat status{};
  if (::fstat(file, &status) != 0) return fail_errno(errno, "marking a file of the drive's copy");
  const std::string text =
      encode(CopyMark{.source = names_.source, .theirs = entry.etag, .ours = drive::entry_of(status, "")->etag});
  if (::fsetxattr(file, kMarkName, text.data(), text.size(), 0) != 0) {
    return fail_errno(errno, "marking a file of the drive's copy");
  }
  return {};
}

Result<void> CopyFolder::dress(int file, const CopyEntry& entry) const {
  for (const char* name : {kPropertiesName, kSeriesName}) {
    const auto found = entry.attributes.find(name);
    const bool is_done = found == entry.attributes.end()
                             ? ::fremovexattr(file, name) == 0 || errno == ENODATA
                             : ::fsetxattr(file, name, found->second.data(), found->second.size(), 0) == 0;
    if (!is_done) return fail_errno(errno, "writing what is said of a file of the drive's copy");
  }
  if (entry.is_folder) return {};
  if (::fchmod(file, entry.mode) != 0) return fail_errno(errno, "the permissions of a file of the drive's copy");
  return {};
}

Result<void> CopyFolder::write_attributes(const std::string& path, const CopyEntry& entry) {
  if (entry.is_folder) {
    const Result<Fd> folder = tree_.open_folder(path);
    return folder ? dress(folder->get(), entry) : Result<void>(std::unexpected(folder.error()));
  }
  const Result<std::pair<Fd, CopyEntry>> file = tree_.read(path);
  return file ? dress(file->first.get(), entry) : Result<void>(std::unexpected(file.error()));
}

Result<void> CopyFolder::adopt(const std::string& path, const CopyEntry& entry) {
  const Result<std::pair<Fd, CopyEntry>> file = tree_.read(path);
  if (!file) return std::unexpected(file.error());
  const int opened = file->first.get();
  if (Result<void> dressed = dress(opened, entry); !dressed) return dressed;
  if (Result<void> dated = date(opened, entry); !dated) return dated;
  if (Result<void> marked = mark(opened, entry); !marked) return marked;
  return ::fsync(opened) == 0 ? Result<void>() : fail_errno(errno, path);
}

// --- files that come ------------------------------------------------------------------------------------------------

Result<void> CopyFolder::sync_all(const std::vector<int>& files) {
  for (const int error : disk_.sync(files)) {
    if (error != 0) return fail_errno(error, "writing the drive's copy");
  }
  return {};
}

Result<void> CopyFolder::give_name(const fs::path& from, const std::string& path) const {
  const Result<Fd> parent = parent_of(path);
  if (!parent) return std::unexpected(parent.error());
  if (::renameat(AT_FDCWD, from.c_str(), parent->get(), name_of(path).c_str()) == 0) return {};
  return fail_errno(errno, "/" + path);
}

Result<void> CopyFolder::make_folder(const std::string& path, const CopyEntry& entry) {
  const Result<Fd> parent = parent_of(path);
  if (!parent) return std::unexpected(parent.error());
  if (::mkdirat(parent->get(), name_of(path).c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(errno, "/" + path);
  }
  if (::fsync(parent->get()) != 0) return fail_errno(errno, "/" + path);
  return entry.attributes.empty() ? Result<void>() : write_attributes(path, entry);
}

// A second name first, so that the content is there under one of its names at every moment.
Result<void> CopyFolder::link(const std::string& from, const std::string& to, const CopyEntry& entry) {
  const Result<std::pair<Fd, CopyEntry>> file = tree_.read(from);
  const Result<Fd> source = tree_.open_folder(folder_of(from));
  if (!file || !source) return fail(Code::kAborted, from + " is not there any more");
  const std::vector<std::string> wanted = copy_keys_of_wanted(entry, names_.source, names_.self);
  if (std::ranges::find(wanted, copy_key_of_kept(file->second, names_.source, names_.self)) == wanted.end()) {
    return fail(Code::kAborted, from + " has changed");
  }
  const fs::path second = fresh() / unique_name();
  if (::linkat(source->get(), name_of(from).c_str(), AT_FDCWD, second.c_str(), 0) != 0) {
    return fail(Code::kAborted, from + " gets no second name");
  }
  Result<void> done = dress(file->first.get(), entry);
  if (done && !is_copy(file->second)) done = mark(file->first.get(), entry);
  if (done) done = give_name(second, to);
  ::unlink(second.c_str());  // of one file, a rename leaves both names
  if (!done) return done;
  const Result<Fd> parent = parent_of(to);
  if (!parent || ::fsync(parent->get()) != 0) return fail_errno(errno, "/" + to);
  return {};
}

Result<void> CopyFolder::place(const std::vector<Arrived>& files) {
  std::vector<std::pair<Fd, fs::path>> staged;
  std::vector<int> opened;
  Result<void> done;
  for (const Arrived& one : files) {
    if (done) done = check_room(one.content.size());
    fs::path temporary = fresh() / unique_name();
    Fd file(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (done && file.get() < 0) done = fail_errno(errno, temporary.string());
    if (done) done = write_all(file.get(), one.content);
    if (done) done = dress(file.get(), one.entry);
    if (done) done = date(file.get(), one.entry);
    if (done) done = mark(file.get(), one.entry);
    opened.push_back(file.get());
    staged.emplace_back(std::move(file), std::move(temporary));
    if (!done) break;
  }
  if (done) done = sync_all(opened);
  std::map<std::string, Fd> folders;
  for (std::size_t i = 0; i < staged.size(); ++i) {
    Result<void> named = done ? give_name(staged[i].second, files[i].path) : done;
    Result<Fd> parent = parent_of(files[i].path);
    if (named && parent) folders.emplace(folder_of(files[i].path), *std::move(parent));
    if (!named) ::unlink(staged[i].second.c_str());
    if (!named && done) done = named;
  }
  opened.clear();
  for (const auto& [path, folder] : folders) opened.push_back(folder.get());
  if (Result<void> synced = sync_all(opened); !synced) return synced;
  return done;
}

Result<CopyFolder::Coming> CopyFolder::begin(const CopyEntry& entry) {
  std::string name = fmt::format("{}{}-{}", kComing, names_.source, entry.etag);
  std::erase_if(name, [](char c) { return c == '"' || c == '/'; });
  Coming coming{.file = Fd(), .path = fresh() / name};
  coming.file = Fd(::open(coming.path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat status{};
  if (coming.file.get() < 0 || ::fstat(coming.file.get(), &status) != 0) return fail_errno(errno, coming.path.string());
  coming.bytes = static_cast<std::uint64_t>(status.st_size);
  if (coming.bytes > entry.bytes) {
    if (::ftruncate(coming.file.get(), 0) != 0) return fail_errno(errno, coming.path.string());
    coming.bytes = 0;
  }
  if (Result<void> room = check_room(entry.bytes - coming.bytes); !room) {
    return std::unexpected(room.error());
  }
  return coming;
}

Result<std::string> CopyFolder::hash_of(const Coming& coming) const { return hash_file(coming.file.get(), ended_); }

Result<void> CopyFolder::append(Coming& coming, std::string_view bytes) {
  if (Result<void> room = check_room(bytes.size()); !room) return room;
  if (Result<void> written = write_all(coming.file.get(), bytes); !written) return written;
  coming.bytes += bytes.size();
  return {};
}

Result<void> CopyFolder::finish(Coming& coming, const std::string& path, const CopyEntry& entry) {
  const int file = coming.file.get();
  if (Result<void> dressed = dress(file, entry); !dressed) return dressed;
  if (Result<void> dated = date(file, entry); !dated) return dated;
  if (Result<void> marked = mark(file, entry); !marked) return marked;
  if (::fsync(file) != 0) return fail_errno(errno, "writing the drive's copy");
  if (Result<void> named = give_name(coming.path, path); !named) return named;
  const Result<Fd> parent = parent_of(path);
  if (!parent || ::fsync(parent->get()) != 0) return fail_errno(errno, "/" + path);
  return {};
}

Result<void> CopyFolder::drop(const Coming& coming) {
  return ::unlink(coming.path.c_str()) == 0 ? Result<void>() : fail_errno(errno, coming.path.string());
}

void CopyFolder::forget_coming() { clear_fresh(fresh(), true); }

// --- what goes ------------------------------------------------------------------------------------------------------

Result<std::string> CopyFolder::set_aside(const std::string& path) {
  const Result<Fd> parent = parent_of(path);
  if (!parent) return std::unexpected(parent.error());
  const fs::path own = fs::path(Path::kOwnFolder) / "aside" / stay_;
  const fs::path place = own / path;
  std::error_code error;
  fs::create_directories((root_ / place).parent_path(), error);
  if (error) return fail_errno(error.value(), "setting a file aside");
  ::chmod(aside().c_str(), 0700);
  fs::path to = place;
  for (int number = 2;; ++number) {
    if (::renameat2(parent->get(), name_of(path).c_str(), AT_FDCWD, (root_ / to).c_str(), RENAME_NOREPLACE) == 0) break;
    if (errno != EEXIST) return fail_errno(errno, "setting /" + path + " aside");
    to = fmt::format("{} ({})", place.string(), number);
  }
  if (Result<void> synced = sync_folder((root_ / to).parent_path()); !synced) return std::unexpected(synced.error());
  if (::fsync(parent->get()) != 0) return fail_errno(errno, "setting /" + path + " aside");
  return to.string();
}

Result<void> CopyFolder::remove(const std::string& path) {
  const Result<Fd> parent = parent_of(path);
  if (!parent) return std::unexpected(parent.error());
  const std::string name = name_of(path);
  struct stat status{};
  if (::fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Result<void>() : fail_errno(errno, "/" + path);
  }
  const auto set_aside_all = [&]() -> Result<void> {
    const Result<std::string> moved = set_aside(path);
    return moved ? Result<void>() : std::unexpected(moved.error());
  };
  if (!S_ISDIR(status.st_mode)) {
    const Result<std::pair<Fd, CopyEntry>> file = tree_.read(path);
    if (!file || !is_copy(file->second)) return set_aside_all();
    return ::unlinkat(parent->get(), name.c_str(), 0) == 0 ? Result<void>() : fail_errno(errno, "/" + path);
  }
  const Result<std::vector<CopyEntry>> within = tree_.list(path);
  if (!within) return std::unexpected(within.error());
  for (const CopyEntry& entry : *within) {
    if (Result<void> removed = remove(below(path, entry.name)); !removed) return removed;
  }
  if (::unlinkat(parent->get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  // Something that is no file and no folder, or of a name that no drive shows.
  return errno == ENOTEMPTY || errno == EEXIST ? set_aside_all() : fail_errno(errno, "/" + path);
}

std::uint64_t CopyFolder::count_aside() {
  std::uint64_t count = 0;
  std::vector<fs::path> folders;
  std::vector<fs::path> needless;
  std::error_code error;
  for (auto found = fs::recursive_directory_iterator(aside(), error);
       !error && found != fs::recursive_directory_iterator(); found.increment(error)) {
    const Fd file(::open(found->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    const bool is_open = file.get() >= 0 && ::fstat(file.get(), &status) == 0;
    if (is_open && S_ISDIR(status.st_mode)) {
      folders.push_back(found->path());
      continue;
    }
    const Result<std::string> text = is_open ? attribute(file.get(), kMarkName) : Result<std::string>();
    const std::optional<CopyMark> kept = text ? decode_copy_mark(*text) : std::nullopt;
    const bool is_known = kept && kept->source == names_.source && has_etag(file.get(), kept->ours);
    if (is_known) needless.push_back(found->path());
    count += is_known ? 0 : 1;
  }
  for (const fs::path& file : needless) ::unlink(file.c_str());
  for (const fs::path& folder : std::ranges::reverse_view(folders)) ::rmdir(folder.c_str());
  return count;
}

}  // namespace hearth::drive
