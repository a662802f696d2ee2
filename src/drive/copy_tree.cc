#include "drive/copy_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "drive/files.h"
#include "net/crypto.h"

namespace hearth::drive {
namespace {

constexpr std::uint32_t kPermissions = 0777;

std::optional<CopyEntry> copy_entry_of(const struct stat& status, std::string name) {
  const std::optional<Entry> entry = entry_of(status, std::move(name));
  if (!entry) return std::nullopt;
  const bool is_folder = entry->kind == Kind::kFolder;
  return CopyEntry{.name = entry->name,
                   .is_folder = is_folder,
                   .etag = is_folder ? "" : entry->etag,
                   .bytes = entry->bytes,
                   .modified_seconds = status.st_mtim.tv_sec,
                   .modified_nanos = static_cast<std::uint32_t>(status.st_mtim.tv_nsec),
                   .mode = (status.st_mode & kPermissions) | S_IRUSR | S_IWUSR,
                   .attributes = {},
                   .mark = {}};
}

void add_attributes(int file, CopyEntry& entry) {
  for (const char* name : {kPropertiesName, kSeriesName}) {
    Result<std::string> value = attribute(file, name);
    if (value && !value->empty()) entry.attributes[name] = *std::move(value);
  }
  const Result<std::string> mark = entry.is_folder ? Result<std::string>() : attribute(file, kMarkName);
  if (mark && !mark->empty()) entry.mark = decode_copy_mark(*mark);
}

// One that cannot be opened is told without what only an open file tells.
void add_attributes_at(int folder, CopyEntry& entry) {
  const Fd file(::openat(folder, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.get() >= 0) add_attributes(file.get(), entry);
}

std::unexpected<Error> fail_at(const std::string& path) {
  const int error = errno == ELOOP || errno == EXDEV || errno == ENOTDIR ? ENOENT : errno;
  return fail_errno(error, "/" + path);
}

}  // namespace

Result<CopyTree> CopyTree::open(const std::filesystem::path& root) {
  Fd file(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "opening the drive's folder " + root.string());
  return CopyTree(std::move(file));
}

Result<Fd> CopyTree::open_folder(const std::string& folder) const {
  Fd file(open_beneath_root(root_.get(), folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (file.get() < 0) return fail_at(folder);
  return file;
}

Result<std::vector<CopyEntry>> CopyTree::list(const std::string& folder) const {
  const Result<Fd> file = open_folder(folder);
  if (!file) return std::unexpected(file.error());
  std::vector<CopyEntry> entries;
  const Result<void> read = for_each_of(file->get(), [&](std::string name, Kind) {
    struct stat status{};
    if (!is_copied(folder, name)) return;
    if (::fstatat(file->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    std::optional<CopyEntry> entry = copy_entry_of(status, std::move(name));
    if (!entry) return;
    add_attributes_at(file->get(), *entry);
    entries.push_back(*std::move(entry));
  });
  if (!read) return fail(read, "/" + folder);
  std::ranges::sort(entries, {}, &CopyEntry::name);
  return entries;
}

Result<std::pair<Fd, CopyEntry>> CopyTree::read(const std::string& path) const {
  // What is opened is looked at first: opening a pipe waits, opening a device may act.
  struct stat status{};
  const Fd found(open_beneath_root(root_.get(), path, O_PATH | O_NOFOLLOW));
  if (found.get() < 0 || ::fstat(found.get(), &status) != 0) return fail_at(path);
  if (!S_ISREG(status.st_mode)) return fail(Code::kNotFound, "/" + path + ": no file");
  Fd file(open_beneath_root(root_.get(), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return fail_at(path);
  if (!S_ISREG(status.st_mode)) return fail(Code::kNotFound, "/" + path + ": no file");
  CopyEntry entry = *copy_entry_of(status, "");
  add_attributes(file.get(), entry);
  return std::pair(std::move(file), std::move(entry));
}

std::string copy_digest(const std::vector<CopyEntry>& entries) { return net::sha256(copy_digest_text(entries)); }

std::optional<LookedAt> CopyLook::next() {
  while (!left_.empty()) {
    std::string folder = std::move(left_.back());
    left_.pop_back();
    before_(folder);
    const Result<std::vector<CopyEntry>> entries = tree_.list(folder);
    if (!entries) {
      if (entries.error().code != Code::kNotFound && !trouble_) trouble_ = entries.error();
      continue;
    }
    for (const CopyEntry& entry : *entries) {
      if (entry.is_folder) left_.push_back(below(folder, entry.name));
    }
    std::string digest = copy_digest(*entries);
    return LookedAt{.folder = std::move(folder), .digest = std::move(digest)};
  }
  return std::nullopt;
}

}  // namespace hearth::drive
