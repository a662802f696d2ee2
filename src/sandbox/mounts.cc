#include "sandbox/mounts.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/entries.h"
#include "base/log.h"
#include "sandbox/fd.h"
#include "sandbox/full_network.h"

namespace hearth::sandbox {
namespace {

constexpr uid_t kNobody = 65534;
constexpr std::array kMountPoints = {"/proc", "/sys",     "/dev",        "/tmp",      "/job",
                                     "/run",  "/run/gpu", "/run/hearth", "/workspace"};

int count_threads() {
  std::string status = read_text("/proc/self/status");
  std::size_t at = status.find("\nThreads:");
  return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + std::strlen("\nThreads:"));
}

// The thread sanitizer keeps a thread of its own.
constexpr int expected_threads() {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return 2;
#endif
#endif
  return 1;
}

// What on this machine keeps ordinary users from namespaces, and how to allow them.
std::string user_namespace_remedy() {
  auto holds = [](const char* file, char value) {
    std::string text = read_text(file);
    return !text.empty() && text[0] == value && (text.size() == 1 || text[1] == '\n');
  };
  if (holds("/proc/sys/kernel/unprivileged_userns_clone", '0')) {
    return "allow them with: sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (holds("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1')) {
    return "allow them with: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (holds("/proc/sys/user/max_user_namespaces", '0')) {
    return "allow them with: sysctl -w user.max_user_namespaces=10000";
  }
  return "inside a container, start it so that user namespaces are allowed (docker: --security-opt seccomp=unconfined)";
}

Result<void> write_id_maps(uid_t uid, gid_t gid) {
  Result<void> done = write_text("/proc/self/setgroups", "deny");
  if (done) done = write_text("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1");
  if (done) done = write_text("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
  return done;
}

Result<void> copy_entry(const std::filesystem::path& from, const std::filesystem::path& to) {
  struct stat info{};
  if (::lstat(from.c_str(), &info) != 0) return {};
  std::error_code error;
  if (S_ISLNK(info.st_mode)) {
    std::filesystem::copy_symlink(from, to, error);
  } else if (S_ISDIR(info.st_mode)) {
    std::filesystem::create_directory(to, error);
    std::filesystem::permissions(to, std::filesystem::perms(0755), error);
    for (const auto& entry : Entries(from, error)) {
      Result<void> done = copy_entry(entry.path(), to / entry.path().filename());
      if (!done) return done;
    }
  } else if (S_ISREG(info.st_mode) && (info.st_mode & S_IROTH) != 0) {
    // What only some may read is no business of guests.
    std::filesystem::copy_file(from, to, error);
    std::filesystem::permissions(to, std::filesystem::perms(0444), error);
  }
  if (error == std::errc::no_space_on_device) return fail(Code::kResourceExhausted, from.string() + " is too large");
  return {};
}

Result<void> make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0 || ::chmod(path.c_str(), mode) != 0) return fail_errno(errno, "making " + path);
  return {};
}

// Shows a directory of the host in the guests' root, or repeats the symbolic link that it is.
Result<void> show_host_directory(const std::string& root, const std::string& name) {
  struct stat info{};
  if (::lstat(name.c_str(), &info) != 0) return {};
  if (S_ISLNK(info.st_mode)) return copy_entry(name, root + name);
  Result<void> made = make_directory(root + name, 0755);
  if (!made) return made;
  if (::mount(name.c_str(), (root + name).c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return fail_errno(errno, "showing " + name);
  }
  return {};
}

Result<void> fill_etc(const std::string& etc) {
  constexpr std::array kShown = {"ld.so.cache", "alternatives", "fonts",         "ssl/certs",     "localtime",
                                 "mime.types",  "povray",       "ImageMagick-6", "ImageMagick-7", "python3"};
  Result<void> made = make_directory(etc, 0755);
  if (made) made = make_directory(etc + "/ssl", 0755);
  for (const char* name : kShown) {
    if (made) made = copy_entry(std::string("/etc/") + name, etc + "/" + name);
  }
  std::error_code error;
  for (const auto& entry : Entries("/etc", error)) {
    std::string name = entry.path().filename();
    if (made && name.starts_with("python3.")) made = copy_entry(entry.path(), std::filesystem::path(etc) / name);
  }
  if (made) {
    made = make_file(etc + "/passwd", "root:x:0:0:root:/nonexistent:/bin/false\njob:x:65534:65534:job:/job:/bin/sh\n");
  }
  if (made) made = make_file(etc + "/group", "root:x:0:\njob:x:65534:\n");
  if (made) made = make_file(etc + "/hosts", "127.0.0.1 localhost job\n::1 localhost job\n");
  if (made) made = make_file(etc + "/resolv.conf", std::string("nameserver ") + kNameServer + "\n");
  if (made) made = make_file(etc + "/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  return made;
}

}  // namespace

Result<GuestUser> enter_private_namespace() {
  if (count_threads() > expected_threads()) {
    return fail(Code::kFailedPrecondition, "the sandbox must be set up before the process starts threads");
  }
  uid_t uid = ::geteuid();
  gid_t gid = ::getegid();
  GuestUser user{.drop = false, .uid = uid, .gid = gid};
  if (uid == 0 && ::unshare(CLONE_NEWNS) == 0) {
    user = {.drop = true, .uid = kNobody, .gid = kNobody};
  } else {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return fail(Code::kFailedPrecondition, std::string("this machine gives no user namespaces (") +
                                                 std::strerror(errno) + "); " + user_namespace_remedy());
    }
    Result<void> mapped = write_id_maps(uid, gid);
    if (!mapped) return fail(Code::kFailedPrecondition, mapped.error().message + "; " + user_namespace_remedy());
  }
  // Mounts of the host still arrive here, and so does their end: nobody's stick stays busy because of us.
  if (::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    if (errno == EINVAL) {
      return fail(Code::kFailedPrecondition,
                  "the root directory is no mount point (a bare chroot), so tasks' mounts cannot be kept apart; "
                  "outside of it, before entering: mount --bind ROOT ROOT");
    }
    return fail_errno(errno, "separating this process's mounts from the host's");
  }
  return user;
}

