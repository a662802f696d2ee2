#include "cli/plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/plan_text.h"
#include "cli/run_spec.h"
#include "cli/spelling.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMostJobs = 1'000;
constexpr std::size_t kMostNeeds = 64;  // JobSpec.after
constexpr std::size_t kMostName = 128;  // JobSpec.name

using Values = std::map<std::string, std::string>;  // of a matrix's variables
using Fields = std::map<std::string, PlanField>;

// A key's counterpart among the options of `hearth run`, whose parser judges its value.
struct TextKey {
  std::string_view key;
  std::string_view option;
  std::string RunOptions::* place;
};
constexpr std::array kTextKeys = {
    TextKey{"env", "--env", &RunOptions::environment},
    TextKey{"cores", "--cores", &RunOptions::cores},
    TextKey{"memory", "--memory", &RunOptions::memory},
    TextKey{"gpus", "--gpu", &RunOptions::gpus},
    TextKey{"gpu_memory", "--gpu-memory", &RunOptions::gpu_memory},
    TextKey{"disk", "--disk", &RunOptions::disk},
    TextKey{"retries", "--retries", &RunOptions::retries},
    TextKey{"time", "--time", &RunOptions::time},
    TextKey{"tasks", "-n", &RunOptions::count},
    TextKey{"workspace", "--workspace", &RunOptions::workspace},
    TextKey{"net", "--net", &RunOptions::net},
    TextKey{"when", "--when", &RunOptions::when},
    TextKey{"where", "--where", &RunOptions::where},
    TextKey{"prefer", "--prefer", &RunOptions::prefer},
    TextKey{"priority", "--priority", &RunOptions::priority},
    TextKey{"deadline", "--deadline", &RunOptions::deadline},
};
struct ListKey {
  std::string_view key;
  std::string_view option;
  std::vector<std::string> RunOptions::* place;
};
constexpr std::array kListKeys = {
    ListKey{"run", "", &RunOptions::program},
    ListKey{"inputs", "--input", &RunOptions::inputs},
    ListKey{"exclude", "--exclude", &RunOptions::excluded},
    ListKey{"outputs", "--output", &RunOptions::outputs},
    ListKey{"variables", "--var", &RunOptions::variables},
};

std::string with_values(std::string text, const Values& values) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '{' ? text.find('}', at) : std::string::npos;
    const auto found = end == std::string::npos ? values.end() : values.find(text.substr(at + 1, end - at - 1));
    if (found == values.end()) {
      result += text[at++];
    } else {
      result += found->second;
      at = end + 1;
    }
  }
  return result;
}

bool is_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits);
}

// All values of the one with all values of the others: the last variable changes fastest.
std::vector<Values> combinations(const Fields& matrix) {
  std::vector<Values> all{{}};
  for (const auto& [variable, field] : matrix) {
    std::vector<Values> longer;
    for (const Values& values : all) {
      for (const std::string& value : field.values) {
        longer.push_back(values);
        longer.back()[variable] = value;
      }
    }
    all = std::move(longer);
  }
  return all;
}

class Planner {
 public:
  Planner(const PlanText& text, std::string_view file) : text_(text), file_(file) {}

  Result<Plan> plan() {
    plan_.name = text_.name;
    for (const auto step : {&Planner::check_names, &Planner::read_needs, &Planner::sort}) {
      if (Result<void> done = (this->*step)(); !done) return std::unexpected(done.error());
    }
    for (const std::size_t job : order_) {
      if (Result<void> done = expand(job); !done) return std::unexpected(done.error());
    }
    return std::move(plan_);
  }

 private:
  std::unexpected<Error> wrong(int line, std::string_view what) const { return wrong_in_plan(file_, line, what); }

