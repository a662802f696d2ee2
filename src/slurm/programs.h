// Slurm's own programs (sinfo, squeue, sbatch, scancel), run as its users do. Their text in columns is the same in all
// versions; their JSON is not, and not every build has it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hearth::slurm {

// What it prints, at most 16 MiB. `argv[0]` is looked for in PATH. Errors: kNotFound, with the remedy, where there is
// no such program; kUnavailable where Slurm's controller does not answer, or the program did not end within `limit`;
// else kFailedPrecondition with what the program said. Blocks. Any thread.
Result<std::string> ask(const std::vector<std::string>& argv, const std::string& input = {},
                        Duration limit = seconds(60));

}  // namespace hearth::slurm
