#include "slurm/host.h"

#include <algorithm>
#include <cerrno>
#include <future>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "sandbox/fd.h"
#include "slurm/attempt_files.h"
#include "slurm/watch.h"

namespace hearth::slurm {
namespace {

namespace fs = std::filesystem;
using sandbox::Command;
using sandbox::Exit;
using sandbox::Fate;
using sandbox::Level;
using sandbox::Limits;
using sandbox::Sandbox;
using sandbox::Setup;
using sandbox::Stream;

// For a job that was cancelled to be gone. Slurm itself gives it half a minute between asking and killing.
constexpr Duration kKillLimit = seconds(45);

struct Shared {
  fs::path state;
  std::string program;
  Cluster cluster;
  std::unique_ptr<Watch> watch;
};

std::string amount_text(const Amount& amount) {
  std::string text = std::to_string(amount.cores) + " cores, " + format_bytes(amount.memory_bytes) + " of memory";
  return amount.gpus == 0 ? text : text + " and " + std::to_string(amount.gpus) + " GPUs";
}

class JobBox final : public Sandbox {
 public:
  JobBox(Shared& shared, std::string name, const Limits& limits, Setup setup)
      : shared_(shared), name_(std::move(name)), limits_(limits), setup_(std::move(setup)) {
    job_->files.directory = shared_.state / "attempts" / name_;
    directory_ = job_->files.inputs();
  }
  ~JobBox() override;

  Result<void> make() const {
    std::error_code error;
    fs::create_directories(directory_, error);
    return error ? fail_errno(error.value(), "making " + directory_.string()) : Result<void>();
  }

  const fs::path& directory() const override { return directory_; }
  fs::path disk() const override { return {}; }
  Result<int> create_file(std::string_view path, bool executable) override;
  Result<void> start(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                     std::function<void(const Exit&)> on_exit) override;
  void kill() override {
    if (submitted_) shared_.watch->kill(job_);
  }
  Result<void> freeze() override { return fail(Code::kUnimplemented, "jobs of a cluster are not frozen"); }
  Result<void> thaw() override { return {}; }
  Result<std::vector<sandbox::Output>> collect(const std::vector<std::string>& patterns,
                                               const sandbox::CollectLimits& limits) override;
  Result<int> open_output(std::string_view path) override;

 private:
  Result<void> check_fits(const Amount& needs) const;