  Result<void> check_names() {
    for (std::size_t i = 0; i < text_.jobs.size(); ++i) {
      const PlanEntry& job = text_.jobs[i];
      if (!is_name(job.name)) {
        return wrong(job.line,
                     fmt::format("{}: a job's name has 1 to 64 letters, digits, '.', '_' and '-'", plain(job.name)));
      }
      if (!job.fields.contains("run"))
        return wrong(job.line, job.name + ": what does it run? run: [PROGRAM, ARGUMENTS]");
      for (const auto& [variable, field] : job.matrix) {
        if (!is_name(variable) || variable == "i") {
          return wrong(field.line,
                       fmt::format("matrix: {}: a variable's name has 1 to 64 letters, digits, '.', '_' and '-', "
                                   "and is not i, which is the task's number",
                                   plain(variable)));
        }
      }
      by_name_[job.name] = i;
    }
    return {};
  }

  Result<void> read_needs() {
    std::vector<std::string> names;
    for (const PlanEntry& job : text_.jobs) names.push_back(job.name);
    needs_.resize(text_.jobs.size());
    for (std::size_t i = 0; i < text_.jobs.size(); ++i) {
      const PlanEntry& job = text_.jobs[i];
      const auto field = job.fields.find("needs");
      if (field == job.fields.end()) continue;
      for (const std::string& name : field->second.values) {
        const auto found = by_name_.find(name);
        if (found == by_name_.end()) {
          const std::optional<std::string> meant = nearest_word(name, names);
          return wrong(field->second.line, fmt::format("{} needs {}, and there is no such job{}", job.name, plain(name),
                                                       meant ? fmt::format("; is {} meant?", *meant) : ""));
        }
        if (std::ranges::find(needs_[i], found->second) == needs_[i].end()) needs_[i].push_back(found->second);
      }
    }
    return {};
  }

  // As written, but each after what it needs.
  Result<void> sort() {
    std::vector<bool> placed(text_.jobs.size());
    while (order_.size() < text_.jobs.size()) {
      const std::size_t before = order_.size();
      for (std::size_t i = 0; i < text_.jobs.size(); ++i) {
        if (placed[i] || !std::ranges::all_of(needs_[i], [&](std::size_t need) { return placed[need]; })) continue;
        placed[i] = true;
        order_.push_back(i);
      }
      if (order_.size() == before) return name_circle(placed);
    }
    return {};
  }

  // Whoever is left needs somebody who is left, so following that leads round.
  Result<void> name_circle(const std::vector<bool>& placed) const {
    std::size_t at = static_cast<std::size_t>(std::ranges::find(placed, false) - placed.begin());
    std::vector<std::size_t> path;
    while (std::ranges::find(path, at) == path.end()) {
      path.push_back(at);
      at = *std::ranges::find_if(needs_[at], [&](std::size_t need) { return !placed[need]; });
    }
    std::string circle;
    for (auto next = std::ranges::find(path, at); next != path.end(); ++next)
      circle += text_.jobs[*next].name + " needs ";
    return wrong(text_.jobs[at].fields.at("needs").line,
                 fmt::format("{}{}: none of them could ever start", circle, text_.jobs[at].name));
  }

  Result<void> expand(std::size_t index) {
    const PlanEntry& job = text_.jobs[index];
    std::size_t count = 1;
    for (const auto& [variable, field] : job.matrix) count = std::min(count * field.values.size(), kMostJobs + 1);
    if (plan_.jobs.size() + count > kMostJobs) {
      return wrong(job.line,
                   fmt::format("{}: with it, the plan has more than {} jobs; a job of many tasks (tasks: N, {{i}}) "
                               "counts as one",
                               job.name, kMostJobs));
    }
    std::vector<std::size_t> needs;
    for (const std::size_t need : needs_[index]) needs.insert(needs.end(), places_[need].begin(), places_[need].end());
    if (needs.size() > kMostNeeds) {
      return wrong(job.fields.at("needs").line,
                   fmt::format("{} needs {} jobs; at most {} are allowed", job.name, needs.size(), kMostNeeds));
    }
    if (job.fields.contains("when") && needs.empty()) {
      return wrong(job.fields.at("when").line, fmt::format("{}: when what has ended? say what it needs", job.name));
    }
    for (const Values& values : combinations(job.matrix)) {
      Result<PlannedJob> planned = make_job(job, values);
      if (!planned) return std::unexpected(planned.error());
      planned->needs = needs;
      places_[index].push_back(plan_.jobs.size());
      plan_.jobs.push_back(std::move(*planned));
    }
    return {};
  }

