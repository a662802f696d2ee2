#include "slurm/run_attempt.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <memory>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sizes.h"
#include "sandbox/fd.h"
#include "sandbox/gpu.h"
#include "slurm/attempt_files.h"

namespace hearth::slurm {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOrder = 64 << 20;
constexpr std::uint64_t kMaxLogText = 32 * kMiB;  // more than is kept of it
constexpr auto kLook = std::chrono::milliseconds(200);

std::atomic<bool> end_wanted = false;

void want_end(int /*signal*/) { end_wanted = true; }

void heed_signals() {
  struct sigaction action{};
  action.sa_handler = &want_end;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  rlimit limit{};  // a guest's data is in memory here
  ::getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = std::min<rlim_t>(1, limit.rlim_max);
  ::setrlimit(RLIMIT_CORE, &limit);
}

// Where files of this machine's own may lie.
fs::path temporary_place() {
  std::error_code failure;
  const char* said = std::getenv("TMPDIR");
  return said != nullptr && fs::is_directory(said, failure) ? said : "/tmp";
}

// A directory of this machine's own, for one attempt at a time. What an attempt left there that was killed is swept by
// the next one that takes it.
class Slot {
 public:
  static Result<std::unique_ptr<Slot>> take() {
    constexpr int kMost = 4096;
    constexpr int kTries = 1'000;
    const fs::path parent = temporary_place() / ("hearth-attempts-" + std::to_string(::geteuid()));
    for (int i = 0; i < kMost; ++i) {
      const fs::path directory = parent / std::to_string(i);
      Fd lock;
      // The last attempt that ends here removes the parent, be it in between.
      for (int tries = 0; !lock && tries < kTries; ++tries) {
        if (Result<void> made = make_parent(parent); !made) return std::unexpected(made.error());
        lock.reset(::open((directory.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!lock && errno != ENOENT) break;
      }
      if (!lock) return fail_errno(errno, "making a file in " + parent.string());
      struct stat status{};
      if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
      struct stat named{};
      const bool is_there = ::stat((directory.string() + ".lock").c_str(), &named) == 0 &&
                            ::fstat(lock.get(), &status) == 0 && named.st_ino == status.st_ino;
      if (is_there) return std::make_unique<Slot>(directory, std::move(lock));
    }
    return fail(Code::kResourceExhausted, "too many attempts run on this machine");
  }

  Slot(fs::path directory, Fd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}
  ~Slot() {
    std::error_code failure;
    fs::remove_all(directory_, failure);
    if (!failure) ::unlink((directory_.string() + ".lock").c_str());
    ::rmdir(directory_.parent_path().c_str());
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  const fs::path& directory() const { return directory_; }

 private:
  static Result<void> make_parent(const fs::path& parent) {
    struct stat status{};
    if (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + parent.string());
    if (::lstat(parent.c_str(), &status) != 0) {
      return errno == ENOENT ? Result<void>() : fail_errno(errno, parent.string());
    }
    if (S_ISDIR(status.st_mode) && status.st_uid == ::geteuid()) return {};
    return fail(Code::kFailedPrecondition, parent.string() + " belongs to somebody else");
  }

  fs::path directory_;
  Fd lock_;
};

Result<void> copy_bytes(int from, int to) {
  std::string piece(1 << 18, '\0');
  for (;;) {
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading a file");
    if (got == 0) return {};
    for (ssize_t done = 0; done < got;) {
      const ssize_t count = ::write(to, piece.data() + done, static_cast<std::size_t>(got - done));
      if (count < 0 && errno != EINTR) return fail_errno(errno, "writing a file");
      if (count > 0) done += count;
    }
  }
}

Result<void> lay_out(sandbox::Sandbox& box, const fs::path& inputs) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(inputs, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_regular_file()) continue;
    const bool executable = (entry->status().permissions() & fs::perms::owner_exec) != fs::perms::none;
    const Fd from(::open(entry->path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!from) return fail_errno(errno, "reading " + entry->path().string());
    const Result<int> made = box.create_file(entry->path().lexically_relative(inputs).string(), executable);
    if (!made) return std::unexpected(made.error());
    const Fd to(*made);
    if (Result<void> copied = copy_bytes(from.get(), to.get()); !copied) return copied;
  }
  return error ? fail_errno(error.value(), "reading " + inputs.string()) : Result<void>();
}

Result<void> take_outputs(sandbox::Sandbox& box, const Order& order, const fs::path& into, End& end) {
  if (order.command.outputs.empty()) return {};
  Result<void> whole;
  auto found = box.collect(order.command.outputs, {.may_lack = order.command.outputs_may_lack});
  if (!found) {
    whole = std::unexpected(found.error());
    found = box.collect(order.command.outputs, {.takes_what_fits = true});
    if (!found) return whole;
  }
  for (const sandbox::Output& output : *found) {
    const fs::path path = into / output.path;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    const Result<int> opened = box.open_output(output.path);
    if (!opened) return std::unexpected(opened.error());
    const Fd from(*opened);
    const Fd to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, output.executable ? 0700 : 0600));
    if (!to) return fail_errno(errno, "writing " + path.string());
    if (Result<void> copied = copy_bytes(from.get(), to.get()); !copied) return copied;
  }
  end.outputs = std::move(*found);
  return whole;
}

// Appends to the log, as far as anybody will read it. One thread.
class LogWriter {
 public:
  explicit LogWriter(const fs::path& file)
      : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  void add(sandbox::Stream stream, std::string_view text) {
    for (; !text.empty() && written_ < kMaxLogText; text.remove_prefix(std::min(text.size(), kMaxFrameText))) {
      const std::string frame = format_frame(stream, text.substr(0, kMaxFrameText));
      for (std::size_t done = 0; done < frame.size();) {
        const ssize_t count = ::write(fd_.get(), frame.data() + done, frame.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) written_ = kMaxLogText;  // half a frame is the last one
        if (count < 0) return;
        done += static_cast<std::size_t>(count);
      }
      written_ += frame.size();
    }
  }
  void close() {
    ::fsync(fd_.get());
    fd_.reset();
  }