  Shared& shared_;
  std::string name_;
  Limits limits_;
  Setup setup_;
  fs::path directory_;
  std::shared_ptr<Job> job_ = std::make_shared<Job>();
  bool submitted_ = false;
};

JobBox::~JobBox() {
  if (submitted_) {
    shared_.watch->kill(job_);
    if (!shared_.watch->wait_for_end(job_, kKillLimit)) {
      log_error("a job could not be ended in the cluster", {{"slurm_job", job_->id}});
    }
    shared_.watch->remove(job_);
  }
  // Slurm may still be writing the last words of a job that it ended.
  std::error_code error;
  for (int i = 0; i < 5; ++i) {
    fs::remove_all(job_->files.directory, error);
    if (!error) return;
    ::usleep(200'000);
  }
  log_error("a task's files could not be removed from the cluster's file system: " + error.message(),
            {{"directory", job_->files.directory.string()}});
}

Result<int> JobBox::create_file(std::string_view path, bool executable) {
  if (!sandbox::is_safe_relative_path(path)) return fail(Code::kInvalidArgument, "an input has an unsafe name");
  const fs::path file = directory_ / path;
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) return fail_errno(error.value(), "making " + file.parent_path().string());
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, executable ? 0700 : 0600);
  return fd < 0 ? fail_errno(errno, "making " + file.string()) : Result<int>(fd);
}

Result<void> JobBox::check_fits(const Amount& needs) const {
  const Supply supply = shared_.watch->supply();
  for (const Amount& machine : supply.of_machines) {
    if (needs.fits_in(machine)) return {};
  }
  if (supply.of_machines.empty()) return {};  // Slurm may know of some that come back
  const auto largest = std::ranges::max_element(supply.of_machines, {}, &Amount::cores);
  return fail(Code::kFailedPrecondition,
              "no single machine of its cluster's partition '" + shared_.cluster.partition() + "' has the " +
                  amount_text(needs) + " that the task needs; the one with most cores has " + amount_text(*largest));
}

Result<void> JobBox::start(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                           std::function<void(const Exit&)> on_exit) {
  const Amount needs{.cores = std::max(1U, limits_.cores),
                     .memory_bytes = limits_.memory_bytes,
                     .gpus = static_cast<std::uint32_t>(command.gpus.size())};
  if (Result<void> fits = check_fits(needs); !fits) return fits;
  const Order order{.name = name_, .limits = limits_, .setup = setup_, .command = command};
  if (Result<void> written = write_whole(job_->files.order(), format_order(order)); !written) return written;
  job_->on_output = std::move(on_output);
  job_->on_exit = std::move(on_exit);
  const Result<std::uint64_t> id = shared_.cluster.submit({.program = shared_.program,
                                                           .directory = job_->files.directory,
                                                           .needs = needs,
                                                           .time_limit = command.time_limit});
  if (!id && id.error().code == Code::kUnavailable) {
    Exit exit;
    exit.fate = Fate::kLost;
    exit.message = "its cluster does not answer: " + id.error().message;
    job_->on_exit(exit);
    return {};
  }
  if (!id) return fail(id, "the cluster takes no such job");
  job_->id = *id;
  submitted_ = true;
  shared_.watch->add(job_);
  return {};
}

// The patterns went with the order.
Result<std::vector<sandbox::Output>> JobBox::collect(const std::vector<std::string>& /*patterns*/,
                                                     const sandbox::CollectLimits& limits) {
  const std::optional<End> end = submitted_ ? shared_.watch->end_of(job_) : std::nullopt;
  if (!end) return fail(Code::kFailedPrecondition, "the task has not ended");
  if (!end->refusal.empty() && !limits.takes_what_fits) return fail(static_cast<Code>(end->refusal_code), end->refusal);
  directory_ = job_->files.outputs();
  return end->outputs;
}

Result<int> JobBox::open_output(std::string_view path) {
  const Fd top(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int fd = top ? sandbox::open_beneath(top.get(), std::string(path), O_RDONLY | O_CLOEXEC) : -1;
  return fd < 0 ? fail_errno(errno, "opening an output") : Result<int>(fd);
}

class ClusterHost final : public sandbox::Host {
 public:
  ClusterHost(Shared shared, const Supply& supply, Fd lock) : lock_(std::move(lock)), shared_(std::move(shared)) {
    shared_.watch = std::make_unique<Watch>(shared_.cluster, supply);
  }

  Result<std::unique_ptr<Sandbox>> prepare(const std::string& name, const Limits& limits, const Setup& setup) override {
    if (setup.level != Level::kFence) {
      return fail(Code::kFailedPrecondition, "on a cluster tasks run in the fence (L1) and at no other level");
    }
    auto box = std::make_unique<JobBox>(shared_, name, limits, setup);
    if (Result<void> made = box->make(); !made) return std::unexpected(made.error());
    return box;
  }

  // The shared file system is all that the machines see.
  Result<fs::path> memory_directory(std::uint64_t /*bytes*/) override { return shared_.state / "large-inputs"; }
  Result<fs::path> encrypted_directory() override { return shared_.state / "large-inputs"; }
  bool has_lost_files() const override { return false; }

  std::vector<sandbox::Check> self_test() override { return {}; }
  void use_oci_runtime(const std::string& /*command*/) override {}
  std::vector<sandbox::LevelReport> levels() override {
    const std::string other = "a node that is a cluster runs tasks in the fence (L1) only";
    return {{Level::kFence, true, description(), ""},
            {Level::kOci, false, other, "hearth limit --isolation fence"},
            {Level::kMicroVm, false, other, "hearth limit --isolation fence"}};
  }
  void stop_trying() override {}
  std::string full_network_lack() const override { return ""; }
  std::string overlay_lack() const override { return "tasks on a cluster are given no network of their own"; }
  std::string swap_risk() const override { return ""; }

  std::vector<std::string> storage_of(Level /*level*/) const override {
    return {"memory", "disk, in clear: the cluster's shared file system"};
  }
  std::vector<std::string> traces(const std::string& name) const override {
    std::error_code error;
    const fs::path directory = shared_.state / "attempts" / name;
    if (!fs::exists(directory, error)) return {};
    return {directory.string()};
  }
  std::string description() const override {
    return "fence (L1), each task a job of the Slurm cluster (" + shared_.cluster.version() + ")";
  }

  sandbox::Machine machine() const override;
  bool is_elsewhere() const override { return true; }
  sandbox::Room room() const override { return shared_.watch->room(); }

 private:
  Fd lock_;
  Shared shared_;
};

sandbox::Machine ClusterHost::machine() const {
  const Supply supply = shared_.watch->supply();
  sandbox::Machine machine;
  machine.cores = supply.all.cores;
  machine.memory_bytes = supply.all.memory_bytes;
  machine.gpus.resize(supply.all.gpus, sandbox::Gpu{.name = "GPU of a Slurm cluster"});
  machine.system = "Slurm " + shared_.cluster.version() + " cluster, partition " + shared_.cluster.partition() + ", " +
                   std::to_string(supply.machines) + (supply.machines == 1 ? " machine" : " machines");
  machine.cpu_model = machine.system;
  return machine;
}

// A short name that differs between state directories (FNV-1a).
std::string job_name_of(const fs::path& state) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : state.string()) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  std::string name = "hearth-";
  for (int i = 0; i < 12; ++i, hash >>= 4) name += "0123456789abcdef"[hash & 15];
  return name;
}

