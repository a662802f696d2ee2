// `hearth cluster`: an engine for programs of many PCs that exists already, on the pool. What there is to it here: the
// job, a gang with a network of its own, each of whose tasks runs the launcher
// (clients/python/hearth/_cluster_launcher.py).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/run_spec.h"

namespace hearth::cli {

// The launcher's name among the inputs, and its text.
inline constexpr std::string_view kLauncherFile = "cluster_launcher.py";
std::string_view launcher_text();

// Makes a plan of a program one of a cluster. `launcher`: where its text lies on this machine. Errors: kInvalidArgument
// (no such engine, a program that it cannot run, an input of the launcher's name).
Result<void> make_cluster(const std::string& engine, const std::filesystem::path& launcher, RunPlan& plan);

}  // namespace hearth::cli
