// What Slurm's word of a job means for the attempt in it, where the attempt itself has told no end. Pure.
#pragma once

#include <optional>
#include <string>

#include "sandbox/sandbox.h"
#include "slurm/text.h"

namespace hearth::slurm {

// Nothing: it is not over. `job`: none if Slurm knows it no longer. `said`: the end of what Slurm and the shell printed
// in it, may be empty. `kill_wanted`: it was cancelled from here.
std::optional<sandbox::Exit> judge(const std::optional<JobLine>& job, std::uint64_t id, bool kill_wanted,
                                   std::string said);

// A job that has waited for so long is taken out of Slurm's queue: there may be room elsewhere in the pool.
inline constexpr Duration kLongestWait = minutes(10);
sandbox::Exit gave_up_waiting(const JobLine& job);

}  // namespace hearth::slurm
