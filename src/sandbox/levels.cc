#include "sandbox/levels.h"

#include <array>

#include "sandbox/trial.h"

namespace hearth::sandbox {
namespace {

constexpr std::array kLevels = {Level::kFence, Level::kOci, Level::kMicroVm};
constexpr Limits kTrialLimits{.cores = 1, .memory_bytes = 256ULL << 20, .scratch_bytes = 16ULL << 20};

LevelReport try_level(Host& host, Level level) {
  LevelReport report{.level = level, .passed = false, .detail = "", .remedy = ""};
  const std::string name = "trial-" + std::string(name_of(level));
  Result<std::unique_ptr<Sandbox>> box = host.prepare(name, kTrialLimits, {.level = level});
  if (!box) {
    report.detail = box.error().message;
    report.remedy = "see the message";
    return report;
  }
  const Trial trial = run_trial(**box, "true");
  report.passed = trial.exit.started && trial.exit.exit_code == 0;
  report.detail = report.passed
                      ? "a program started and ended in " + std::to_string(trial.exit.wall_micros / 1000) + " ms"
                      : "a program did not start: " + trial.exit.message;
  if (!report.passed) report.remedy = "hearth doctor";
  return report;
}

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kFence:
      return "fence";
    case Level::kOci:
      return "oci";
    case Level::kMicroVm:
      return "microvm";
  }
  return "";
}

std::optional<Level> level_named(std::string_view name) {
  for (Level level : kLevels) {
    if (name_of(level) == name) return level;
  }
  return std::nullopt;
}

std::vector<LevelReport> try_levels(Host& host) {
  std::vector<LevelReport> reports;
  for (Level level : kLevels) reports.push_back(try_level(host, level));
  return reports;
}

}  // namespace hearth::sandbox
