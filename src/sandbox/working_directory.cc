#include "sandbox/working_directory.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kMaxFiles = 500'000;

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Result<std::unique_ptr<WorkingDirectory>> WorkingDirectory::make(const std::filesystem::path& path, std::uint64_t bytes,
                                                                 const GuestUser& user) {
  Result<std::unique_ptr<Mount>> mount =
      Mount::make(path, {.bytes = bytes, .files = kMaxFiles, .mode = 0700, .owner = user});
  if (!mount) return std::unexpected(mount.error());
  return at(std::move(*mount), user);
}

Result<std::unique_ptr<WorkingDirectory>> WorkingDirectory::show(const std::filesystem::path& path,
                                                                 const std::filesystem::path& source,
                                                                 const GuestUser& user) {
  if (Result<void> shown = show_directory(source, path, &user); !shown) return std::unexpected(shown.error());
  return at(std::make_unique<Mount>(path), user);
}

Result<std::unique_ptr<WorkingDirectory>> WorkingDirectory::at(std::unique_ptr<Mount> mount, const GuestUser& user) {
  Fd fd(::open(mount->where().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "opening " + mount->where().string());
  return std::make_unique<WorkingDirectory>(std::move(mount), std::move(fd), user);
}

WorkingDirectory::WorkingDirectory(std::unique_ptr<Mount> mount, Fd fd, const GuestUser& user)
    : mount_(std::move(mount)), fd_(std::move(fd)), user_(user) {}

Result<void> WorkingDirectory::own(int file, unsigned mode) const {
  bool done = !user_.drop || ::fchown(file, user_.uid, user_.gid) == 0;
  if (!done || ::fchmod(file, mode) != 0) return fail_errno(errno, "handing a file to the sandbox");
  return {};
}

// The directory that is to hold the last part of the path.
Result<Fd> WorkingDirectory::make_parents(const std::string& path) {
  Fd at(::dup(fd_.get()));
  std::size_t from = 0;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', from)) {
    std::string part = path.substr(from, slash - from);
    from = slash + 1;
    bool made = ::mkdirat(at.get(), part.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return fail_errno(errno, "making the folder of " + path);
    Fd next(open_beneath(at.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!next) return fail_errno(errno, "making the folder of " + path);
    if (made) {
      Result<void> owned = own(next.get(), 0755);
      if (!owned) return std::unexpected(owned.error());
    }
    at = std::move(next);
  }
  return at;
}

Result<Fd> WorkingDirectory::make_file(const std::string& path, bool executable) {
  Result<Fd> parent = make_parents(path);
  if (!parent) return std::unexpected(parent.error());
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd file(::openat(parent->get(), last_part(path).c_str(), kFlags, 0600));
  if (!file) return fail_errno(errno, "making the file " + path);
  Result<void> owned = own(file.get(), executable ? 0755 : 0644);
  if (!owned) return std::unexpected(owned.error());
  return file;
}

Result<int> WorkingDirectory::create_file(std::string_view path, bool executable) {
  if (!is_safe_relative_path(path)) return fail(Code::kInvalidArgument, "an input has a name that is not allowed");
  std::string name(path);
  Result<Fd> file = make_file(name, executable);
  if (!file) return std::unexpected(file.error());
  inputs_.emplace(std::move(name), InputState{});
  return file->release();
}

Result<void> WorkingDirectory::show_file(const BoundFile& bound) {
  Result<int> mount_point = create_file(bound.path, false);
  if (!mount_point) return std::unexpected(mount_point.error());
  Fd file(*mount_point);
  return bind_file(bound.source, file.get());
}

Result<void> WorkingDirectory::note_inputs() {
  for (auto& [path, state] : inputs_) {
    Fd file(open_beneath(fd_.get(), path, O_PATH | O_NOFOLLOW));
    struct stat info{};
    if (!file || ::fstat(file.get(), &info) != 0) return fail_errno(errno, "looking at the input " + path);
    state = state_of(info);
  }
  return {};
}

// A file that was shown in place is a mount point, which unlink() would refuse.
void WorkingDirectory::remove_file(std::string_view path) {
  if (!is_safe_relative_path(path)) return;
  std::string name(path);
  std::size_t slash = name.rfind('/');
  Fd parent(open_beneath(fd_.get(), slash == std::string::npos ? "." : name.substr(0, slash), O_RDONLY | O_DIRECTORY));
  if (!parent) return;
  static_cast<void>(unmount((this->path() / name).string()));
  ::unlinkat(parent.get(), last_part(name).c_str(), 0);
}

Result<int> WorkingDirectory::replace_file(std::string_view path, bool executable) {
  if (!is_safe_relative_path(path)) return fail(Code::kInvalidArgument, "an output has a name that is not allowed");
  remove_file(path);
  Result<Fd> file = make_file(std::string(path), executable);
  if (!file) return std::unexpected(file.error());
  return file->release();
}

Result<std::vector<Output>> WorkingDirectory::collect(const std::vector<std::string>& patterns,
                                                      const CollectLimits& limits) const {
  return collect_outputs(fd_.get(), patterns, limits, inputs_);
}

}  // namespace hearth::sandbox
