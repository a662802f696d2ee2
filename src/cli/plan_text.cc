#include "cli/plan_text.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "cli/spelling.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kMostEntries = 4096;  // of a list or map
constexpr std::size_t kMostValueBytes = 128 << 10;
constexpr std::size_t kMostName = 64;

enum class Kind { kText, kList, kMap };

// Of a job. `run` is a list, or one text that a shell takes.
const std::map<std::string, Kind>& job_keys() {
  static const std::map<std::string, Kind> kKeys = {
      {"run", Kind::kList},      {"needs", Kind::kList},      {"inputs", Kind::kList},   {"exclude", Kind::kList},
      {"outputs", Kind::kList},  {"env", Kind::kText},        {"cores", Kind::kText},    {"memory", Kind::kText},
      {"gpus", Kind::kText},     {"gpu_memory", Kind::kText}, {"disk", Kind::kText},     {"retries", Kind::kText},
      {"time", Kind::kText},     {"tasks", Kind::kText},      {"variables", Kind::kMap}, {"workspace", Kind::kText},
      {"net", Kind::kText},      {"when", Kind::kText},       {"where", Kind::kText},    {"priority", Kind::kText},
      {"deadline", Kind::kText}, {"gang", Kind::kText},       {"copies", Kind::kText},   {"prefer", Kind::kText},
  };
  return kKeys;
}

// Thrown within this file only: the YAML library throws too, and one catch turns both into a Result.
struct Refused {
  int line;
  std::string what;
};

int line_of(const YAML::Node& node) { return node.Mark().is_null() ? 1 : node.Mark().line + 1; }

[[noreturn]] void refuse(int line, std::string what) { throw Refused{line, std::move(what)}; }

std::string text_of(const YAML::Node& node, const std::string& what) {
  if (!node.IsScalar()) refuse(line_of(node), what + ": one value is needed");
  const std::string& text = node.Scalar();
  if (text.size() > kMostValueBytes) refuse(line_of(node), what + ": at most 128 KiB are allowed");
  if (text.find('\0') != std::string::npos) refuse(line_of(node), what + ": it holds a NUL character");
  return text;
}

struct Member {
  std::string key;
  YAML::Node value;
  int line;
};

// In the order written, each key once.
std::vector<Member> members(const YAML::Node& node, const std::string& what) {
  if (!node.IsMap()) refuse(line_of(node), what + ": \"key: value\" lines are needed");
  if (node.size() > kMostEntries) refuse(line_of(node), fmt::format("{}: at most {} entries", what, kMostEntries));
  std::vector<Member> found;
  std::set<std::string> keys;
  for (const auto& entry : node) {
    const std::string key = text_of(entry.first, what);
    const int line = line_of(entry.first);
    if (!keys.insert(key).second) refuse(line, fmt::format("{}: {} is there twice", what, plain(key)));
    found.push_back({key, entry.second, line});
  }
  return found;
}

[[noreturn]] void refuse_key(const Member& member, const std::string& what, const std::vector<std::string>& known) {
  const std::optional<std::string> meant = nearest_word(member.key, known);
  refuse(member.line, fmt::format("{}: there is no key \"{}\"; {}", what, plain(member.key),
                                  meant ? fmt::format("is {} meant?", *meant)
                                        : fmt::format("there are: {}", fmt::join(known, ", "))));
}

PlanField read_list(const Member& member) {
  PlanField field{.values = {}, .line = member.line};
  if (member.value.IsScalar()) {
    field.values.push_back(text_of(member.value, member.key));
    return field;
  }
  if (!member.value.IsSequence()) refuse(member.line, member.key + ": a list is needed");
  if (member.value.size() > kMostEntries)
    refuse(member.line, fmt::format("{}: at most {} entries", member.key, kMostEntries));
  for (const auto& value : member.value) field.values.push_back(text_of(value, member.key));
  return field;
}