Result<std::string> choose_place(const std::filesystem::path& state_directory, const GuestUser& user) {
  if (!user.drop) {
    std::string place = state_directory / "run";
    if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + place);
    return place;
  }
  for (const char* candidate : {"/boot", "/srv", "/media", "/mnt"}) {
    struct stat info{};
    bool fits = ::lstat(candidate, &info) == 0 && S_ISDIR(info.st_mode);
    if (fits && !(state_directory.string() + "/").starts_with(std::string(candidate) + "/")) return candidate;
  }
  return fail(Code::kFailedPrecondition,
              "the sandbox needs one of the directories /boot, /srv, /media and /mnt to "
              "exist (they may be empty); make one with: mkdir /srv");
}

Result<void> mount_tmpfs(const std::string& where, const Tmpfs& what) {
  std::array<char, 32> mode{};
  std::snprintf(mode.data(), mode.size(), "%o", what.mode);
  std::string options = "size=" + std::to_string(what.bytes) + ",nr_inodes=" + std::to_string(what.files) +
                        ",mode=" + mode.data() + ",uid=" + std::to_string(what.owner.uid) +
                        ",gid=" + std::to_string(what.owner.gid);
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV;
  if (::mount("hearth", where.c_str(), "tmpfs", kFlags, (options + ",noswap").c_str()) == 0) return {};
  if (::mount("hearth", where.c_str(), "tmpfs", kFlags, options.c_str()) == 0) return {};
  return fail_errno(errno, "mounting a tmpfs on " + where);
}

Result<void> unmount(const std::string& where) {
  if (::umount2(where.c_str(), MNT_DETACH) != 0) return fail_errno(errno, "unmounting " + where);
  return {};
}

Result<std::unique_ptr<Mount>> Mount::make(const std::filesystem::path& where, const Tmpfs& what) {
  if (::mkdir(where.c_str(), 0700) != 0) return fail_errno(errno, "making " + where.string());
  Result<void> mounted = mount_tmpfs(where, what);
  if (mounted) return std::make_unique<Mount>(where);
  ::rmdir(where.c_str());
  return std::unexpected(mounted.error());
}

Mount::~Mount() {
  if (!owned_) return;
  if (Result<void> gone = unmount(where_); !gone) log_error("a sandbox's files remain: " + gone.error().message);
  if (::rmdir(where_.c_str()) != 0) log_error("a sandbox's directory remains: " + where_.string());
}

Result<void> build_root(const std::string& root) {
  Result<void> done = make_directory(root, 0755);
  for (const char* name : kMountPoints) {
    if (done) done = make_directory(root + name, 0755);
  }
  if (done) done = make_directory(root + "/var", 0755);
  if (done && ::symlink("../tmp", (root + "/var/tmp").c_str()) != 0) done = fail_errno(errno, "linking /var/tmp");
  for (const char* name : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    if (done) done = show_host_directory(root, name);
  }
  if (done) done = fill_etc(root + "/etc");
  return done;
}

Result<void> show_directory(const std::filesystem::path& source, const std::string& where, const GuestUser* owner) {
  const std::string what = "showing " + source.string();
  Fd directory(::open(source.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory && (errno == ENOTDIR || errno == ELOOP)) return fail(Code::kInvalidArgument, what + ": no directory");
  if (!directory) return fail_errno(errno, what);
  if (owner != nullptr && owner->drop && ::fchown(directory.get(), owner->uid, owner->gid) != 0) {
    return fail_errno(errno, what);
  }
  Fd tree(static_cast<int>(
      ::syscall(SYS_open_tree, directory.get(), "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE)));
  if (!tree) return fail_errno(errno, what);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (owner == nullptr ? MOUNT_ATTR_RDONLY : 0U);
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
    return fail_errno(errno, what);
  }
  if (Result<void> made = make_directory(where, 0700); !made) return made;
  if (::syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, where.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0) return {};
  const int error = errno;
  ::rmdir(where.c_str());
  return fail_errno(error, what);
}

Result<void> unshow_directory(const std::string& where) {
  Result<void> gone = unmount(where);
  if (gone && ::rmdir(where.c_str()) != 0) gone = fail_errno(errno, "removing " + where);
  return gone;
}

Result<void> bind_file(const std::filesystem::path& source, int destination) {
  std::string what = "showing " + source.string();
  Fd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW)));
  if (!tree) return fail_errno(errno, what);
  struct stat info{};
  if (::fstat(tree.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return fail(Code::kInvalidArgument, what + ": it is no regular file");
  }
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    return fail_errno(errno, what);
  }
  constexpr unsigned kBothByDescriptor = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (::syscall(SYS_move_mount, tree.get(), "", destination, "", kBothByDescriptor) != 0)
    return fail_errno(errno, what);
  return {};
}

}  // namespace hearth::sandbox
