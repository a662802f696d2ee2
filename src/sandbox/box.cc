#include "sandbox/box.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kMaxFilesOfBox = 500'000;
constexpr std::size_t kMaxBoundFiles = 4'000;  // each is a mount, and a machine has 100,000 of them
constexpr std::size_t kMaxVariables = 1'024;
constexpr std::size_t kMaxCommandBytes = 1 << 20;
constexpr std::uint32_t kProcessesOfBubblewrap = 2;  // while it makes ready: itself and process 1 of the sandbox

Result<Fd> memory_file(const std::string& content) {
  Fd file(::memfd_create("hearth-arguments", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "making a memory file");
  for (std::size_t done = 0; done < content.size();) {
    ssize_t count = ::write(file.get(), content.data() + done, content.size() - done);
    if (count < 0) return fail_errno(errno, "writing a memory file");
    done += static_cast<std::size_t>(count);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "reading a memory file");
  return file;
}

// How many threads the user has: where only RLIMIT_NPROC bounds a guest, these count too.
std::uint64_t threads_of_user(uid_t uid) {
  std::uint64_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
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
  auto box = std::make_unique<Box>(shared, name, limits);
  Result<void> done = box->set_up(setup);
  if (done) done = box->show(setup);
  if (!done) return fail(done, "preparing the sandbox " + name);
  return box;
}

Box::Box(Shared& shared, std::string name, const Limits& limits)
    : shared_(shared),
      name_(std::move(name)),
      limits_(limits),
      directory_(shared.place + "/boxes/" + name_),
      root_(shared.place + "/root") {}

Result<void> Box::set_up(const Setup& setup) {
  if (::mkdir(directory_.c_str(), 0700) != 0) return fail_errno(errno, "making " + directory_.string());
  Result<void> done = mount_tmpfs(
      directory_, {.bytes = limits_.scratch_bytes, .files = kMaxFilesOfBox, .mode = 0700, .owner = shared_.user});
  if (!done) {
    ::rmdir(directory_.c_str());
    return done;
  }
  mounted_ = true;
  directory_fd_.reset(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_fd_) return fail_errno(errno, "opening " + directory_.string());
  Result<std::unique_ptr<Cgroup>> group = shared_.cgroups->create(
      name_, {.memory_bytes = limits_.memory_bytes, .max_processes = limits_.max_processes, .cores = limits_.cores});
  if (!group) return std::unexpected(group.error());
  cgroup_ = std::move(*group);
  auto network = GuestNetwork::make(setup.network, shared_.place + "/networks/" + name_, *shared_.reactor,
                                    shared_.network_tools, shared_.user);
  if (!network) return std::unexpected(network.error());
  network_ = std::move(*network);
  return {};
}

// By mounts of our own: the guests' user may not walk to where the node keeps them.
Result<void> Box::show(const Setup& setup) {
  const std::string where = shared_.place + "/shown/" + name_;
  if (!setup.root.empty()) {
    root_ = where + "-root";
    if (Result<void> shown = show_directory(setup.root, root_, nullptr); !shown) return shown;
    shown_.push_back(root_);
  }
  if (setup.workspace.empty()) return {};
  workspace_ = where + "-workspace";
  if (Result<void> shown = show_directory(setup.workspace, workspace_, &shared_.user); !shown) return shown;
  shown_.push_back(workspace_);
  return {};
}

Box::~Box() {
  if (guest_) {
    bool ended = guest_->finished();
    if (!ended) {
      CHECK(!shared_.reactor->on_thread());
      kill();
    }
    if (!shared_.reactor->on_thread()) guest_->wait();
  }
  for (const std::string& where : shown_) {
    if (Result<void> gone = unshow_directory(where); !gone)
      log_error("a sandbox's mount remains: " + gone.error().message);
  }
  directory_fd_.reset();
  if (mounted_) {
    if (Result<void> gone = unmount(directory_); !gone) log_error("a sandbox's files remain: " + gone.error().message);
    if (::rmdir(directory_.c_str()) != 0) log_error("a sandbox's directory remains: " + directory_.string());
  }
}

// What is made for the guest belongs to it.
Result<void> Box::own(int file, unsigned mode) const {
  bool done = !shared_.user.drop || ::fchown(file, shared_.user.uid, shared_.user.gid) == 0;
  if (!done || ::fchmod(file, mode) != 0) return fail_errno(errno, "handing a file to the sandbox");
  return {};
}

// The directory that is to hold the last part of the path.
Result<Fd> Box::make_parents(const std::string& path) {
  Fd at(::dup(directory_fd_.get()));
  std::size_t from = 0;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', from)) {
    std::string part = path.substr(from, slash - from);
    from = slash + 1;
    bool made = ::mkdirat(at.get(), part.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return fail_errno(errno, "making the folder of " + path);
    Fd next(open_beneath(at.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!next) return fail_errno(errno, "making the folder of " + path);
    if (made) {
      Result<void> owned = own(next.get(), 0755);
      if (!owned) return std::unexpected(owned.error());
    }
    at = std::move(next);
  }
  return at;
}

Result<int> Box::create_file(std::string_view path, bool executable) {
  if (!is_safe_relative_path(path)) return fail(Code::kInvalidArgument, "an input has a name that is not allowed");
  if (guest_) return fail(Code::kFailedPrecondition, "the program has been started");
  std::string name(path);
  Result<Fd> parent = make_parents(name);
  if (!parent) return std::unexpected(parent.error());
  std::string last = name.substr(name.rfind('/') + 1);
  Fd file(::openat(parent->get(), last.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, "making the input " + name);
  Result<void> owned = own(file.get(), executable ? 0755 : 0644);
  if (!owned) return std::unexpected(owned.error());
  inputs_.emplace(std::move(name), InputState{});
  return file.release();
}

Result<void> Box::bind(const BoundFile& bound) {
  Result<int> mount_point = create_file(bound.path, false);
  if (!mount_point) return std::unexpected(mount_point.error());
  Fd file(*mount_point);
  return bind_file(bound.source, file.get());
}

Result<void> Box::note_inputs() {
  for (auto& [path, state] : inputs_) {
    Fd file(open_beneath(directory_fd_.get(), path, O_PATH | O_NOFOLLOW));
    struct stat info{};
    if (!file || ::fstat(file.get(), &info) != 0) return fail_errno(errno, "looking at the input " + path);
    state = state_of(info);
  }
  return {};
}

void Box::plan_limits(Launch& launch) const {
  auto add = [&launch](int resource, std::uint64_t value) {
    rlimit now{};
    ::getrlimit(static_cast<__rlimit_resource_t>(resource), &now);
    rlim_t bounded = std::min<rlim_t>(value, now.rlim_max);
    launch.limits.emplace_back(resource, rlimit{.rlim_cur = bounded, .rlim_max = bounded});
  };
  add(RLIMIT_NOFILE, limits_.max_open_files);
  add(RLIMIT_CORE, 0);
  if (!shared_.cgroups->has(Controller::kPids)) {
    add(RLIMIT_NPROC, limits_.max_processes + threads_of_user(shared_.user.uid));
  }
  if (!shared_.cgroups->has(Controller::kMemory)) add(RLIMIT_DATA, limits_.memory_bytes);
}

Result<void> Box::plan_files(const Command& command, Guest::Plan& plan) {
  Result<Pipe> output = make_pipe(O_CLOEXEC);
  Result<Pipe> errors = make_pipe(O_CLOEXEC);
  Result<Pipe> status = make_pipe(O_CLOEXEC);
  Result<Pipe> gate = make_pipe(O_CLOEXEC);
  if (!output || !errors || !status || !gate)
    return fail(Code::kResourceExhausted, "too many open files for another sandbox");
  for (Pipe* pipe : {&*output, &*errors, &*status}) {
    Result<void> ready = stop_blocking(pipe->read_end);
    if (ready) ready = own(pipe->write_end.get(), 0600);  // programs open /dev/stdout by name
    if (!ready) return ready;
  }
  Layout layout{.root = root_, .working_directory = directory_, .workspace = workspace_, .network_directory = {}};
  if (network_) {
    layout.network_directory = network_->directory();
    if (!layout.network_directory.empty()) layout.variables = GuestNetwork::variables_beside(command.variables);
  }
  Result<Fd> options = memory_file(bubblewrap_options(shared_.bubblewrap, layout, limits_, command));
  if (!options) return std::unexpected(options.error());
  std::vector<Fd>& files = plan.launch.files;
  files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  files.push_back(std::move(output->write_end));
  files.push_back(std::move(errors->write_end));
  files.push_back(std::move(*options));
  files.emplace_back(::open((shared_.place + "/filter").c_str(), O_RDONLY | O_CLOEXEC));
  files.push_back(std::move(status->write_end));
  files.push_back(std::move(gate->read_end));
  if (!files[0] || !files[kFilterFd]) return fail_errno(errno, "opening the program's files");
  plan.output = std::move(output->read_end);
  plan.errors = std::move(errors->read_end);
  plan.status = std::move(status->read_end);
  plan.gate = std::move(gate->write_end);
  plan.network = network_;
  return {};
}

Result<Guest::Plan> Box::plan(const Command& command) {
  Guest::Plan plan;
  plan.launch.program = shared_.bubblewrap.program;
  plan.launch.argv = {"bwrap", "--args", std::to_string(kArgumentsFd), "--"};
  plan.launch.argv.insert(plan.launch.argv.end(), command.argv.begin(), command.argv.end());
  plan.launch.user = shared_.user;
  Result<void> done = plan_files(command, plan);
  if (!done) return std::unexpected(done.error());
  plan_limits(plan.launch);
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
    if (done) done = bind(bound);
  }
  if (done) done = note_inputs();
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
  Result<void> done = cgroup_->freeze();
  if (!done) static_cast<void>(thaw());
  return done;
}

Result<void> Box::thaw() {
  frozen_ = false;
  return cgroup_->thaw();
}

Result<void> Box::require_ended() const {
  if (!guest_ || !guest_->finished()) return fail(Code::kFailedPrecondition, "the program has not ended");
  return {};
}

Result<std::vector<Output>> Box::collect(const std::vector<std::string>& patterns, const CollectLimits& limits) {
  if (Result<void> ended = require_ended(); !ended) return std::unexpected(ended.error());
  return collect_outputs(directory_fd_.get(), patterns, limits, inputs_);
}

Result<int> Box::open_output(std::string_view path) {
  if (Result<void> ended = require_ended(); !ended) return std::unexpected(ended.error());
  return open_output_beneath(directory_fd_.get(), path);
}

}  // namespace hearth::sandbox