  Result<PlannedJob> make_job(const PlanEntry& job, const Values& values) const {
    PlannedJob planned{.name = job.name, .options = {}, .needs = {}, .line = job.line};
    std::vector<std::string> pairs;
    for (const auto& [variable, value] : values) pairs.push_back(variable + "=" + plain(value));
    if (!pairs.empty()) planned.name += fmt::format(" ({})", fmt::join(pairs, ", "));
    for (const Fields* fields : {&text_.defaults, &job.fields}) {
      for (const auto& [key, field] : *fields) {
        if (key == "needs") continue;
        if (Result<void> set = set_field(planned.options, key, field, values); !set)
          return std::unexpected(set.error());
      }
    }
    planned.options.name = text_.name.empty() ? planned.name : text_.name + "/" + planned.name;
    if (planned.options.name.size() > kMostName) planned.options.name = job.name;
    return planned;
  }

  // Judged alone, so that it is known whose value it is that is wrong.
  Result<void> set_field(RunOptions& options, const std::string& key, const PlanField& field,
                         const Values& values) const {
    RunOptions alone;
    alone.program = {"program"};
    std::string_view option;
    for (const TextKey& known : kTextKeys) {
      if (known.key != key) continue;
      option = known.option;
      options.*known.place = alone.*known.place = with_values(field.values.front(), values);
      if (options.*known.place == "") return wrong(field.line, key + ": a value is needed");
    }
    for (const ListKey& known : kListKeys) {
      if (known.key != key) continue;
      option = known.option;
      std::vector<std::string>& place = alone.*known.place;
      place.clear();
      for (const std::string& value : field.values) place.push_back(with_values(value, values));
      merge(options.*known.place, place, key);
    }
    if (key == "gang") {
      const std::string value = with_values(field.values.front(), values);
      if (value != "true" && value != "false") return wrong(field.line, "gang: true or false");
      options.gang = value == "true";
    }
    if (key == "copies") {
      const std::string value = with_values(field.values.front(), values);
      if (value != "true" && value != "false") return wrong(field.line, "copies: true or false");
      options.no_copies = value == "false";
    }
    if (key == "gpu_memory") alone.gpus = "1";
    if (key == "when") alone.after = {"1"};
    const Result<v1::JobSpec> judged = spec_of(alone);
    if (judged) return {};
    std::string_view message = judged.error().message;
    if (!option.empty() && message.starts_with(option)) message.remove_prefix(option.size());
    return wrong(field.line, message == judged.error().message ? fmt::format("{}: {}", key, message)
                                                               : fmt::format("{}{}", key, message));
  }

  // A job's own variables are added to the default ones; any other list takes the default's place.
  static void merge(std::vector<std::string>& into, const std::vector<std::string>& values, std::string_view key) {
    if (key != "variables") into.clear();
    into.insert(into.end(), values.begin(), values.end());
  }

  const PlanText& text_;
  std::string_view file_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<std::vector<std::size_t>> needs_;             // by job, as written
  std::vector<std::size_t> order_;                          // of jobs as written
  std::map<std::size_t, std::vector<std::size_t>> places_;  // in the plan, by job as written
  Plan plan_;
};

}  // namespace

Result<Plan> parse_plan(std::string_view text, std::string_view file) {
  const Result<PlanText> read = read_plan(text, file);
  if (!read) return std::unexpected(read.error());
  return Planner(*read, file).plan();
}

}  // namespace hearth::cli