Result<Fd> lock_directory(const fs::path& state) {
  std::error_code error;
  fs::create_directories(state, error);
  if (error || ::chmod(state.c_str(), 0700) != 0) {
    return fail_errno(error ? error.value() : errno, "making " + state.string());
  }
  Fd lock(::open((state / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno(errno, "opening " + (state / "lock").string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kFailedPrecondition,
                "another process gives this directory's tasks to the cluster: " + state.string());
  }
  return lock;
}

// A link where that can be, so that it costs no room.
Result<std::string> put_program(const fs::path& program, const fs::path& state) {
  const fs::path place = state / "hearth";
  std::error_code error;
  fs::remove(place, error);
  fs::create_hard_link(program, place, error);
  if (error) {
    fs::copy_file(program, place, fs::copy_options::overwrite_existing, error);
    if (error) return fail_errno(error.value(), "copying this program to " + place.string());
  }
  return place.string();
}

Result<void> empty_directories(const fs::path& state) {
  for (const char* name : {"attempts", "large-inputs"}) {
    std::error_code error;
    fs::remove_all(state / name, error);
    if (!error) fs::create_directory(state / name, error);
    if (error) return fail_errno(error.value(), "emptying " + (state / name).string());
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<sandbox::Host>> open_host(const Options& options) {
  Result<Fd> lock = lock_directory(options.state_directory);
  if (!lock) return std::unexpected(lock.error());
  const fs::path state = fs::canonical(options.state_directory);
  Result<Cluster> cluster = Cluster::open(options.terms, job_name_of(state));
  if (!cluster) return std::unexpected(cluster.error());
  if (Result<void> ended = cluster->cancel_all(); !ended) return std::unexpected(ended.error());
  if (Result<void> emptied = empty_directories(state); !emptied) return std::unexpected(emptied.error());
  Result<std::string> program = put_program(options.program, state);
  if (!program) return std::unexpected(program.error());
  const Result<Supply> supply = cluster->supply();
  if (!supply) return std::unexpected(supply.error());
  Shared shared{.state = state, .program = std::move(*program), .cluster = std::move(*cluster), .watch = nullptr};
  return std::make_unique<ClusterHost>(std::move(shared), *supply, std::move(*lock));
}

Result<std::string> try_cluster(const Options& options, Duration limit) {
  const Options apart{
      .state_directory = options.state_directory / "trial", .program = options.program, .terms = options.terms};
  Result<std::unique_ptr<sandbox::Host>> host = open_host(apart);
  if (!host) return std::unexpected(host.error());
  Result<std::unique_ptr<Sandbox>> box = (*host)->prepare(
      "trial", {.cores = 1, .memory_bytes = 64 << 20, .scratch_bytes = 1 << 20}, {.level = Level::kFence});
  if (!box) return std::unexpected(box.error());
  auto told = std::make_shared<std::promise<Exit>>();
  std::future<Exit> ended = told->get_future();
  Result<void> started = (*box)->start(
      {.argv = {"true"},
       .variables = {{"PATH", "/usr/bin:/bin"}},
       .bound_files = {},
       .gpus = {},
       .time_limit = minutes(1)},
      [](Stream, std::string_view) {}, [told](const Exit& exit) { told->set_value(exit); });
  if (!started) return std::unexpected(started.error());
  const bool in_time = ended.wait_for(std::chrono::microseconds(limit.micros)) == std::future_status::ready;
  const Exit exit = in_time ? ended.get() : Exit();
  const std::string what = (*host)->machine().system;
  box->reset();
  host->reset();
  std::error_code failure;
  fs::remove_all(apart.state_directory, failure);
  if (!in_time) {
    return fail(Code::kDeadlineExceeded, what + " has not run a first job within " + minutes_text(limit) + " min");
  }
  if (exit.fate == Fate::kEnded && exit.started && exit.exit_code == 0) return what;
  return fail(Code::kFailedPrecondition, "a first job on the cluster failed: " + exit.message);
}

}  // namespace hearth::slurm
