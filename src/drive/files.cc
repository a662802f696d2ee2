#include "drive/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "drive/executable.h"
#include "net/crypto.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kMaxPropertiesBytes = XATTR_SIZE_MAX;
constexpr std::size_t kCopiedAtOnce = 1 << 30;
constexpr std::size_t kHashedAtOnce = 1 << 20;

Result<void> copy_bytes(int from, int to, const std::string& name) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
  return append_bytes(from, to, name);
}

Result<void> copy_file(int from_folder, const std::string& from, int to_folder, const std::string& to) {
  const Fd source(::openat(from_folder, from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (source.get() < 0) return fail_errno(errno, "copying " + from);
  const Fd target(::openat(to_folder, to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (target.get() < 0) return fail_errno(errno, "copying " + from);
  if (Result<void> copied = copy_bytes(source.get(), target.get(), from); !copied) return copied;
  copy_properties(source.get(), target.get());
  if ((is_executable(source.get()) && !make_executable(target.get())) || ::fsync(target.get()) != 0) {
    return fail_errno(errno, "copying " + from);
  }
  return {};
}

Result<void> copy_folder(int from_folder, const std::string& from, int to_folder, const std::string& to, bool deep) {
  const Fd source(::openat(from_folder, from.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (source.get() < 0) return fail_errno(errno, "copying " + from);
  if (::mkdirat(to_folder, to.c_str(), 0700) != 0) return fail_errno(errno, "copying " + from);
  const Fd target(::openat(to_folder, to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (target.get() < 0) return fail_errno(errno, "copying " + from);
  copy_properties(source.get(), target.get());
  Result<void> copied;
  const Result<void> read = for_each_name(source.get(), [&](const std::string& name) {
    if (deep && copied) copied = copy_tree(source.get(), name, target.get(), name, true);
  });
  if (!read) return read;
  if (copied && ::fsync(target.get()) != 0) return fail_errno(errno, "copying " + from);
  return copied;
}

// Of what readdir() finds, all but "." and "..".
Result<void> for_each_line(int folder, const std::function<void(const dirent&)>& take) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> names(again < 0 ? nullptr : ::fdopendir(again), ::closedir);
  if (!names) return fail_errno(errno, "reading a folder");
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(names.get());
    if (found == nullptr) break;
    const std::string_view name = found->d_name;
    if (name != "." && name != "..") take(*found);
  }
  if (errno != 0) return fail_errno(errno, "reading a folder");
  return {};
}

bool erase_until(const std::filesystem::path& path, const std::filesystem::path& own,
                 std::chrono::steady_clock::time_point end, std::error_code& error) {
  const std::filesystem::file_type type = std::filesystem::symlink_status(path, error).type();
  if (type == std::filesystem::file_type::directory) {
    for (std::filesystem::directory_iterator below(path, error);
         !error && below != std::filesystem::directory_iterator(); below.increment(error)) {
      if (std::chrono::steady_clock::now() >= end || !erase_until(below->path(), own, end, error)) return false;
    }
  }
  if (type == std::filesystem::file_type::regular) erase_versions(path, own);
  if (!error) std::filesystem::remove(path, error);
  return !error;
}

}  // namespace

Result<bool> erase_some(const std::filesystem::path& path, const std::filesystem::path& own, Duration limit) {
  std::error_code error;
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(limit.micros);
  const bool is_gone = erase_until(path, own, end, error);
  if (error) return fail_errno(error.value(), path.string());
  return is_gone;
}

Result<std::uint64_t> copy_some(int from, std::uint64_t at, int to, std::uint64_t most) {
  auto offset = static_cast<off_t>(at);
  const ssize_t copied = ::copy_file_range(from, &offset, to, nullptr, most, 0);
  if (copied >= 0) return static_cast<std::uint64_t>(copied);
  if (errno == EINTR) return copy_some(from, at, to, most);
  // The kernel copies within a file system alone, and not within each.
  if (errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS) return fail_errno(errno, "copying");
  std::array<char, 64 * 1024> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the read
  ssize_t count = 0;
  do {
    count = ::pread(from, bytes.data(), std::min<std::uint64_t>(bytes.size(), most), static_cast<off_t>(at));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return fail_errno(errno, "copying");
  for (ssize_t done = 0; done < count;) {
    const ssize_t written = ::write(to, bytes.data() + done, static_cast<std::size_t>(count - done));
    if (written < 0 && errno != EINTR) return fail_errno(errno, "copying");
    done += std::max<ssize_t>(written, 0);
  }
  return static_cast<std::uint64_t>(count);
}

Result<void> append_bytes(int from, int to, const std::string& name) {
  for (std::uint64_t at = 0;;) {
    const Result<std::uint64_t> copied = copy_some(from, at, to, kCopiedAtOnce);
    if (!copied) return fail(copied, name);
    if (*copied == 0) return {};
    at += *copied;
  }
}

int open_beneath_root(int root, const std::string& path, int flags, std::uint64_t also) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | also;
  for (;;) {
    const long opened = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (opened >= 0 || also != 0 || (errno != EINTR && errno != EAGAIN)) return static_cast<int>(opened);
  }
}

bool names_etag(std::string_view list, std::string_view etag) {
  return list == "*" || list.find(etag) != std::string_view::npos;
}

std::optional<Entry> entry_of(const struct stat& status, std::string name) {
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return std::nullopt;
  const bool is_file = S_ISREG(status.st_mode);
  Entry entry{.name = std::move(name), .kind = is_file ? Kind::kFile : Kind::kFolder, .modified = {}, .etag = {}};
  entry.bytes = is_file ? static_cast<std::uint64_t>(status.st_size) : 0;
  entry.modified = {status.st_mtim.tv_sec * 1'000 + status.st_mtim.tv_nsec / 1'000'000};
  entry.etag = fmt::format("\"{:x}-{:x}-{:x}{:08x}\"", status.st_ino, entry.bytes,
                           static_cast<std::uint64_t>(status.st_mtim.tv_sec), status.st_mtim.tv_nsec);
  return entry;
}

Result<void> for_each_name(int folder, const std::function<void(std::string)>& take) {
  return for_each_line(folder, [&](const dirent& found) { take(found.d_name); });
}

Result<void> for_each_of(int folder, const std::function<void(std::string, Kind)>& take) {
  return for_each_line(folder, [&](const dirent& found) {
    std::optional<Kind> kind;
    if (found.d_type == DT_REG) kind = Kind::kFile;
    if (found.d_type == DT_DIR) kind = Kind::kFolder;
    if (struct stat status{}; found.d_type == DT_UNKNOWN) {
      const bool is_there = ::fstatat(folder, found.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
      if (const std::optional<Entry> entry = is_there ? entry_of(status, "") : std::nullopt) kind = entry->kind;
    }
    if (kind && check_name(found.d_name)) take(found.d_name, *kind);
  });
}

std::string unique_name() {
  std::array<char, 16> random{};
  CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  return to_hex(std::string_view(random.data(), random.size()));
}

bool is_unique_name(std::string_view name) {
  return name.size() == 32 &&
         std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<void> check(const Condition& condition, const Entry* before) {
  if (!condition.if_match.empty() && (before == nullptr || !names_etag(condition.if_match, before->etag))) {
    return fail(Code::kFailedPrecondition, "it has changed since it was read");
  }
  if (!condition.if_none_match.empty() && before != nullptr && names_etag(condition.if_none_match, before->etag)) {
    return fail(Code::kFailedPrecondition, "there is a file of that name already");
  }
  return {};
}

bool has_etag(int file, std::string_view etag) {
  struct stat status{};
  const std::optional<Entry> entry = ::fstat(file, &status) == 0 ? entry_of(status, "") : std::nullopt;
  return entry && entry->etag == etag;
}

Result<std::string> read_part(int file, std::uint64_t offset, std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t filled = 0; filled < count;) {
    const ssize_t got = ::pread(file, bytes.data() + filled, count - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading a file of the drive");
    if (got == 0) return fail(Code::kAborted, "it has just become shorter");
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

bool hold_the_same(int one, int other) {
  std::array<struct stat, 2> status{};
  if (::fstat(one, status.data()) != 0 || ::fstat(other, &status[1]) != 0) return false;
  if (status[0].st_size != status[1].st_size) return false;
  const auto bytes = static_cast<std::uint64_t>(status[0].st_size);
  for (std::uint64_t at = 0; at < bytes; at += kHashedAtOnce) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kHashedAtOnce, bytes - at));
    const Result<std::string> piece = read_part(one, at, size);
    const Result<std::string> there = read_part(other, at, size);
    if (!piece || !there || *piece != *there) return false;
  }
  return true;
}

Result<std::string> hash_file(int file, const std::atomic<bool>& ended) {
  net::Sha256 hash;
  std::string buffer(kHashedAtOnce, '\0');
  for (off_t at = 0;;) {
    if (ended) return fail(Code::kCanceled, "whoever wanted a file's hash wants it no more");
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading a file of the drive");
    if (got == 0) return hash.finish();
    hash.update(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
    at += got;
  }
}

Result<std::string> attribute(int file, const char* name) {
  for (;;) {
    const ssize_t size = ::fgetxattr(file, name, nullptr, 0);
    if (size < 0 && (errno == ENODATA || errno == ENOTSUP)) return std::string();
    if (size < 0) return fail_errno(errno, "reading an extended attribute");
    std::string text(static_cast<std::size_t>(size), '\0');
    if (::fgetxattr(file, name, text.data(), text.size()) == size) return text;
    if (errno != ERANGE) return fail_errno(errno, "reading an extended attribute");
  }
}

bool set_modified(int file, WallTime modified) {
  const timespec at{.tv_sec = modified.unix_millis / 1'000, .tv_nsec = modified.unix_millis % 1'000 * 1'000'000};
  const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, at};
  return ::futimens(file, times.data()) == 0;
}

Result<Properties> read_properties(int file) {
  const Result<std::string> text = attribute(file, kPropertiesName);
  if (!text || text->empty()) return text ? Result<Properties>() : std::unexpected(text.error());
  const Result<std::vector<PropertyChange>> kept = parse_proppatch(*text);
  if (!kept) return fail(Code::kDataLoss, fmt::format("the attribute {} is damaged", kPropertiesName));
  Properties properties;
  for (const PropertyChange& property : *kept) properties[property.name] = property.xml;
  return properties;
}

Result<void> write_properties(int file, const Properties& properties) {
  if (properties.empty()) {
    if (::fremovexattr(file, kPropertiesName) == 0 || errno == ENODATA || errno == ENOTSUP) return {};
    return fail_errno(errno, "removing properties");
  }
  const std::string text = properties_xml(properties);
  if (properties.size() > kMaxProperties || text.size() > kMaxPropertiesBytes) {
    return fail(Code::kResourceExhausted, fmt::format("a file keeps {} properties, and {} bytes of them, at most",
                                                      kMaxProperties, kMaxPropertiesBytes));
  }
  if (::fsetxattr(file, kPropertiesName, text.data(), text.size(), 0) == 0) {
    return ::fsync(file) == 0 ? Result<void>() : fail_errno(errno, "keeping properties");
  }
  if (errno == ENOTSUP) return fail(Code::kUnimplemented, "the drive's file system keeps no properties (user.*)");
  if (errno == E2BIG || errno == ENOSPC || errno == ERANGE) {
    return fail(Code::kResourceExhausted,
                fmt::format("{} bytes of properties are more than the drive's file system keeps", text.size()));
  }
  return fail_errno(errno, "keeping properties");
}

bool copy_properties(int from, int to) {
  const Result<std::string> text = attribute(from, kPropertiesName);
  if (!text || text->empty()) return false;
  ::fsetxattr(to, kPropertiesName, text->data(), text->size(), 0);
  return true;
}

Result<void> copy_tree(int from_folder, const std::string& from, int to_folder, const std::string& to, bool deep) {
  struct stat status{};
  if (::fstatat(from_folder, from.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, "copying " + from);
  }
  if (S_ISDIR(status.st_mode)) return copy_folder(from_folder, from, to_folder, to, deep);
  if (S_ISREG(status.st_mode)) return copy_file(from_folder, from, to_folder, to);
  return {};
}

std::uint64_t tree_bytes(int folder, const std::string& name) {
  struct stat status{};
  if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  if (!S_ISDIR(status.st_mode)) return 0;
  const Fd inner(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  std::uint64_t bytes = 0;
  if (inner.get() >= 0) {
    (void)for_each_name(inner.get(), [&](const std::string& below) { bytes += tree_bytes(inner.get(), below); });
  }
  return bytes;
}

}  // namespace hearth::drive
