#include "hub/spec.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string>

#include <fmt/format.h>

#include "base/bytes.h"
#include "core/pool/condition.h"
#include "core/pool/preference.h"
#include "hub/convert.h"
#include "hub/environments.h"
#include "net/destination.h"
#include "net/nebula_config.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kMaxTasks = 1'000'000;
constexpr int kMaxArguments = 4096;
constexpr std::size_t kMaxArgumentBytes = 128 << 10;
constexpr int kMaxVariables = 256;
constexpr std::size_t kMaxVariableBytes = 64 << 10;
constexpr int kMaxPatterns = 64;
constexpr int kMaxAfter = 64;
constexpr std::uint32_t kMaxRetries = 100;
constexpr std::int64_t kMaxSeconds = 2'592'000;
constexpr std::int64_t kStandardLimitSeconds = 24 * 3600;
constexpr std::uint64_t kMinMemory = 1ULL << 20;
constexpr std::uint64_t kMaxMemory = 4ULL << 40;
constexpr std::uint64_t kMaxDisk = 64ULL << 40;
constexpr std::uint64_t kMinWorkspace = 1ULL << 20;
constexpr std::uint64_t kMaxWorkspace = 1ULL << 50;
constexpr std::size_t kMaxAppWhere = 1'000;

std::unexpected<Error> wrong(std::string_view field, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("{}: {}", field, what));
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  if (name.empty() || !letter(name[0])) return false;
  return std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

Result<void> check_argv(const v1::JobSpec& spec) {
  if (spec.argv_size() == 0 || spec.argv(0).empty()) return wrong("argv", "empty: the program to run is missing");
  if (spec.argv_size() > kMaxArguments)
    return wrong("argv", fmt::format("{} arguments: at most {}", spec.argv_size(), kMaxArguments));
  std::size_t bytes = 0;
  for (const std::string& argument : spec.argv()) {
    bytes += argument.size();
    if (has_nul(argument)) return wrong("argv", "an argument holds a NUL byte");
  }
  if (bytes > kMaxArgumentBytes)
    return wrong("argv", fmt::format("{} in all: at most {}", format_bytes(bytes), format_bytes(kMaxArgumentBytes)));
  return {};
}

Result<void> check_resources(const v1::Resources& needs) {
  if (needs.cores() > 1024) return wrong("resources.cores", fmt::format("{}: a task needs 1 to 1024", needs.cores()));
  if (needs.gpu_memory_bytes() > kMaxMemory || (needs.gpu_memory_bytes() > 0 && needs.gpus() == 0)) {
    return wrong("resources.gpu_memory_bytes",
                 fmt::format("{}: with at least one GPU, at most {}", format_bytes(needs.gpu_memory_bytes()),
                             format_bytes(kMaxMemory)));
  }
  if (needs.disk_bytes() > kMaxDisk) {
    return wrong("resources.disk_bytes",
                 fmt::format("{}: a task needs at most {}", format_bytes(needs.disk_bytes()), format_bytes(kMaxDisk)));
  }
  if (needs.gpus() > 16) return wrong("resources.gpus", fmt::format("{}: a task needs 0 to 16", needs.gpus()));
  if (needs.memory_bytes() < kMinMemory || needs.memory_bytes() > kMaxMemory) {
    return wrong("resources.memory_bytes", fmt::format("{}: a task needs {} to {}", format_bytes(needs.memory_bytes()),
                                                       format_bytes(kMinMemory), format_bytes(kMaxMemory)));
  }
  return {};
}

bool is_safe_pattern(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > 4096 || pattern.front() == '/' || has_nul(pattern)) return false;
  for (std::size_t start = 0; start <= pattern.size();) {
    const std::size_t end = std::min(pattern.find('/', start), pattern.size());
    const std::string_view part = pattern.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return true;
}

Result<void> check_outputs(const v1::JobSpec& spec) {
  if (spec.outputs_size() > kMaxPatterns)
    return wrong("outputs", fmt::format("{} patterns: at most {}", spec.outputs_size(), kMaxPatterns));
  for (const std::string& pattern : spec.outputs()) {
    if (!is_safe_pattern(pattern)) {
      return wrong("outputs",
                   fmt::format("'{}': a pattern is relative to the task's directory, without '.' or '..'", pattern));
    }
  }
  return {};
}

