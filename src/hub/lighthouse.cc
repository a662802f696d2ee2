#include "hub/lighthouse.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hearth::hub {
namespace {

constexpr std::array kPlaces = {"/usr/bin/nebula", "/usr/local/bin/nebula", "/usr/sbin/nebula"};
constexpr uid_t kNobody = 65534;
constexpr int kConfigFd = 3;

const char* find_nebula() {
  for (const char* place : kPlaces) {
    if (::access(place, X_OK) == 0) return place;
  }
  return nullptr;
}

// The child of a process with threads: system calls alone. It is spoken to by anybody who has a certificate of its
// network, and needs nothing of root's.
[[noreturn]] void become_nebula(const char* program, int config, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int quiet = ::open("/dev/null", O_RDWR);
  bool done = quiet >= 0 && ::dup2(config, kConfigFd) == kConfigFd;
  for (int fd = 0; fd < kConfigFd; ++fd) done = done && ::dup2(quiet, fd) == fd;
  done = done && ::syscall(SYS_close_range, kConfigFd + 1, ~0U, 0) == 0;
  if (done && ::geteuid() == 0) {
    done = ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
           ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0;
  }
  done = done && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent;
  const char* const argv[] = {"nebula", "-config", "/proc/self/fd/3", nullptr};
  const char* const variables[] = {nullptr};
  if (done) ::execve(program, const_cast<char* const*>(argv), const_cast<char* const*>(variables));
  ::_exit(127);
}

}  // namespace

std::string lighthouse_lack() {
  if (find_nebula() != nullptr) return "";
  return "the network of a gang needs nebula on the hub's PC: apt install nebula";
}

Result<std::uint16_t> free_udp_port() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_ANY)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  const bool done = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!done) return fail_errno(error, "looking for a free UDP port");
  return ntohs(address.sin_port);
}

Result<Lighthouse> Lighthouse::start(const std::string& config) {
  const char* program = find_nebula();
  if (program == nullptr) return fail(Code::kFailedPrecondition, lighthouse_lack());
  const int file = ::memfd_create("nebula", MFD_CLOEXEC);
  if (file < 0 || ::write(file, config.data(), config.size()) != static_cast<ssize_t>(config.size())) {
    const int error = errno;
    if (file >= 0) ::close(file);
    return fail_errno(error, "writing nebula's configuration");
  }
  ::lseek(file, 0, SEEK_SET);
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) become_nebula(program, file, parent);
  const int error = errno;
  ::close(file);
  if (process < 0) return fail_errno(error, "starting nebula");
  return Lighthouse(process);
}

Lighthouse::~Lighthouse() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

bool Lighthouse::has_ended() {
  if (process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) == process_) process_ = -1;
  return process_ <= 0;
}

}  // namespace hearth::hub
