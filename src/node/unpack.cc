#include "node/unpack.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <future>
#include <mutex>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "sandbox/fd.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook{500};
constexpr std::size_t kMaxSaid = 512;
// Each after what it lies in, so that none is made through a link.
constexpr std::array kMountPoints = {"proc", "sys", "dev", "tmp", "job", "workspace", "run", "run/gpu", "run/hearth"};
// unsquashfs's exit code for what it could not make but went on after: devices, as it is no superuser.
constexpr int kSomeLeftOut = 2;

// What unsquashfs says and how it ends, told by a thread of the sandbox's.
struct Run {
  std::mutex mutex;
  std::string said;  // under mutex
  std::promise<sandbox::Exit> exit;

  void append(std::string_view text) {
    const std::lock_guard lock(mutex);
    said.append(text.substr(0, kMaxSaid - std::min(kMaxSaid, said.size())));
  }
};

Result<void> judge(const sandbox::Exit& exit, const std::string& said) {
  if (!exit.started) {
    return fail(Code::kFailedPrecondition,
                "the environment cannot be unpacked (" + exit.message + "); on that node: apt install squashfs-tools");
  }
  if (said.contains("No space left")) return fail(Code::kResourceExhausted, "the node's disk is full");
  if (exit.exit_code == 0 || exit.exit_code == kSomeLeftOut) return {};
  return fail(Code::kInvalidArgument, "the environment's image cannot be unpacked: " + said);
}

Result<void> fail_slow(Duration limit) {
  return fail(
      Code::kDeadlineExceeded,
      fmt::format("the environment's image was not unpacked within {} min: make it smaller, or of a format that "
                  "takes less time (mksquashfs -comp zstd)",
                  limit.micros / minutes(1).micros));
}

Result<void> check_running(const fs::path& directory, const sandbox::TreeSize& most, const std::atomic<bool>& ending) {
  if (ending) return fail(Code::kCanceled, "the node ends");
  const Result<sandbox::TreeSize> now = sandbox::measure_tree(directory);
  const bool is_too_large = now ? now->bytes > most.bytes || now->files > most.files
                                : now.error().code == Code::kResourceExhausted;  // too deep to look at
  if (!is_too_large) return {};
  return fail(Code::kResourceExhausted, "unpacked, the environment is larger than the " + format_bytes(most.bytes) +
                                            " that this node's owner leaves for it (hearth limit --disk)");
}

Result<void> run_unsquashfs(sandbox::Host& host, const fs::path& image, const fs::path& directory,
                            const sandbox::TreeSize& most, Duration limit, const std::atomic<bool>& ending) {
  static std::atomic<unsigned> serial = 0;
  Result<std::unique_ptr<sandbox::Sandbox>> box = host.prepare(
      "unpack-" + std::to_string(++serial), {.cores = 2, .memory_bytes = 1ULL << 30, .scratch_bytes = 1 << 20},
      {.root = {}, .image = {}, .workspace = directory});
  if (!box) return std::unexpected(box.error());
  const sandbox::Command command{
      .argv = {"unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-processors", "2", "-data-queue", "64",
               "-frag-queue", "64", "-dest", "/workspace/root", "image.squashfs"},
      .variables = {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"}},
      .bound_files = {{.source = image, .path = "image.squashfs"}},
      .gpus = {}};
  const auto run = std::make_shared<Run>();
  std::future<sandbox::Exit> exit = run->exit.get_future();
  Result<void> started = (*box)->start(
      command, [run](sandbox::Stream, std::string_view text) { run->append(text); },
      [run](const sandbox::Exit& how) { run->exit.set_value(how); });
  if (!started) return started;
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(limit.micros);
  const auto next_look = [&] { return std::min(end, std::chrono::steady_clock::now() + kLook); };
  while (exit.wait_until(next_look()) != std::future_status::ready) {
    const Result<void> may_go_on =
        std::chrono::steady_clock::now() >= end ? fail_slow(limit) : check_running(directory, most, ending);
    if (may_go_on) continue;
    (*box)->kill();
    exit.wait();
    return may_go_on;
  }
  const sandbox::Exit how = exit.get();
  const std::lock_guard lock(run->mutex);
  return judge(how, run->said);
}

// Nothing in the tree changes while it is walked: whoever made it has ended.
Result<sandbox::TreeSize> make_harmless(const fs::path& root) {
  sandbox::TreeSize size;
  const sandbox::Visit make = [&](int directory, const char* name, const struct stat& status) -> Result<void> {
    size.add(status);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
      return ::unlinkat(directory, name, 0) == 0 ? Result<void>() : fail_errno(errno, std::string("removing ") + name);
    }
    if (S_ISLNK(status.st_mode)) return {};
    const mode_t needed = S_ISDIR(status.st_mode) ? S_IRWXU : S_IRUSR;
    const mode_t mode = ((status.st_mode & 0777U) | needed);
    if (mode == (status.st_mode & 07777U) || ::fchmodat(directory, name, mode, 0) == 0) return {};
    return fail_errno(errno, std::string("setting the mode of ") + name);
  };
  const Result<void> walked = sandbox::walk_tree(root, make);
  if (!walked) return std::unexpected(walked.error());
  return size;
}

Result<void> make_mount_points(const fs::path& root) {
  struct stat top{};
  if (::lstat(root.c_str(), &top) != 0 || !S_ISDIR(top.st_mode)) {
    return fail(Code::kInvalidArgument, "the environment's image holds no directory");
  }
  if (::chmod(root.c_str(), 0755) != 0) return fail_errno(errno, "setting the mode of " + root.string());
  const Fd directory(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno(errno, "opening " + root.string());
  for (const char* name : kMountPoints) {
    if (::mkdirat(directory.get(), name, 0755) == 0) continue;
    struct stat status{};
    if (errno != EEXIST) return fail_errno(errno, std::string("making /") + name + " in the environment");
    if (::fstatat(directory.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(status.st_mode)) {
      return fail(Code::kInvalidArgument,
                  std::string("the environment's image has something else than a directory at /") + name);
    }
  }
  return {};
}

}  // namespace

Result<sandbox::TreeSize> unpack_image(sandbox::Host& host, const fs::path& image, const fs::path& directory,
                                       const sandbox::TreeSize& most, Duration limit, const std::atomic<bool>& ending) {
  if (Result<void> unpacked = run_unsquashfs(host, image, directory, most, limit, ending); !unpacked) {
    return std::unexpected(unpacked.error());
  }
  const fs::path root = directory / "root";
  if (Result<void> made = make_mount_points(root); !made) return std::unexpected(made.error());
  Result<sandbox::TreeSize> size = make_harmless(root);
  if (size && (size->bytes > most.bytes || size->files > most.files)) {
    return fail(Code::kResourceExhausted,
                "unpacked, the environment takes " + format_bytes(size->bytes) + " in " + std::to_string(size->files) +
                    " files, more than this node's owner leaves for it (hearth limit --disk)");
  }
  return size;
}

}  // namespace hearth::node