Result<void> check_variables(const v1::JobSpec& spec) {
  if (spec.variables_size() > kMaxVariables)
    return wrong("variables", fmt::format("{}: at most {}", spec.variables_size(), kMaxVariables));
  std::size_t bytes = 0;
  for (const auto& [name, value] : spec.variables()) {
    if (!is_variable_name(name))
      return wrong("variables", fmt::format("'{}': a name is letters, digits and '_', no digit first", name));
    if (has_nul(value)) return wrong("variables", fmt::format("{}: the value holds a NUL byte", name));
    bytes += name.size() + value.size();
  }
  if (bytes > kMaxVariableBytes)
    return wrong("variables",
                 fmt::format("{} in all: at most {}", format_bytes(bytes), format_bytes(kMaxVariableBytes)));
  return {};
}

// Written in one form, so that what the node's proxy compares is what the job's owner meant.
Result<void> complete_hosts(v1::JobSpec& spec) {
  if (spec.net_hosts_size() > static_cast<int>(net::kMaxDestinations)) {
    return wrong("net_hosts", fmt::format("{}: at most {}", spec.net_hosts_size(), net::kMaxDestinations));
  }
  if (spec.net_full() && spec.net_hosts_size() > 0) return wrong("net_hosts", "a job with net_full lists none");
  std::set<std::string> hosts;
  for (const std::string& host : spec.net_hosts()) {
    Result<net::Endpoint> parsed = net::parse_destination(host);
    if (!parsed) return wrong("net_hosts", parsed.error().message);
    hosts.insert(parsed->text());
  }
  spec.mutable_net_hosts()->Assign(hosts.begin(), hosts.end());
  return {};
}

