#include "sandbox/fd.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hearth::sandbox {
namespace {

Result<void> write_all(const Fd& file, std::string_view content, const std::string& what) {
  while (!content.empty()) {
    ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0) return fail_errno(errno, what);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Result<Pipe> make_pipe(int flags) {
  int ends[2];
  if (::pipe2(ends, flags) != 0) return fail_errno(errno, "making a pipe");
  return Pipe{.read_end = Fd(ends[0]), .write_end = Fd(ends[1])};
}

bool has_ended(const Fd& process) {
  pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, 0) > 0;
}

std::string read_text(const std::string& path, std::size_t limit) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char piece[4096];
  while (file && text.size() < limit) {
    ssize_t count = ::read(file.get(), piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(piece, static_cast<std::size_t>(count));
  }
  return text;
}

Result<void> write_text(const std::string& path, std::string_view text) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "opening " + path);
  ssize_t count = 0;
  do {
    count = ::write(file.get(), text.data(), text.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return fail_errno(errno, "writing " + path);
  return {};
}

Result<void> make_file(const std::string& path, std::string_view content, unsigned mode) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file || ::fchmod(file.get(), mode) != 0) return fail_errno(errno, "writing " + path);
  return write_all(file, content, "writing " + path);
}

Result<Fd> memory_file(std::string_view content) {
  Fd file(::memfd_create("hearth", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "making a memory file");
  if (Result<void> done = write_all(file, content, "writing a memory file"); !done) {
    return std::unexpected(done.error());
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "reading a memory file");
  return file;
}

namespace {

int open_patiently(int directory, const std::string& path, open_how how) {
  for (int attempt = 0;; ++attempt) {
    long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed while the kernel walked.
    if (fd >= 0 || errno != EAGAIN || attempt == 100) return static_cast<int>(fd);
  }
}

}  // namespace

int open_beneath(int directory, const std::string& path, int flags, unsigned mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return open_patiently(directory, path, how);
}

int open_beneath_by_links(int directory, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return open_patiently(directory, path, how);
}

}  // namespace hearth::sandbox
