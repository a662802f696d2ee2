#include "sandbox/box.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/entries.h"
#include "base/log.h"

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMaxBoundFiles = 4'000;  // each is a mount, and a machine has 100,000 of them
constexpr std::size_t kMaxVariables = 1'024;
constexpr std::size_t kMaxCommandBytes = 1 << 20;
constexpr std::uint32_t kProcessesOfBubblewrap = 2;  // while it makes ready: itself and process 1 of the sandbox

// How many threads the user has: where only RLIMIT_NPROC bounds a guest, these count too.
std::uint64_t threads_of_user(uid_t uid) {
  std::uint64_t count = 0;
  std::error_code error;
  for (const auto& entry : Entries("/proc", error)) {
    struct stat info{};
    if (::stat(entry.path().c_str(), &info) != 0 || info.st_uid != uid) continue;
    std::string status = read_text(entry.path() / "status", 8192);
    std::size_t at = status.find("\nThreads:");
    if (at != std::string::npos) count += std::strtoull(status.c_str() + at + 9, nullptr, 10);
  }
  return count;
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<void> check_command(const Command& command) {
  if (command.argv.empty() || command.argv[0].empty())
    return fail(Code::kInvalidArgument, "there is no program to run");
  if (command.bound_files.size() > kMaxBoundFiles) {
    return fail(Code::kResourceExhausted, "more than " + std::to_string(kMaxBoundFiles) + " files are shown in place");
  }
  if (command.variables.size() > kMaxVariables) return fail(Code::kResourceExhausted, "too many environment variables");
  std::size_t bytes = 0;
  for (const std::string& argument : command.argv) {
    bytes += argument.size() + 1;
    if (has_nul(argument)) return fail(Code::kInvalidArgument, "an argument holds a NUL character");
  }
  for (const auto& [name, value] : command.variables) {
    bytes += name.size() + value.size() + 2;
    if (name.empty() || name.contains('=') || has_nul(name) || has_nul(value)) {
      return fail(Code::kInvalidArgument, "'" + name + "' is no name of an environment variable");
    }
  }
  if (bytes > kMaxCommandBytes) {
    return fail(Code::kResourceExhausted, "arguments and variables have more than " + format_bytes(kMaxCommandBytes));
  }
  return {};
}

Result<void> stop_blocking(const Fd& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "preparing a pipe");
  return {};
}

}  // namespace

Result<std::unique_ptr<Box>> Box::make(Shared& shared, const std::string& name, const Limits& limits,
                                       const Setup& setup) {
  auto launcher = shared.launchers.find(setup.level);
  CHECK(launcher != shared.launchers.end());
  Result<void> done = launcher->second->check(setup);
  if (!done) return std::unexpected(done.error());
  auto box = std::make_unique<Box>(shared, *launcher->second, name, limits, setup);
  done = box->set_up();
  if (done) done = box->show();
  if (!done) return fail(done, "preparing the sandbox " + name);
  return box;
}

Box::Box(Shared& shared, const Launcher& launcher, std::string name, const Limits& limits, Setup setup)
    : shared_(shared),
      launcher_(launcher),
      name_(std::move(name)),
      limits_(limits),
      setup_(std::move(setup)),
      root_(shared.place + "/root") {}

Result<std::unique_ptr<WorkingDirectory>> Box::make_directory() {
  const std::string where = shared_.place + "/boxes/" + name_;
  if (limits_.disk_bytes == 0) return WorkingDirectory::make(where, limits_.scratch_bytes, shared_.user);
  Result<std::filesystem::path> vault = shared_.vault->boxes();
  if (!vault) return std::unexpected(vault.error());
  Result<std::unique_ptr<ScratchDisk>> disk = ScratchDisk::make(*vault / name_);
  if (!disk) return std::unexpected(disk.error());
  disk_ = std::move(*disk);
  return WorkingDirectory::show(where, disk_->job(), shared_.user);
}

Result<void> Box::set_up() {
  Result<std::unique_ptr<WorkingDirectory>> directory = make_directory();
  if (!directory) return std::unexpected(directory.error());
  directory_ = std::move(*directory);
  Result<std::unique_ptr<Cgroup>> group =
      shared_.cgroups->create(name_, {.memory_bytes = limits_.memory_bytes + launcher_.overhead_bytes(),
                                      .max_processes = limits_.max_processes,
                                      .cores = limits_.cores,
                                      .foreground = limits_.foreground});
  if (!group) return std::unexpected(group.error());
  cgroup_ = std::move(*group);
  auto network = GuestNetwork::make(setup_.network, shared_.place + "/networks/" + name_, *shared_.reactor,
                                    shared_.network_tools, shared_.user);
  if (!network) return std::unexpected(network.error());
  network_ = std::move(*network);
  return {};
}

