#include "cli/run_spec.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>

#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/values.h"
#include "net/destination.h"

namespace hearth::cli {
namespace {

// The schema's limits, see hearth.v1.JobSpec.
constexpr Range kTasks = {1, 1'000'000};
constexpr Range kCores = {1, 1024};
constexpr Range kMemory = {kMiB, 4 * kTiB};
constexpr Range kDisk = {kMiB, 64 * kTiB};
constexpr Range kWorkspace = {kMiB, 1024 * kTiB};
constexpr Range kGpus = {0, 16};
constexpr Range kRetries = {0, 100};
constexpr std::size_t kMostOutputs = 64;
constexpr std::size_t kMostAfter = 64;
constexpr std::size_t kMostVariables = 256;
constexpr std::size_t kMostName = 128;
constexpr std::size_t kMostArguments = 4096;
constexpr std::size_t kMostArgumentBytes = 128 * kKiB;

std::unexpected<Error> wrong(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

// Sets a numeric field from an option that may be absent.
template <class Set>
Result<void> set_count(std::string_view option, const std::string& text, Range range, Set set) {
  if (text.empty()) return {};
  const Result<std::uint64_t> value = parse_count(option, text, range);
  if (!value) return std::unexpected(value.error());
  set(*value);
  return {};
}

Result<void> set_resources(const RunOptions& options, v1::JobSpec& spec) {
  v1::Resources& resources = *spec.mutable_resources();
  const Result<void> cores = set_count("--cores", options.cores, kCores, [&](std::uint64_t count) {
    resources.set_cores(static_cast<std::uint32_t>(count));
  });
  if (!cores) return cores;
  const Result<void> gpus = set_count("--gpu", options.gpus, kGpus, [&](std::uint64_t count) {
    resources.set_gpus(static_cast<std::uint32_t>(count));
  });
  if (!gpus) return gpus;
  if (!options.gpu_memory.empty()) {
    const Result<std::uint64_t> memory = parse_size("--gpu-memory", options.gpu_memory, kMemory);
    if (!memory) return std::unexpected(memory.error());
    if (resources.gpus() == 0) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--gpu-memory {}: of which GPUs? say --gpu N too", plain(options.gpu_memory)));
    }
    resources.set_gpu_memory_bytes(*memory);
  }
  if (!options.disk.empty()) {
    const Result<std::uint64_t> disk = parse_size("--disk", options.disk, kDisk);
    if (!disk) return std::unexpected(disk.error());
    resources.set_disk_bytes(*disk);
  }
  if (options.memory.empty()) return {};
  const Result<std::uint64_t> memory = parse_size("--memory", options.memory, kMemory);
  if (!memory) return std::unexpected(memory.error());
  resources.set_memory_bytes(*memory);
  return {};
}

Result<void> set_numbers(const RunOptions& options, v1::JobSpec& spec) {
  const Result<void> tasks = set_count("-n", options.count, kTasks,
                                       [&](std::uint64_t count) { spec.set_tasks(static_cast<std::uint32_t>(count)); });
  if (!tasks) return tasks;
  const Result<void> retries = set_count("--retries", options.retries, kRetries, [&](std::uint64_t count) {
    spec.set_retries(static_cast<std::uint32_t>(count));
  });
  if (!retries || options.time.empty()) return retries;
  const Result<std::int64_t> limit = parse_time_limit("--time", options.time);
  if (!limit) return std::unexpected(limit.error());
  spec.set_time_limit_seconds(*limit);
  return {};
}

Result<v1::PriorityClass> parse_priority(const std::string& text) {
  constexpr std::array<std::string_view, 4> kNames = {"scavenger", "batch", "normal", "urgent"};
  const auto found = std::ranges::find(kNames, text);
  if (found != kNames.end()) return static_cast<v1::PriorityClass>(found - kNames.begin() + 1);
  return wrong(fmt::format("--priority {}: scavenger, batch, normal or urgent", plain(text)));
}

Result<void> set_placement(const RunOptions& options, v1::JobSpec& spec) {
  spec.set_where(options.where);
  spec.set_prefer(options.prefer);
  spec.set_gang(options.gang);
  spec.set_no_copies(options.no_copies);
  if (options.window + options.terminal + !options.web.empty() > 1) {
    return wrong("--window, --terminal and --web: a program has one of them");
  }
  spec.set_window(options.window);
  spec.set_terminal(options.terminal);
  if (!options.web.empty()) {
    const Result<std::uint16_t> port = parse_port("--web", options.web);
    if (!port) return std::unexpected(port.error());
    spec.set_web_port(*port);
  }
  if (!options.priority.empty()) {
    const Result<v1::PriorityClass> priority = parse_priority(options.priority);
    if (!priority) return std::unexpected(priority.error());
    spec.set_priority(*priority);
  }
  if (options.deadline.empty()) return {};
  const Result<WallTime> deadline = parse_moment("--deadline", options.deadline, wall_now());
  if (!deadline) return std::unexpected(deadline.error());
  spec.mutable_deadline()->set_unix_millis(deadline->unix_millis);
  return {};
}

bool leaves_directory(const std::string& pattern) {
  if (pattern.starts_with('/')) return true;
  return std::ranges::any_of(std::filesystem::path(pattern), [](const auto& part) { return part == ".."; });
}

// "/photos" of "drive:/photos"; nothing: a path of this PC.
std::optional<std::string> drive_path(const std::string& text) {
  constexpr std::string_view kDrive = "drive:";
  return text.starts_with(kDrive) ? std::optional(text.substr(kDrive.size())) : std::nullopt;
}

Result<void> set_drive_inputs(const RunOptions& options, v1::JobSpec& spec) {
  for (const std::string& input : options.inputs) {
    const std::optional<std::string> path = drive_path(input);
    if (path && path->empty()) {
      return wrong("--input drive: a path is needed, for example \"drive:/photos/*.raw\"; all of the drive is drive:/");
    }
    if (path) spec.add_drive_inputs(*path);
  }
  return {};
}

Result<void> set_drive_output(const std::string& path, v1::JobSpec& spec) {
  if (path.empty() || !spec.drive_outputs().empty()) {
    return wrong("--output drive: one folder of the drive is needed, for example drive:/photos/jpg");
  }
  spec.set_drive_outputs(path);
  return {};
}

Result<void> set_outputs(const RunOptions& options, v1::JobSpec& spec) {
  if (options.outputs.size() > kMostOutputs) {
    return wrong(
        fmt::format("--output is given {} times; at most {} are allowed", options.outputs.size(), kMostOutputs));
  }
  for (std::string pattern : options.outputs) {
    if (const std::optional<std::string> path = drive_path(pattern)) {
      if (Result<void> set = set_drive_output(*path, spec); !set) return set;
      continue;
    }
    if (pattern.empty() || leaves_directory(pattern) || !is_plain_utf8(pattern)) {
      return wrong(
          fmt::format("--output {}: a pattern relative to the task's working directory is needed, for example "
                      "\"frames/*.png\"",
                      plain(pattern)));
    }
    if (pattern.ends_with('/')) pattern += "**";
    spec.add_outputs(pattern);
  }
  if (!spec.drive_outputs().empty() && spec.outputs().empty()) spec.add_outputs("**");
  return {};
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || (std::isdigit(static_cast<unsigned char>(name[0])) != 0)) return false;
  return std::ranges::all_of(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

Result<void> set_variables(const RunOptions& options, v1::JobSpec& spec) {
  if (options.variables.size() > kMostVariables) {
    return wrong(
        fmt::format("--var is given {} times; at most {} are allowed", options.variables.size(), kMostVariables));
  }
  for (const std::string& variable : options.variables) {
    const std::size_t equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    if (equals == std::string::npos || !is_variable_name(name)) {
      return wrong(fmt::format("--var {}: NAME=VALUE is needed; a name has letters, digits and _", plain(variable)));
    }
    (*spec.mutable_variables())[name] = variable.substr(equals + 1);
  }
  return {};
}

Result<void> set_after(const RunOptions& options, v1::JobSpec& spec) {
  if (options.after.size() > kMostAfter) {
    return wrong(fmt::format("--after is given {} times; at most {} are allowed", options.after.size(), kMostAfter));
  }
  for (const std::string& text : options.after) {
    const Result<std::uint64_t> job = parse_job(text);
    if (!job) return fail(job, "--after");
    spec.add_after(*job);
  }
  return {};
}

Result<void> set_when(const RunOptions& options, v1::JobSpec& spec) {
  if (options.when.empty()) return {};
  static const std::map<std::string, v1::When> kWhen = {
      {"success", v1::WHEN_SUCCESS}, {"failure", v1::WHEN_FAILURE}, {"always", v1::WHEN_ALWAYS}};
  const auto found = kWhen.find(options.when);
  if (found == kWhen.end()) {
    return wrong(fmt::format("--when {}: success, failure or always is needed", plain(options.when)));
  }
  if (options.after.empty())
    return wrong(fmt::format("--when {}: when what has ended? say --after JOB too", options.when));
  spec.set_when(found->second);
  return {};
}

Result<void> set_network(const RunOptions& options, v1::JobSpec& spec) {
  if (options.net.empty()) return {};
  if (options.net == "full") {
    spec.set_net_full(true);
    return {};
  }
  if (options.net == "gang") {
    if (!options.gang) return wrong("--net gang: it is the network of a gang; say --gang too");
    spec.set_net_gang(true);
    return {};
  }
  constexpr std::string_view kHosts = "hosts=";
  if (!options.net.starts_with(kHosts)) {
    return wrong(fmt::format(
        "--net {}: write hosts=NAME:PORT,..., for example hosts=a.example:443,b.example:80, or full, or, with "
        "--gang, gang; without "
        "--net a program reaches nothing",
        plain(options.net)));
  }
  std::string_view list = std::string_view(options.net).substr(kHosts.size());
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t end = std::min(list.find(',', start), list.size());
    const Result<net::Endpoint> host = net::parse_destination(list.substr(start, end - start));
    if (!host) return fail(host, "--net hosts");
    spec.add_net_hosts(host->text());
    start = end + 1;
  }
  if (spec.net_hosts_size() > static_cast<int>(net::kMaxDestinations)) {
    return wrong(
        fmt::format("--net lists {} hosts; at most {} are allowed", spec.net_hosts_size(), net::kMaxDestinations));
  }
  return {};
}

Result<void> set_workspace(const RunOptions& options, v1::JobSpec& spec) {
  if (options.workspace.empty()) return {};
  const std::size_t colon = options.workspace.find(':');
  const std::string name = options.workspace.substr(0, colon);
  if (!is_short_name(name)) {
    return wrong(fmt::format(
        "--workspace {}: NAME or NAME:SIZE is needed, for example work:4G; a name has 1 to 64 of a-z, 0-9, '.', '_' "
        "and '-', a letter or digit first",
        plain(options.workspace)));
  }
  spec.mutable_workspace()->set_name(name);
  if (colon == std::string::npos) return {};
  const Result<std::uint64_t> bytes = parse_size("--workspace NAME:", options.workspace.substr(colon + 1), kWorkspace);
  if (!bytes) return std::unexpected(bytes.error());
  spec.mutable_workspace()->set_bytes(*bytes);
  return {};
}

Result<void> set_program(const RunOptions& options, v1::JobSpec& spec) {
  if (options.program.empty()) return wrong("no program is given: it stands behind two dashes, -- PROGRAM ARGS...");
  std::size_t bytes = 0;
  for (const std::string& argument : options.program) {
    bytes += argument.size();
    spec.add_argv(argument);
  }
  if (options.program.size() > kMostArguments || bytes > kMostArgumentBytes) {
    return wrong(
        fmt::format("the program has {} arguments of {} in all; at most {} of {} are allowed: write them to a "
                    "file and give that as --input",
                    options.program.size(), format_bytes(bytes), kMostArguments, format_bytes(kMostArgumentBytes)));
  }
  if (options.name.size() > kMostName || !is_plain_utf8(options.name)) {
    return wrong(fmt::format("--name {}: at most {} bytes of text without control characters are allowed",
                             plain(options.name), kMostName));
  }
  spec.set_name(options.name);
  spec.set_environment(options.environment);
  return {};
}

bool is_local_file(const std::string& path) {
  std::error_code failure;
  return std::filesystem::is_regular_file(path, failure);
}

// Programs of the node's own /usr are run where they are; their paths are the same on every node.
bool is_of_the_system(const std::string& program) {
  constexpr std::array<std::string_view, 5> kSystem = {"/usr/", "/bin/", "/sbin/", "/lib/", "/opt/"};
  return std::ranges::any_of(kSystem, [&](std::string_view prefix) { return program.starts_with(prefix); });
}

bool is_in_system_path(const std::string& program) {
  constexpr std::array<std::string_view, 6> kPath = {"/usr/local/bin/", "/usr/local/sbin/", "/usr/bin/", "/usr/sbin/",
                                                     "/bin/",           "/usr/games/"};
  return std::ranges::any_of(kPath,
                             [&](std::string_view prefix) { return is_local_file(std::string(prefix) + program); });
}

bool is_source(const std::string& program) {
  const std::string extension = std::filesystem::path(program).extension();
  return extension == ".py" || extension == ".cpp" || extension == ".cc" || extension == ".cxx";
}

const blob::LocalFile* find_file(const std::vector<blob::LocalFile>& files, const std::string& tree_path) {
  const auto found = std::ranges::find(files, tree_path, &blob::LocalFile::tree_path);
  return found == files.end() ? nullptr : &*found;
}

// A program that is a file here goes along with the inputs and runs by its path among them.
Result<void> ship_program(RunPlan& plan) {
  const std::string program = plan.spec.argv(0);
  if (!is_source(program) && ::access(program.c_str(), X_OK) != 0) {
    return wrong(fmt::format("{} may not be executed; allow it with: chmod +x {}", plain(program), plain(program)));
  }
  const Result<std::vector<blob::LocalFile>> scanned = blob::scan_inputs({program});
  if (!scanned) return std::unexpected(scanned.error());
  const blob::LocalFile& file = scanned->front();
  if (const blob::LocalFile* there = find_file(plan.files, file.tree_path)) {
    std::error_code failure;
    if (!std::filesystem::equivalent(there->source, file.source, failure)) {
      return wrong(fmt::format("the program {} and the input {} would both be {} in the task's directory",
                               plain(program), plain(there->source.string()), plain(file.tree_path)));
    }
  } else {
    plan.files.push_back(file);
  }
  // With a '/' it is looked up among the inputs.
  const bool top = file.tree_path.find('/') == std::string::npos;
  plan.spec.set_argv(0, top ? "./" + file.tree_path : file.tree_path);
  return {};
}

Result<void> place_program(const RunOptions& options, RunPlan& plan) {
  const std::string& program = options.program.front();
  std::error_code failure;
  if (std::filesystem::is_directory(program, failure) && program.find('/') != std::string::npos) {
    return wrong(fmt::format("{} is a directory; name the program in it", plain(program)));
  }
  if (program.find('/') == std::string::npos) {
    if (program.empty()) return wrong("the program's name is empty");
    if (!is_local_file(program) || is_in_system_path(program)) return {};
    return wrong(fmt::format("{}: a bare name is looked up among the node's own programs; the file here is ./{}",
                             plain(program), plain(program)));
  }
  if (is_of_the_system(program)) return {};
  if (is_local_file(program)) return ship_program(plan);
  const std::string tree_path = std::filesystem::path(program).lexically_normal().string();
  // It may come out of the jobs that this one runs after.
  if (find_file(plan.files, tree_path) != nullptr || !options.after.empty()) return {};
  return fail(Code::kNotFound, fmt::format("{}: there is no such file here", plain(program)));
}

bool is_among(const std::vector<blob::LocalFile>& files, const std::string& argument) {
  const std::string path = std::filesystem::path(argument).lexically_normal().string();
  const std::string folder = path.ends_with('/') ? path : path + "/";
  return std::ranges::any_of(
      files, [&](const blob::LocalFile& file) { return file.tree_path == path || file.tree_path.starts_with(folder); });
}

// Arguments that name files of this machine which the task will not see.
std::vector<std::string> forgotten_inputs(const RunOptions& options, const RunPlan& plan) {
  constexpr std::size_t kMostNotes = 5;
  std::vector<std::string> notes;
  for (std::size_t i = 1; i < options.program.size() && notes.size() < kMostNotes; ++i) {
    const std::string& argument = options.program[i];
    std::error_code failure;
    const bool exists = std::filesystem::exists(argument, failure) && std::filesystem::path(argument).has_filename();
    if (!exists || argument == "." || argument == ".." || is_of_the_system(argument)) continue;
    if (is_among(plan.files, argument)) continue;
    notes.push_back(
        fmt::format("note: {} is a file here, but the task will not see it; to send it along add --input {}",
                    plain(argument), plain(argument)));
  }
  return notes;
}

}  // namespace

Result<v1::JobSpec> spec_of(const RunOptions& options) {
  v1::JobSpec spec;
  for (const auto& set : {set_program, set_numbers, set_resources, set_placement, set_drive_inputs, set_outputs,
                          set_variables, set_after, set_when, set_workspace, set_network}) {
    if (Result<void> done = set(options, spec); !done) return std::unexpected(done.error());
  }
  return spec;
}

Result<RunPlan> plan_run(const RunOptions& options) {
  Result<v1::JobSpec> spec = spec_of(options);
  if (!spec) return std::unexpected(spec.error());
  RunPlan plan{.spec = std::move(*spec), .files = {}, .notes = {}};
  std::vector<std::string> local = options.inputs;
  std::erase_if(local, [](const std::string& input) { return drive_path(input).has_value(); });
  if (!local.empty()) {
    Result<std::vector<blob::LocalFile>> files = blob::scan_inputs(local, options.excluded);
    if (!files) return std::unexpected(files.error());
    plan.files = std::move(*files);
  }
  if (Result<void> placed = place_program(options, plan); !placed) return std::unexpected(placed.error());
  plan.notes = forgotten_inputs(options, plan);
  return plan;
}

bool names_local_program(const std::string& script, std::string& program) {
  program = script.substr(0, script.find_first_of(" \t\n;|&<>()"));
  return program.find('/') != std::string::npos && !is_of_the_system(program) && is_local_file(program);
}

Result<std::uint64_t> parse_job(const std::string& text) {
  const Result<std::uint64_t> job = parse_count("job", text, {1, 1ULL << 62});
  if (!job) return wrong(fmt::format("{} is no job's number; they are listed by: hearth jobs", plain(text)));
  return job;
}

int exit_code_of(const v1::Outcome& outcome) {
  switch (outcome.reason()) {
    case v1::FAILURE_REASON_UNSPECIFIED:
      return 0;
    case v1::FAILURE_REASON_EXIT_CODE:
    case v1::FAILURE_REASON_SIGNAL:
      return outcome.exit_code() > 0 && outcome.exit_code() < 256 ? outcome.exit_code() : 1;
    case v1::FAILURE_REASON_OUT_OF_MEMORY:
      return 137;
    case v1::FAILURE_REASON_TIME_LIMIT:
      return 124;
    case v1::FAILURE_REASON_CANCELLED:
      return 130;
    default:
      return 1;
  }
}

int exit_code_of(const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_SUCCEEDED) return 0;
  if (job.state() == v1::JOB_STATE_CANCELLED) return 130;
  const int code = exit_code_of(job.first_failure());
  return code == 0 ? 1 : code;
}