 private:
  Fd fd_;
  std::uint64_t written_ = 0;
};

// Those that Slurm gave to this job, by their numbers; without a number, what this job may open.
Result<std::vector<sandbox::Gpu>> find_lent_gpus(std::size_t count) {
  if (count == 0) return std::vector<sandbox::Gpu>();
  const std::vector<sandbox::Gpu> all = sandbox::find_gpus();
  std::vector<sandbox::Gpu> lent;
  const char* said = std::getenv("SLURM_JOB_GPUS");
  const std::string numbers = "," + std::string(said == nullptr ? "" : said) + ",";
  for (std::size_t i = 0; i < all.size() && lent.size() < count; ++i) {
    if (all.size() == count || numbers.contains("," + std::to_string(i) + ",")) lent.push_back(all[i]);
  }
  if (lent.size() == count) return lent;
  return fail(Code::kFailedPrecondition, "Slurm lent " + std::to_string(count) + " GPUs (\"" +
                                             (said == nullptr ? "" : said) + "\"), of which this machine shows " +
                                             std::to_string(lent.size()));
}

// Until its program has ended, was ended, or had its time.
sandbox::Exit follow(sandbox::Sandbox& box, const Order& order, const fs::path& stop,
                     std::future<sandbox::Exit>& ended) {
  const Clock::time_point begun = Clock::now();
  const Duration limit = order.command.time_limit;
  bool timed_out = false;
  for (bool killed = false; ended.wait_for(kLook) != std::future_status::ready;) {
    if (killed) continue;
    timed_out = limit.micros > 0 && Clock::now() - begun >= std::chrono::microseconds(limit.micros);
    killed = timed_out || end_wanted || ::access(stop.c_str(), F_OK) == 0;
    if (killed) box.kill();
  }
  sandbox::Exit exit = ended.get();
  if (timed_out) exit.fate = sandbox::Fate::kTimeLimit;
  return exit;
}

Result<End> run_in(sandbox::Host& host, Order& order, const AttemptFiles& files) {
  Result<std::vector<sandbox::Gpu>> gpus = find_lent_gpus(order.command.gpus.size());
  if (!gpus) return std::unexpected(gpus.error());
  order.command.gpus = std::move(*gpus);
  Result<std::unique_ptr<sandbox::Sandbox>> box = host.prepare(order.name, order.limits, order.setup);
  if (!box) return std::unexpected(box.error());
  if (Result<void> done = lay_out(**box, files.inputs()); !done) return std::unexpected(done.error());
  LogWriter log(files.log());
  std::promise<sandbox::Exit> exit;
  std::future<sandbox::Exit> ended = exit.get_future();
  Result<void> started = (*box)->start(
      order.command, [&log](sandbox::Stream stream, std::string_view text) { log.add(stream, text); },
      [&exit](const sandbox::Exit& how) { exit.set_value(how); });
  if (!started) return std::unexpected(started.error());
  End end{.exit = follow(**box, order, files.stop(), ended), .outputs = {}, .refusal = {}};
  log.close();
  if (end.exit.started) {
    if (Result<void> taken = take_outputs(**box, order, files.outputs(), end); !taken) {
      end.refusal = taken.error().message;
      end.refusal_code = static_cast<std::uint8_t>(taken.error().code);
    }
  }
  return end;
}

// Nothing of the guest is left when it returns.
Result<End> run_on_this_machine(const AttemptFiles& files) {
  const Result<std::string> text = read_file(files.order(), kMaxOrder);
  if (!text) return std::unexpected(text.error());
  Result<Order> order = parse_order(*text);
  if (!order) return std::unexpected(order.error());
  const Result<std::unique_ptr<Slot>> slot = Slot::take();
  if (!slot) return std::unexpected(slot.error());
  Result<std::unique_ptr<sandbox::Host>> host =
      sandbox::Host::open({.state_directory = (*slot)->directory(), .cpu_weight = 100, .microvm = {}});
  if (!host) return std::unexpected(host.error());
  return run_in(**host, *order, files);
}

// None of the program's doing.
End lost(const Error& error) {
  char name[256] = "a machine of the cluster";
  ::gethostname(name, sizeof name - 1);
  End end;
  end.exit.fate = sandbox::Fate::kLost;
  end.exit.message = std::string(name) + ": " + error.message;
  return end;
}

}  // namespace

int run_attempt(const fs::path& directory) {
  const AttemptFiles files{directory};
  heed_signals();
  Result<End> ran = run_on_this_machine(files);
  End end = ran ? std::move(*ran) : lost(ran.error());
  if (end.exit.fate == sandbox::Fate::kEnded && end_wanted) {
    end.exit.signalled = true;
    end.exit.exit_code = 128 + SIGTERM;
    end.refusal = "it was ended";
  }
  Result<void> written = write_whole(files.end(), format_end(end));
  if (!written) log_error("the end of a task could not be told: " + written.error().message);
  return written ? 0 : 1;
}

}  // namespace hearth::slurm