// By mounts of our own: the guests' user may not walk to where the node keeps them.
Result<void> Box::show() {
  Result<void> done;
  const auto add = [&](const std::filesystem::path& source, const char* what, const GuestUser* owner,
                       std::string& seen) {
    if (!done || source.empty()) return;
    const std::string where = shared_.place + "/shown/" + name_ + "-" + what;
    done = show_directory(source, where, owner);
    if (!done) return;
    shown_.push_back(where);
    seen = where;
  };
  add(setup_.root, "root", nullptr, root_);
  add(setup_.workspace, "workspace", &shared_.user, workspace_);
  if (disk_) add(disk_->tmp(), "tmp", &shared_.user, tmp_);
  return done;
}

Box::~Box() {
  if (guest_) {
    if (!guest_->finished()) {
      CHECK(!shared_.reactor->on_thread());
      kill();
    }
    if (!shared_.reactor->on_thread()) guest_->wait();
  }
  for (const std::string& where : shown_) {
    if (Result<void> gone = unshow_directory(where); !gone) {
      log_error("a sandbox's mount remains: " + gone.error().message);
    }
  }
}

Result<int> Box::create_file(std::string_view path, bool executable) {
  if (guest_) return fail(Code::kFailedPrecondition, "the program has been started");
  return directory_->create_file(path, executable);
}

ResourceLimits Box::resource_limits() const {
  ResourceLimits limits;
  auto add = [&limits](int resource, std::uint64_t value) {
    rlimit now{};
    ::getrlimit(static_cast<__rlimit_resource_t>(resource), &now);
    rlim_t bounded = std::min<rlim_t>(value, now.rlim_max);
    limits.emplace_back(resource, rlimit{.rlim_cur = bounded, .rlim_max = bounded});
  };
  add(RLIMIT_NOFILE, limits_.max_open_files);
  // Of one byte: the kernel takes it for none, also where dumps go to a program, which no limit of zero stops.
  add(RLIMIT_CORE, 1);
  // A machine's own kernel counts its program's; what QEMU takes besides is not the program's doing.
  if (limits_.cpu_seconds > 0 && setup_.level != Level::kMicroVm) add(RLIMIT_CPU, limits_.cpu_seconds);
  if (limits_.max_file_bytes > 0) add(RLIMIT_FSIZE, limits_.max_file_bytes);
  if (!shared_.cgroups->has(Controller::kPids)) {
    add(RLIMIT_NPROC, limits_.max_processes + threads_of_user(shared_.user.uid));
  }
  if (!shared_.cgroups->has(Controller::kMemory)) add(RLIMIT_DATA, limits_.memory_bytes);
  return limits;
}

Result<void> Box::plan_files(Bubble bubble, Guest::Plan& plan) {
  Result<Pipe> output = make_pipe(O_CLOEXEC);
  Result<Pipe> errors = make_pipe(O_CLOEXEC);
  Result<Pipe> status = make_pipe(O_CLOEXEC);
  Result<Pipe> gate = make_pipe(O_CLOEXEC);
  if (!output || !errors || !status || !gate)
    return fail(Code::kResourceExhausted, "too many open files for another sandbox");
  for (Pipe* pipe : {&*output, &*errors, &*status}) {
    Result<void> ready = stop_blocking(pipe->read_end);
    if (ready) ready = directory_->own(pipe->write_end.get(), 0600);  // programs open /dev/stdout by name
    if (!ready) return ready;
  }
  Result<Fd> options = memory_file(bubble.options);
  if (!options) return std::unexpected(options.error());
  std::vector<Fd>& files = plan.launch.files;
  files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  files.push_back(std::move(output->write_end));
  files.push_back(std::move(errors->write_end));
  files.push_back(std::move(*options));
  const bool is_member = setup_.network.kind == Network::Kind::kOverlay;
  const std::string own = shared_.place + (is_member ? "/filter-member" : "/filter");
  const std::string filter = bubble.filter.empty() ? own : bubble.filter;
  files.emplace_back(::open(filter.c_str(), O_RDONLY | O_CLOEXEC));
  files.push_back(std::move(status->write_end));
  files.push_back(std::move(gate->read_end));
  if (!files[0] || !files[kFilterFd]) return fail_errno(errno, "opening the program's files");
  for (Fd& file : bubble.files) files.push_back(std::move(file));
  plan.output = std::move(output->read_end);
  plan.errors = std::move(errors->read_end);
  plan.status = std::move(status->read_end);
  plan.gate = std::move(gate->write_end);
  plan.network = network_;
  return {};
}