Result<void> check_workspace(const v1::JobSpec& spec) {
  if (!spec.has_workspace()) return {};
  if (!is_short_name(spec.workspace().name())) {
    return wrong("workspace.name", "1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
  }
  const std::uint64_t bytes = spec.workspace().bytes();
  if (bytes != 0 && (bytes < kMinWorkspace || bytes > kMaxWorkspace)) {
    return wrong("workspace.bytes", fmt::format("{}: a workspace holds {} to {}", format_bytes(bytes),
                                                format_bytes(kMinWorkspace), format_bytes(kMaxWorkspace)));
  }
  return {};
}

Result<void> check_counts(const v1::JobSpec& spec) {
  if (spec.tasks() > kMaxTasks) return wrong("tasks", fmt::format("{}: a job has 1 to {}", spec.tasks(), kMaxTasks));
  if (spec.retries() > kMaxRetries) return wrong("retries", fmt::format("{}: 0 to {}", spec.retries(), kMaxRetries));
  if (spec.time_limit_seconds() < 0 || spec.time_limit_seconds() > kMaxSeconds) {
    return wrong("time_limit_seconds", fmt::format("{}: 1 to {} (30 days)", spec.time_limit_seconds(), kMaxSeconds));
  }
  if (spec.after_size() > kMaxAfter)
    return wrong("after", fmt::format("{} jobs: at most {}", spec.after_size(), kMaxAfter));
  if (!v1::When_IsValid(spec.when())) return wrong("when", fmt::format("{}: 1 to 3", static_cast<int>(spec.when())));
  if (spec.after_size() == 0 && spec.when() > v1::WHEN_SUCCESS)
    return wrong("when", "for the end of which jobs? name them in `after`");
  return {};
}

Result<void> check_words_on_nodes(const v1::JobSpec& spec) {
  if (!is_plain_utf8(spec.where())) return wrong("where", "UTF-8 without control characters");
  if (!is_plain_utf8(spec.prefer())) return wrong("prefer", "UTF-8 without control characters");
  if (!spec.where().empty()) {
    if (const auto condition = pool::Condition::parse(spec.where()); !condition) return fail(condition, "where");
  }
  if (!spec.prefer().empty()) {
    if (const auto preference = pool::Preference::parse(spec.prefer()); !preference) return fail(preference, "prefer");
  }
  return {};
}

Result<void> check_placement(const v1::JobSpec& spec) {
  if (!v1::PriorityClass_IsValid(spec.priority())) {
    return wrong("priority", "a class is scavenger, batch, normal or urgent");
  }
  if (spec.gang() && spec.tasks() > pool::kMaxGang) {
    return wrong("gang", fmt::format("{} tasks: a gang has at most {}", spec.tasks(), pool::kMaxGang));
  }
  if (spec.gang() && spec.has_workspace()) {
    return wrong("gang", "its tasks run at once, but a workspace is one task's at a time");
  }
  if (spec.net_gang() && !spec.gang()) return wrong("net_gang", "it is a gang's: set `gang` too");
  if (spec.net_gang() && spec.tasks() > net::kMaxGangNetwork) {
    return wrong("net_gang",
                 fmt::format("{} tasks: the network of a gang has at most {}", spec.tasks(), net::kMaxGangNetwork));
  }
  if (spec.net_gang() && (spec.net_full() || spec.net_hosts_size() > 0)) {
    return wrong("net_gang", "tasks that reach their gang reach nothing else: without net_hosts and net_full");
  }
  if (spec.deadline().unix_millis() < 0) return wrong("deadline", "a moment after 1970");
  return check_words_on_nodes(spec);
}

bool is_seen_live(const v1::JobSpec& spec) { return spec.window() || spec.terminal() || spec.web_port() != 0; }

// Its window is on a display in its own sandbox, made by programs of the node's. Its terminal and its port need nothing
// of the environment.
Result<void> check_app(const v1::JobSpec& spec) {
  if (!is_seen_live(spec)) return {};
  const std::string_view kind = spec.window() ? "window" : spec.terminal() ? "terminal" : "web_port";
  if (spec.web_port() > UINT16_MAX) return wrong("web_port", "a port from 1 to 65535");
  if (spec.window() + spec.terminal() + (spec.web_port() != 0) > 1) {
    return wrong(kind, "a program has a window, a terminal or a web page, one of them");
  }
  if (spec.tasks() != 1) return wrong(kind, "a program that is seen and used live is a job of one task");
  if (spec.where().size() > kMaxAppWhere) return wrong("where", "of a program that is seen live at most 1,000 bytes");
  if (!spec.window()) return {};
  if (!spec.environment().empty() && spec.environment() != kHostEnvironment) {
    return wrong("window", "a program with windows runs in the environment \"host\", which has a display for it");
  }
  return {};
}

// It starts nothing, so all that a program would have or need is out of place.
Result<void> check_screen_of(const v1::JobSpec& spec) {
  if (spec.screen_of() == 0) return {};
  if (!spec.window()) return wrong("screen_of", "what shows somebody's screen is an app: set `window` too");
  const bool has_more = spec.has_inputs() || spec.has_inputs_by_task() || spec.outputs_size() > 0 ||
                        spec.after_size() > 0 || spec.retries() > 0 || spec.gang() || spec.has_workspace() ||
                        spec.net_hosts_size() > 0 || spec.net_full() || spec.drive_inputs_size() > 0 ||
                        !spec.drive_outputs().empty();
  if (has_more) {
    return wrong("screen_of", "it starts no program: without inputs, outputs, workspace, network, retries or gang");
  }
  return {};
}

Result<void> check_names(const v1::JobSpec& spec) {
  if (spec.name().size() > 128 || !is_plain_utf8(spec.name()))
    return wrong("name", "at most 128 bytes of UTF-8 without control characters");
  if (!spec.environment().empty() && spec.environment() != kHostEnvironment &&
      !is_environment_name(spec.environment())) {
    return wrong("environment", "\"host\", or 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
  }
  if (spec.has_inputs() && spec.inputs().sha256().size() != 32) return wrong("inputs.sha256", "a SHA-256 has 32 bytes");
  if (spec.has_inputs_by_task() && spec.inputs_by_task().sha256().size() != 32)
    return wrong("inputs_by_task.sha256", "a SHA-256 has 32 bytes");
  return {};
}

std::string default_name(const v1::JobSpec& spec) {
  const std::string& program = spec.argv(0);
  std::string name = program.substr(program.find_last_of('/') + 1).substr(0, 128);
  return is_plain_utf8(name) ? name : "job";
}

}  // namespace

Result<void> complete_spec(v1::JobSpec& spec) {
  if (spec.tasks() == 0) spec.set_tasks(1);
  v1::Resources& needs = *spec.mutable_resources();
  if (needs.cores() == 0) needs.set_cores(1);
  if (needs.memory_bytes() == 0) needs.set_memory_bytes(1ULL << 30);
  if (spec.time_limit_seconds() == 0) spec.set_time_limit_seconds(kStandardLimitSeconds);
  if (spec.priority() == v1::PRIORITY_CLASS_UNSPECIFIED) spec.set_priority(v1::PRIORITY_CLASS_NORMAL);
  if (spec.screen_of() != 0) spec.clear_where();
  const std::set<std::uint64_t> after(spec.after().begin(), spec.after().end());
  spec.mutable_after()->Assign(after.begin(), after.end());

  for (const auto& check : {check_argv, check_counts, check_outputs, check_variables, check_names, check_workspace,
                            check_app, check_screen_of, check_placement}) {
    if (Result<void> done = check(spec); !done) return done;
  }
  if (Result<void> done = check_resources(needs); !done) return done;
  if (Result<void> done = complete_hosts(spec); !done) return done;
  if (spec.screen_of() != 0) spec.clear_resources();
  if (spec.name().empty()) spec.set_name(default_name(spec));
  return {};
}

Result<void> check_standing(const v1::JobSpec& spec, Ring ring) {
  if (spec.screen_of() != 0 && ring != Ring::kHome) {
    return fail(
        Code::kPermissionDenied,
        fmt::format("screen_of: a screen is shown by devices of ring home, and this one is of ring {}", name_of(ring)));
  }
  if (spec.priority() != v1::PRIORITY_CLASS_URGENT || ring == Ring::kHome) return {};
  return fail(Code::kPermissionDenied, fmt::format("priority: urgent is for devices of ring home, and this one is of "
                                                   "ring {}: ask for normal, batch or scavenger",
                                                   name_of(ring)));
}

std::string where_of(const v1::JobSpec& spec) {
  if (spec.screen_of() != 0 || (!spec.window() && !spec.terminal())) return spec.where();
  const std::string_view needed = spec.window() ? "screen" : "terminal";
  return spec.where().empty() ? std::string(needed) : fmt::format("{} && ({})", needed, spec.where());
}

void fill_request(const v1::JobSpec& spec, Ring ring, pool::JobRequest& request) {
  request.per_task = from_proto(spec.resources());
  request.own_of = {spec.screen_of()};
  if (spec.screen_of() == 0) request.admission = admission_of(spec, ring);
  request.workspace = spec.workspace().name();
  request.where = where_of(spec);
  if (spec.priority() != v1::PRIORITY_CLASS_UNSPECIFIED) {
    request.priority = static_cast<pool::PriorityClass>(spec.priority());
  }
  request.gang = spec.gang();
  request.when = when_of(spec);
  request.deadline_millis = spec.deadline().unix_millis();
  request.no_copies = spec.no_copies() || is_seen_live(spec);
  request.prefer = spec.prefer();
  // The standard limit is nobody's word on how long it takes.
  if (spec.time_limit_seconds() < kStandardLimitSeconds) request.limit = seconds(spec.time_limit_seconds());
}

Result<void> check_inputs_by_task(const v1::Tree& tree, std::uint32_t tasks) {
  for (const v1::TreeFile& file : tree.files()) {
    const std::string_view path = file.path();
    const std::string_view number = path.substr(0, path.find('/'));
    std::uint32_t task = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), task);
    const bool is_number = error == std::errc() && end == number.data() + number.size() && number.size() < path.size();
    if (is_number && task < tasks && number == std::to_string(task)) continue;
    return wrong("inputs_by_task",
                 fmt::format("'{}': a path begins with its task's number, 0/ to {}/", path, tasks - 1));
  }
  return {};
}

pool::When when_of(const v1::JobSpec& spec) {
  return spec.when() == v1::WHEN_UNSPECIFIED ? pool::When::kSuccess : static_cast<pool::When>(spec.when());
}

Admission admission_of(const v1::JobSpec& spec, Ring ring) {
  Admission needs(ring, {Right::kRun});
  if (spec.environment().empty() || spec.environment() == kHostEnvironment) needs.add(ring, Right::kHostFiles);
  if (spec.resources().gpus() > 0) needs.add(ring, Right::kGpu);
  if (spec.net_hosts_size() > 0) needs.add(ring, Right::kListedHosts);
  if (spec.net_full()) needs.add(ring, Right::kFullNetwork);
  if (spec.net_gang()) needs.add(ring, Right::kGangNetwork);
  needs.workspace_bytes = spec.workspace().bytes();
  return needs;
}

}  // namespace hearth::hub
