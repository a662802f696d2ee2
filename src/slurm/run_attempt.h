// One attempt on a machine of the cluster: what its Slurm job runs.
#pragma once

#include <filesystem>

namespace hearth::slurm {

// Runs what `directory` (attempt_files.h) orders, in a sandbox of this machine, and leaves there how that ended. The
// program's outputs are collected before the sandbox goes. Ends it on SIGTERM, or where the file `stop` appears. Call
// while the process has one thread. Gives the process's exit code: 0 if the end was written.
int run_attempt(const std::filesystem::path& directory);

}  // namespace hearth::slurm
