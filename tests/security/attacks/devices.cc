// The PC's devices, and terminals that others type into.
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

int open_first(std::initializer_list<const char*> paths, int flags) {
  int refusal = ENOENT;
  for (const char* path : paths) {
    refusal = open_only(path, flags);
    if (refusal == 0) return 0;
  }
  return refusal;
}

int open_disk(const World& /*world*/) {
  return open_first({"/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/xvda", "/dev/mmcblk0", "/dev/dm-0"}, O_RDONLY);
}
int open_kernel_messages(const World& /*world*/) { return open_only("/dev/kmsg", O_WRONLY); }
int open_memory(const World& /*world*/) { return open_first({"/dev/mem", "/dev/kmem", "/dev/port"}, O_RDONLY); }
int open_virtual_machines(const World& /*world*/) { return open_only("/dev/kvm", O_RDWR); }
int open_fuse(const World& /*world*/) { return open_only("/dev/fuse", O_RDWR); }
int open_tunnel(const World& /*world*/) { return open_only("/dev/net/tun", O_RDWR); }
int open_loop_control(const World& /*world*/) { return open_only("/dev/loop-control", O_RDWR); }
int open_console(const World& /*world*/) { return open_first({"/dev/tty1", "/dev/tty0", "/dev/console"}, O_RDWR); }
int open_input(const World& /*world*/) { return open_first({"/dev/uinput", "/dev/input/event0"}, O_RDONLY); }

int make_device(mode_t kind, dev_t number) {
  ::unlink("device");
  if (::mknod("device", kind | 0600, number) != 0) return errno;
  const int opened = open_only("device", O_RDONLY);
  ::unlink("device");
  return opened;
}

int make_disk(const World& /*world*/) {
  struct stat root{};
  if (::stat("/", &root) != 0) return errno;
  return make_device(S_IFBLK, root.st_dev);
}

int make_character_device(const World& /*world*/) { return make_device(S_IFCHR, ::makedev(1, 3)); }

// A terminal of one's own, which becomes that of a new session.
int own_terminal() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return -1;
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0 || ::setsid() < 0 || ::ioctl(slave, TIOCSCTTY, 0) != 0) return -1;
  return slave;
}

// The kernel looks at the low half of the number alone.
int push_input(unsigned long number) {
  const int terminal = own_terminal();
  if (terminal < 0) return errno;
  const char letter = 'x';
  return outcome_of(::syscall(SYS_ioctl, terminal, number, &letter));
}

int push_input_to_terminal(const World& /*world*/) { return push_input(TIOCSTI); }
int push_input_by_another_number(const World& /*world*/) { return push_input(TIOCSTI | 1UL << 32); }

int paste_on_console(const World& /*world*/) {
  int terminal = ::open("/dev/tty1", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) terminal = own_terminal();
  if (terminal < 0) return errno;
  char order = 6;  // only asks for the shift keys
  return outcome_of(::ioctl(terminal, TIOCLINUX, &order));
}

constexpr Entry kEntries[] = {
    {"open_disk", open_disk},
    {"open_kernel_messages", open_kernel_messages},
    {"open_memory", open_memory},
    {"open_virtual_machines", open_virtual_machines},
    {"open_fuse", open_fuse},
    {"open_tunnel", open_tunnel},
    {"open_loop_control", open_loop_control},
    {"open_console", open_console},
    {"open_input", open_input},
    {"make_disk", make_disk},
    {"make_character_device", make_character_device},
    {"push_input_to_terminal", push_input_to_terminal},
    {"push_input_by_another_number", push_input_by_another_number},
    {"paste_on_console", paste_on_console},
};

}  // namespace

const Class kDevices = {"devices", kEntries};

}  // namespace hearth::attacks
