#include "sandbox/levels.h"

#include <array>

#include "sandbox/trial.h"

namespace hearth::sandbox {
namespace {

constexpr std::array kLevels = {Level::kFence, Level::kOci, Level::kMicroVm};
constexpr Limits kTrialLimits{.cores = 1, .memory_bytes = 256ULL << 20, .scratch_bytes = 16ULL << 20};
constexpr Duration kPatience = seconds(120);  // a PC that has just been switched on is busy

// An error's sentence says what to do after its last semicolon.
void tell(const std::string& message, LevelReport& report) {
  std::size_t at = message.rfind("; ");
  report.detail = message.substr(0, at);
  report.remedy = at == std::string::npos ? "see the message" : message.substr(at + 2);
}

LevelReport try_level(Host& host, Level level, const Launcher& launcher, const std::stop_token& stop) {
  LevelReport report{.level = level, .passed = false, .detail = "", .remedy = ""};
  const std::string name = "trial-" + std::string(name_of(level));
  Result<std::unique_ptr<Sandbox>> box = host.prepare(name, kTrialLimits, launcher.trial_setup());
  if (!box) {
    tell(box.error().message, report);
    return report;
  }
  const Trial trial = run_trial(**box, "true", kPatience, stop);
  report.passed = trial.exit.started && trial.exit.exit_code == 0;
  if (report.passed) {
    report.detail = "a program started and ended in " + std::to_string(trial.exit.wall_micros / 1000) + " ms";
  } else if (trial.exit.started || trial.exit.message.starts_with("ended before")) {
    tell("a program did not end as it should within " + std::to_string(kPatience.micros / 1'000'000) +
             " s; look into the node's log, and try again when this PC has less to do",
         report);
  } else {
    tell(trial.exit.message, report);
  }
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

std::vector<LevelReport> try_levels(Host& host, const Shared& shared, const std::stop_token& stop) {
  std::vector<LevelReport> reports;
  for (const auto& [level, launcher] : shared.launchers) {
    if (stop.stop_requested()) break;
    reports.push_back(try_level(host, level, *launcher, stop));
  }
  return reports;
}

}  // namespace hearth::sandbox