std::string drive_trouble_text(const v1::Job& job) {
  if (job.drive_outputs_trouble().empty()) return "";
  return fmt::format("its results are not all in {} of the drive: {}; {}they are with the job: hearth get {}",
                     plain(job.spec().drive_outputs()), plain(job.drive_outputs_trouble()),
                     job.drive_outputs_due() ? "the hub goes on trying, and " : "", job.id());
}

std::string failure_text(const v1::Job& job) {
  const std::string first = failure_text(job.first_failure());
  if (first.empty()) return "";
  if (job.first_failure().reason() == v1::FAILURE_REASON_SKIPPED) return fmt::format("job {}: {}", job.id(), first);
  if (job.spec().tasks() <= 1) return fmt::format("job {} failed: {}", job.id(), first);
  return fmt::format("{} of {} tasks failed; the first one: {} (hearth job {})", job.failed(), job.spec().tasks(),
                     first, job.id());
}

std::string failure_text(const v1::Outcome& outcome) {
  const auto with_message = [&outcome](std::string_view what) {
    return outcome.message().empty() ? std::string(what) : fmt::format("{}: {}", what, plain(outcome.message()));
  };
  switch (outcome.reason()) {
    case v1::FAILURE_REASON_UNSPECIFIED:
      return "";
    case v1::FAILURE_REASON_EXIT_CODE:
      return fmt::format("exit code {}", outcome.exit_code());
    case v1::FAILURE_REASON_SIGNAL:
      return outcome.message().empty() ? fmt::format("ended by signal {}", outcome.exit_code() - 128)
                                       : plain(outcome.message());
    case v1::FAILURE_REASON_OUT_OF_MEMORY:
      return with_message("it needed more memory than its limit (--memory)");
    case v1::FAILURE_REASON_TIME_LIMIT:
      return with_message("it ran longer than its limit (--time)");
    case v1::FAILURE_REASON_NODE_LOST:
      return with_message("its node was lost");
    case v1::FAILURE_REASON_DISK:
      return outcome.message().empty() ? "its files took more than its disk (--disk)" : plain(outcome.message());
    case v1::FAILURE_REASON_WORKSPACE:
      return outcome.message().empty() ? "its workspace holds more than it may" : plain(outcome.message());
    case v1::FAILURE_REASON_OWNER:
      return "its PC's owner needed the PC; it runs again, from what it saved in its workspace (--workspace) or else "
             "anew";
    case v1::FAILURE_REASON_DRAINED:
      return "its node is drained by the pool's owner; it runs again elsewhere";
    case v1::FAILURE_REASON_BOOKED:
      return "its node is kept for others from now on";
    case v1::FAILURE_REASON_PREEMPTED:
      return "a task of a higher class needed its room; it runs again (--priority says which class it is of)";
    case v1::FAILURE_REASON_GANG:
      return with_message("it ended with its gang");
    case v1::FAILURE_REASON_START:
      return with_message("it could not be started");
    case v1::FAILURE_REASON_OUTPUT:
      return with_message("its results were refused");
    case v1::FAILURE_REASON_DEPENDENCY:
      return "a job that it runs after did not succeed";
    case v1::FAILURE_REASON_SKIPPED:
      return "skipped: no job that it runs after failed, or one of them was skipped";
    case v1::FAILURE_REASON_CANCELLED:
      return outcome.message().empty() ? "cancelled" : plain(outcome.message());
    default:
      return with_message("failed");
  }
}

}  // namespace hearth::cli
