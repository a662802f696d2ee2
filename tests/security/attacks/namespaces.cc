// Namespaces and mounts: the kernel's ways to another view of the PC, and to more of its code.
#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

template <int kFlag>
int unshare_one(const World& /*world*/) {
  return outcome_of(::unshare(kFlag));
}

// The child of a raw clone does nothing but end.
int ended(long child) {
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, __WALL);
  return outcome_of(child);
}

int clone_user(const World& /*world*/) {
  return ended(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

int clone3_user(const World& /*world*/) {
  clone_args order{};
  order.flags = CLONE_NEWUSER;
  order.exit_signal = SIGCHLD;
  return ended(::syscall(SYS_clone3, &order, sizeof order));
}

int enter_others_mounts(const World& world) {
  int space = ::open(("/proc/" + std::to_string(world.victim) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC);
  if (space < 0) space = ::open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (space < 0) space = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (space < 0) return errno;
  return outcome_of(::setns(space, CLONE_NEWNS));
}

int enter_others_by_pidfd(const World& world) {
  int other = static_cast<int>(::syscall(SYS_pidfd_open, world.victim, 0));
  if (other < 0) other = static_cast<int>(::syscall(SYS_pidfd_open, 1, 0));
  if (other < 0) return errno;
  return outcome_of(::setns(other, CLONE_NEWNS | CLONE_NEWUTS));
}

// All mounts below are made in a directory of the attack's own, in the mount namespace that its control gets.
const char* mount_point() {
  ::mkdir("point", 0700);
  return "point";
}

int mount_memory(const World& /*world*/) { return outcome_of(::mount("x", mount_point(), "tmpfs", 0, nullptr)); }
int mount_proc(const World& /*world*/) { return outcome_of(::mount("x", mount_point(), "proc", 0, nullptr)); }
int mount_sys(const World& /*world*/) { return outcome_of(::mount("x", mount_point(), "sysfs", 0, nullptr)); }
int mount_devices(const World& /*world*/) { return outcome_of(::mount("x", mount_point(), "devtmpfs", 0, nullptr)); }
int bind_root(const World& /*world*/) {
  return outcome_of(::mount("/", mount_point(), nullptr, MS_BIND | MS_REC, nullptr));
}
int overlay_root(const World& /*world*/) {
  return outcome_of(::mount("x", mount_point(), "overlay", 0, "lowerdir=/usr:/etc"));
}

int make_programs_writable(const World& /*world*/) {
  const int bound = outcome_of(::mount("/usr", "/usr", nullptr, MS_BIND, nullptr));
  const int remounted = outcome_of(::mount(nullptr, "/usr", nullptr, MS_REMOUNT | MS_BIND, nullptr));
  return remounted == 0 ? 0 : bound != 0 ? bound : remounted;
}

// Takes nothing away: what is in use is only told to be so.
int unmount_proc(const World& /*world*/) {
  const int answer = outcome_of(::umount2("/proc", MNT_EXPIRE));
  return answer == EBUSY || answer == EAGAIN ? 0 : answer;
}

int change_propagation(const World& /*world*/) {
  return outcome_of(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

int mount_by_new_calls(const World& /*world*/) { return outcome_of(::syscall(SYS_fsopen, "tmpfs", 0)); }

int clone_tree_of_mounts(const World& /*world*/) {
  return outcome_of(::syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE));
}

int move_tree_of_mounts(const World& /*world*/) {
  return outcome_of(::syscall(SYS_move_mount, -1, "", -1, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
                    EBADF);
}

int change_attributes_of_mounts(const World& /*world*/) {
  mount_attr order{};
  order.attr_clr = MOUNT_ATTR_RDONLY;
  return outcome_of(::syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &order, sizeof order));
}

int change_root(const World& /*world*/) { return outcome_of(::chroot("/")); }

int pivot(const World& /*world*/) { return outcome_of(::syscall(SYS_pivot_root, "/nowhere", "/nowhere"), ENOENT); }

constexpr Entry kEntries[] = {
    {"unshare_user", unshare_one<CLONE_NEWUSER>},
    {"unshare_mounts", unshare_one<CLONE_NEWNS>},
    {"unshare_processes", unshare_one<CLONE_NEWPID>},
    {"unshare_network", unshare_one<CLONE_NEWNET>},
    {"unshare_ipc", unshare_one<CLONE_NEWIPC>},
    {"unshare_names", unshare_one<CLONE_NEWUTS>},
    {"unshare_control_groups", unshare_one<CLONE_NEWCGROUP>},
    {"unshare_time", unshare_one<CLONE_NEWTIME>},
    {"clone_user", clone_user},
    {"clone3_user", clone3_user},
    {"enter_others_mounts", enter_others_mounts},
    {"enter_others_by_pidfd", enter_others_by_pidfd},
    {"mount_memory", mount_memory},
    {"mount_proc", mount_proc},
    {"mount_sys", mount_sys},
    {"mount_devices", mount_devices},
    {"bind_root", bind_root},
    {"overlay_root", overlay_root},
    {"make_programs_writable", make_programs_writable},
    {"unmount_proc", unmount_proc},
    {"change_propagation", change_propagation},
    {"mount_by_new_calls", mount_by_new_calls},
    {"clone_tree_of_mounts", clone_tree_of_mounts},
    {"move_tree_of_mounts", move_tree_of_mounts},
    {"change_attributes_of_mounts", change_attributes_of_mounts},
    {"change_root", change_root},
    {"pivot", pivot},
};

}  // namespace

const Class kNamespaces = {"namespaces", kEntries};

}  // namespace hearth::attacks
