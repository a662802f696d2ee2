#include "cli/cluster.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/embed.h"
#include "cli/output.h"
#include "cli/tools.h"
#include "cli/values.h"

HEARTH_EMBED(hearth_cluster_launcher, HEARTH_CLUSTER_LAUNCHER);

namespace hearth::cli {
namespace {

constexpr std::array<std::string_view, 3> kEngines = {"mpi", "dask", "torch"};
constexpr const char* kPython = "/usr/bin/python3";  // Debian's, which has its modules

}  // namespace

std::string_view launcher_text() { return HEARTH_EMBEDDED(hearth_cluster_launcher); }

Result<void> make_cluster(const std::string& engine, const std::filesystem::path& launcher, RunPlan& plan) {
  if (std::ranges::find(kEngines, engine) == kEngines.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: there is no such engine; there are {}", plain(engine), fmt::join(kEngines, ", ")));
  }
  const std::string program = plan.spec.argv(0);
  for (const char* ending : {".cpp", ".cc", ".cxx"}) {
    if (!program.ends_with(ending)) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("{}: a cluster runs a program or a .py; compile it first (mpicxx)", plain(program)));
  }
  const std::string name(kLauncherFile);
  if (std::ranges::any_of(plan.files, [&](const blob::LocalFile& file) { return file.tree_path == name; })) {
    return fail(Code::kInvalidArgument, fmt::format("{}: an input may not have this name", name));
  }
  plan.files.push_back({.tree_path = name, .source = launcher});
  const std::vector<std::string> words(plan.spec.argv().begin(), plan.spec.argv().end());
  const std::uint32_t slots = std::max(plan.spec.resources().cores(), 1U);
  plan.spec.clear_argv();
  for (const std::string& word : {std::string(kPython), name, engine, std::to_string(slots)}) plan.spec.add_argv(word);
  for (const std::string& word : words) plan.spec.add_argv(word);
  if (plan.spec.name().empty()) {
    plan.spec.set_name(fmt::format("{} {}", engine, std::filesystem::path(program).filename().string()));
  }
  plan.spec.set_gang(true);
  plan.spec.set_net_gang(true);
  return {};
}

Result<int> run_cluster(const Context& context, const ClusterOptions& options) {
  if (!options.run.net.empty() && options.run.net != "gang") {
    return fail(Code::kInvalidArgument,
                fmt::format("--net {}: a cluster's tasks reach each other and nothing else", plain(options.run.net)));
  }
  RunOptions run = options.run;
  run.net.clear();
  Result<RunPlan> plan = plan_run(run);
  if (!plan) return std::unexpected(plan.error());
  const Result<Workshop> workshop = Workshop::open(context.home.cli());
  if (!workshop) return std::unexpected(workshop.error());
  const std::filesystem::path launcher = workshop->directory() / kLauncherFile;
  std::ofstream file(launcher, std::ios::binary);
  file << launcher_text();
  file.close();
  if (!file) return fail(Code::kInternal, fmt::format("writing {} failed", launcher.string()));
  if (Result<void> made = make_cluster(options.engine, launcher, *plan); !made) return std::unexpected(made.error());
  return run_plan(context, run, std::move(*plan));
}

}  // namespace hearth::cli