PlanField read_map(const Member& member) {
  PlanField field{.values = {}, .line = member.line};
  for (const Member& entry : members(member.value, member.key)) {
    field.values.push_back(entry.key + "=" + text_of(entry.value, member.key));
  }
  return field;
}

PlanField read_field(const Member& member, Kind kind) {
  if (kind == Kind::kMap) return read_map(member);
  if (kind == Kind::kText) return {.values = {text_of(member.value, member.key)}, .line = member.line};
  PlanField field = read_list(member);
  if (member.key == "run" && member.value.IsScalar()) field.values.insert(field.values.begin(), {"sh", "-c"});
  return field;
}

std::map<std::string, PlanField> read_matrix(const Member& member) {
  std::map<std::string, PlanField> matrix;
  for (const Member& variable : members(member.value, "matrix")) {
    PlanField field = read_list(variable);
    if (field.values.empty()) refuse(variable.line, fmt::format("matrix: {} has no value", plain(variable.key)));
    std::vector<std::string> sorted = field.values;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
      refuse(variable.line, fmt::format("matrix: {} has the value {} twice", plain(variable.key), plain(*twice)));
    }
    matrix[variable.key] = std::move(field);
  }
  return matrix;
}

PlanEntry read_job(const Member& job) {
  PlanEntry entry{.name = job.key, .line = job.line, .fields = {}, .matrix = {}};
  std::vector<std::string> known{"matrix"};
  for (const auto& [key, kind] : job_keys()) known.push_back(key);
  for (const Member& member : members(job.value, plain(job.key))) {
    const auto kind = job_keys().find(member.key);
    if (member.key == "matrix") {
      entry.matrix = read_matrix(member);
    } else if (kind == job_keys().end()) {
      refuse_key(member, plain(job.key), known);
    } else {
      entry.fields[member.key] = read_field(member, kind->second);
    }
  }
  return entry;
}

// What belongs to one job alone has no default.
std::map<std::string, PlanField> read_defaults(const Member& defaults) {
  std::vector<std::string> known;
  for (const auto& [key, kind] : job_keys()) {
    if (key != "run" && key != "needs" && key != "when") known.push_back(key);
  }
  std::map<std::string, PlanField> fields;
  for (const Member& member : members(defaults.value, "defaults")) {
    if (std::ranges::find(known, member.key) == known.end()) refuse_key(member, "defaults", known);
    fields[member.key] = read_field(member, job_keys().at(member.key));
  }
  return fields;
}

PlanText read_document(const YAML::Node& document) {
  PlanText plan;
  for (const Member& member : members(document, "the plan")) {
    if (member.key == "name") {
      plan.name = text_of(member.value, "name");
      if (plan.name.size() > kMostName) refuse(member.line, fmt::format("name: at most {} bytes", kMostName));
    } else if (member.key == "defaults") {
      plan.defaults = read_defaults(member);
    } else if (member.key == "jobs") {
      for (const Member& job : members(member.value, "jobs")) plan.jobs.push_back(read_job(job));
    } else {
      refuse_key(member, "the plan", {"name", "defaults", "jobs"});
    }
  }
  if (plan.jobs.empty()) refuse(1, "jobs: there is none; a plan has at least one, with what it is to run");
  return plan;
}

}  // namespace

std::unexpected<Error> wrong_in_plan(std::string_view file, int line, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("{}:{}: {}", file, line, what));
}

Result<PlanText> read_plan(std::string_view text, std::string_view file) {
  if (text.size() > kMostBytes) return fail(Code::kInvalidArgument, fmt::format("{}: at most 1 MiB is read", file));
  try {
    return read_document(YAML::Load(std::string(text)));
  } catch (const Refused& refused) {
    return wrong_in_plan(file, refused.line, refused.what);
  } catch (const YAML::Exception& error) {
    return wrong_in_plan(file, error.mark.is_null() ? 1 : error.mark.line + 1, "this is no YAML: " + plain(error.msg));
  }
}

}  // namespace hearth::cli