Result<Guest::Plan> Box::plan(const Command& command) {
  Guest::Plan plan;
  plan.launch.limits = resource_limits();
  Result<Bubble> bubble = launcher_.enclose({.command = command,
                                             .limits = limits_,
                                             .resource_limits = plan.launch.limits,
                                             .setup = setup_,
                                             .root = root_,
                                             .workspace = workspace_,
                                             .tmp = tmp_,
                                             .directory = *directory_,
                                             .network_directory = network_ ? network_->directory() : std::string()});
  if (!bubble) return std::unexpected(bubble.error());
  plan.launch.program = shared_.bubblewrap.program;
  plan.launch.argv = {"bwrap", "--args", std::to_string(kArgumentsFd), "--"};
  plan.launch.argv.insert(plan.launch.argv.end(), bubble->argv.begin(), bubble->argv.end());
  plan.launch.user = shared_.user;
  plan.launch.group = bubble->group;
  plan.listener = std::move(bubble->listener);
  Result<void> done = plan_files(std::move(*bubble), plan);
  if (!done) return std::unexpected(done.error());
  Result<std::vector<Fd>> entries = cgroup_->entries();
  if (!entries) return std::unexpected(entries.error());
  plan.launch.cgroup_entries = std::move(*entries);
  Result<Fd> birthplace = cgroup_->birthplace();
  if (!birthplace) return std::unexpected(birthplace.error());
  plan.launch.birthplace = std::move(*birthplace);
  plan.cgroup = cgroup_.get();
  return plan;
}

Result<void> Box::launch_guest(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                               std::function<void(const Exit&)> on_exit) {
  if (guest_) return fail(Code::kFailedPrecondition, "the program has been started already");
  Result<void> done = check_command(command);
  for (const BoundFile& bound : command.bound_files) {
    if (done) done = directory_->show_file(bound);
  }
  if (done) done = directory_->note_inputs();
  if (!done) return done;
  Result<Guest::Plan> prepared = plan(command);
  if (!prepared) return std::unexpected(prepared.error());
  prepared->on_output = std::move(on_output);
  prepared->on_exit = std::move(on_exit);
  guest_ = Guest::start(*shared_.reactor, std::move(*prepared));
  return {};
}

// Should this process die, the gate opens by itself; then bubblewrap finds no room for the program's process and ends.
Result<void> Box::arm(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                      std::function<void(const Exit&)> on_exit) {
  if (network_) return fail(Code::kUnimplemented, "a guest's network has processes of its own");
  Result<void> closed = cgroup_->limit_processes(kProcessesOfBubblewrap);
  if (!closed) return closed;
  return launch_guest(command, std::move(on_output), std::move(on_exit));
}

Result<void> Box::release() {
  if (!guest_) return fail(Code::kFailedPrecondition, "the program has not been made ready");
  if (Result<void> opened = cgroup_->limit_processes(limits_.max_processes); !opened) return opened;
  guest_->open_gate();
  return {};
}

Result<void> Box::start(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                        std::function<void(const Exit&)> on_exit) {
  Result<void> launched = launch_guest(command, std::move(on_output), std::move(on_exit));
  if (launched) guest_->open_gate();
  return launched;
}

void Box::kill() {
  if (!guest_) return;
  // Frozen processes of version 1 groups do not even die.
  if (frozen_) static_cast<void>(thaw());
  guest_->kill();
}

Result<void> Box::freeze() {
  frozen_ = true;
  Result<void> done = shared_.cgroups->has(Controller::kFreezer) ? cgroup_->freeze()
                      : guest_                                   ? guest_->stop()
                                                                 : Result<void>();
  if (!done) static_cast<void>(thaw());
  return done;
}

Result<void> Box::thaw() {
  frozen_ = false;
  if (shared_.cgroups->has(Controller::kFreezer)) return cgroup_->thaw();
  if (guest_) guest_->go_on();
  return {};
}

Result<int> Box::open_socket(int family) {
  if (setup_.level == Level::kMicroVm) return Sandbox::open_socket(family);
  if (!guest_) return fail(Code::kFailedPrecondition, "the program does not run");
  return guest_->open_socket(family);
}

Result<void> Box::require_ended() const {
  if (!guest_ || !guest_->finished()) return fail(Code::kFailedPrecondition, "the program has not ended");
  return {};
}

Result<std::vector<Output>> Box::collect(const std::vector<std::string>& patterns, const CollectLimits& limits) {
  if (Result<void> ended = require_ended(); !ended) return std::unexpected(ended.error());
  return directory_->collect(patterns, limits);
}

Result<int> Box::open_output(std::string_view path) {
  if (Result<void> ended = require_ended(); !ended) return std::unexpected(ended.error());
  return directory_->open_file(path);
}

}  // namespace hearth::sandbox
