// Becoming somebody who may.
#include <cerrno>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

constexpr uid_t kNobody = 65534;

int become_root(const World& /*world*/) { return outcome_of(::setresuid(0, 0, 0)); }
int join_roots_group(const World& /*world*/) { return outcome_of(::setresgid(0, 0, 0)); }

int join_groups(const World& /*world*/) {
  const gid_t group = 0;
  return outcome_of(::setgroups(1, &group));
}

uid_t effective_user(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("Uid:")) continue;
    std::istringstream numbers(line.substr(4));
    uid_t real = kNobody;
    uid_t effective = kNobody;
    numbers >> real >> effective;
    return effective;
  }
  return kNobody;
}

// A program that runs as its owner, root: whose was it when it had ended? It does, as it has no terminal.
int run_set_user_id_program(const World& /*world*/) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int stream = 0; stream < 3; ++stream) ::close(stream);
    if (::getuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(errno);
    ::execl("/usr/bin/su", "su", nullptr);
    ::_exit(errno);
  }
  siginfo_t end{};
  if (child < 0 || ::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT) != 0) return errno;
  const bool root = effective_user(child) == 0;
  ::waitpid(child, nullptr, 0);
  return root ? 0 : EPERM;
}

int raise_capabilities(const World& /*world*/) {
  __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct wanted[2] = {};
  wanted[0].effective = wanted[0].permitted = 1U << CAP_SYS_ADMIN;
  return outcome_of(::syscall(SYS_capset, &head, wanted));
}

int keep_capabilities(const World& /*world*/) { return outcome_of(::prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS)); }

int new_file() { return ::open("mine", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700); }

int give_file_capabilities(const World& /*world*/) {
  const int file = new_file();
  vfs_cap_data value{};
  value.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  value.data[0].permitted = 1U << CAP_SYS_ADMIN;
  const int given = outcome_of(::fsetxattr(file, "security.capability", &value, sizeof value, 0));
  ::unlink("mine");
  return given;
}

int give_file_to_root(const World& /*world*/) {
  const int file = new_file();
  const int given = file < 0 ? errno : outcome_of(::fchown(file, 0, 0));
  ::unlink("mine");
  return given;
}

int raise_limit(const World& /*world*/) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
  ++limit.rlim_max;
  return outcome_of(::setrlimit(RLIMIT_NOFILE, &limit));
}

constexpr Entry kEntries[] = {
    {"become_root", become_root},
    {"join_roots_group", join_roots_group},
    {"join_groups", join_groups},
    {"run_set_user_id_program", run_set_user_id_program},
    {"raise_capabilities", raise_capabilities},
    {"keep_capabilities", keep_capabilities},
    {"give_file_capabilities", give_file_capabilities},
    {"give_file_to_root", give_file_to_root},
    {"raise_limit", raise_limit},
};

}  // namespace

const Class kPrivileges = {"privileges", kEntries};

}  // namespace hearth::attacks
