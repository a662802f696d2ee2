#include "node/command.h"

#include <map>

#include "node/workspaces.h"

namespace hearth::node {
namespace {

constexpr const char* kPath = "/usr/local/bin:/usr/bin:/bin:/usr/games";
// A line "// link: -lX11" among the first twenty names the libraries.
constexpr const char* kCompileAndRun =
    "c++ -O2 -std=c++20 -pthread -o /tmp/program \"$0\" $(sed -n '1,20s|^// *link: *\\(-l.*\\)$|\\1|p' \"$0\") && "
    "exec /tmp/program \"$@\"";
constexpr std::uint64_t kDefaultMemory = 1ULL << 30;
constexpr std::int64_t kDefaultTimeLimitSeconds = 86'400;

// "{i}" is the task's number, "{{i}}" is "{i}" itself.
std::string with_index(std::string text, TaskId task) {
  const std::string number = std::to_string(task.index);
  for (std::size_t at = text.find("{i}"); at != std::string::npos;) {
    const bool is_itself = at > 0 && text[at - 1] == '{' && at + 3 < text.size() && text[at + 3] == '}';
    const std::string with = is_itself ? "{i}" : number;
    const std::size_t start = is_itself ? at - 1 : at;
    text.replace(start, is_itself ? 5 : 3, with);
    at = text.find("{i}", start + with.size());
  }
  return text;
}

enum class Kind { kProgram, kPython, kCpp };

Kind kind_of(const std::string& program) {
  if (program.ends_with(".py")) return Kind::kPython;
  for (const char* ending : {".cpp", ".cc", ".cxx"}) {
    if (program.ends_with(ending)) return Kind::kCpp;
  }
  return Kind::kProgram;
}

// A source among the inputs by a name that no interpreter takes for an option. Empty if it is none of ours: then a
// program of that name is looked for in PATH.
Result<std::string> source_path(const std::string& program, const IsInput& is_input) {
  if (program.starts_with('/')) return program;
  std::string path = program;
  while (path.starts_with("./")) path.erase(0, 2);
  if (is_input(path)) return "./" + path;
  if (!program.contains('/')) return std::string();
  return fail(Code::kNotFound, "the program '" + program + "' is not among the inputs");
}

}  // namespace

Result<sandbox::Command> make_command(const v1::JobSpec& spec, TaskId task, const IsInput& is_input,
                                      const std::string& own_input) {
  sandbox::Command command;
  for (const std::string& argument : spec.argv()) command.argv.push_back(with_index(argument, task));
  if (command.argv.empty() || command.argv[0].empty()) {
    return fail(Code::kInvalidArgument, "the job names no program to run");
  }
  if (Kind kind = kind_of(command.argv[0]); kind != Kind::kProgram) {
    Result<std::string> source = source_path(command.argv[0], is_input);
    if (!source) return std::unexpected(source.error());
    if (!source->empty()) {
      command.argv[0] = *source;
      std::vector<std::string> before = {"python3"};
      if (kind == Kind::kCpp) before = {"/bin/sh", "-c", kCompileAndRun};
      command.argv.insert(command.argv.begin(), before.begin(), before.end());
    }
  }
  std::map<std::string, std::string> variables = {{"PATH", kPath}, {"HOME", "/job"}, {"LANG", "C.UTF-8"}};
  for (const auto& [name, value] : spec.variables()) variables[name] = with_index(value, task);
  variables["HEARTH_TASK_INDEX"] = std::to_string(task.index);
  variables["HEARTH_TASK_COUNT"] = std::to_string(spec.tasks());
  variables["HEARTH_JOB_ID"] = std::to_string(task.job.value);
  if (!own_input.empty()) variables["HEARTH_INPUT"] = own_input;
  if (spec.has_workspace()) variables["HEARTH_WORKSPACE"] = kWorkspacePath;
  command.variables.assign(variables.begin(), variables.end());
  return command;
}

std::vector<std::string> make_patterns(const v1::JobSpec& spec, TaskId task) {
  std::vector<std::string> patterns;
  for (const std::string& pattern : spec.outputs()) patterns.push_back(with_index(pattern, task));
  return patterns;
}

Result<void> check_environment(const v1::JobSpec& spec) {
  if (spec.environment().empty() || spec.environment() == "host") return {};
  return fail(Code::kNotFound,
              "this node has no environment '" + spec.environment() + "'; it has one: 'host', its own /usr");
}

Resources needs_of(const v1::JobSpec& spec) {
  if (shows_owners_screen(spec)) return {};
  const v1::Resources& wanted = spec.resources();
  return {.cores = wanted.cores() == 0 ? 1 : wanted.cores(),
          .memory_bytes = wanted.memory_bytes() == 0 ? kDefaultMemory : wanted.memory_bytes(),
          .gpus = wanted.gpus(),
          .gpu_memory_bytes = wanted.gpu_memory_bytes(),
          .disk_bytes = wanted.disk_bytes()};
}

bool shows_owners_screen(const v1::JobSpec& spec) { return spec.screen_of() != 0; }

Duration time_limit_of(const v1::JobSpec& spec) {
  if (shows_owners_screen(spec)) return {};
  return seconds(spec.time_limit_seconds() > 0 ? spec.time_limit_seconds() : kDefaultTimeLimitSeconds);
}

AttemptId from_proto(const v1::AttemptId& attempt) {
  return {.task = {.job = {attempt.job_id()}, .index = attempt.task()}, .epoch = attempt.epoch()};
}

v1::AttemptId to_proto(AttemptId attempt) {
  v1::AttemptId message;
  message.set_job_id(attempt.task.job.value);
  message.set_task(attempt.task.index);
  message.set_epoch(attempt.epoch);
  return message;
}

google::protobuf::RepeatedPtrField<v1::Admission> to_proto(const Admission& admission) {
  google::protobuf::RepeatedPtrField<v1::Admission> messages;
  for (const Ring ring : kRings) {
    if (!admission.holds(ring, Right::kRun)) continue;
    v1::Admission& message = *messages.Add();
    message.set_ring(static_cast<v1::Ring>(ring));
    message.set_host_files(admission.holds(ring, Right::kHostFiles));
    message.set_gpu(admission.holds(ring, Right::kGpu));
    message.set_listed_hosts(admission.holds(ring, Right::kListedHosts));
    message.set_full_network(admission.holds(ring, Right::kFullNetwork));
    message.set_gang_network(admission.holds(ring, Right::kGangNetwork));
    if (ring == Ring::kHome) message.set_workspace_bytes(admission.workspace_bytes);
  }
  return messages;
}

Ring from_proto(v1::Ring ring) {
  const bool known = ring >= v1::RING_HOME && ring <= v1::RING_STRANGER;
  return known ? static_cast<Ring>(ring) : Ring::kStranger;
}

v1::Resources to_proto(const Resources& resources) {
  v1::Resources message;
  message.set_cores(resources.cores);
  message.set_memory_bytes(resources.memory_bytes);
  message.set_gpus(resources.gpus);
  message.set_gpu_memory_bytes(resources.gpu_memory_bytes);
  message.set_disk_bytes(resources.disk_bytes);
  return message;
}

}  // namespace hearth::node
