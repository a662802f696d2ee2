// What Slurm's programs print, as values. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hearth::slurm {

struct Amount {
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint32_t gpus = 0;
  bool operator==(const Amount&) const = default;

  bool fits_in(const Amount& other) const {
    return cores <= other.cores && memory_bytes <= other.memory_bytes && gpus <= other.gpus;
  }
};

// One machine of a partition.
struct Machine {
  std::string name;
  bool usable = false;  // it takes jobs now: not down, drained or silent
  Amount has;
  Amount used;  // by anybody's jobs
  bool operator==(const Machine&) const = default;
};

// Of `sinfo --noheader --Node --Format=` kMachineColumns. Errors: kDataLoss, with the line.
inline constexpr const char* kMachineColumns =
    "NodeList:256,StateLong:64,CPUsState:64,Memory:32,AllocMem:32,Gres:1024,GresUsed:1024";
Result<std::vector<Machine>> parse_machines(std::string_view text);

struct Partition {
  std::string name;
  bool is_default = false;
  bool is_up = false;
  std::optional<Duration> time_limit;  // of a job; none: there is no limit
  bool operator==(const Partition&) const = default;
};

// Of `sinfo --noheader --format=` kPartitionColumns; each partition once. Errors: kDataLoss, with the line.
inline constexpr const char* kPartitionColumns = "%P|%a|%l";
Result<std::vector<Partition>> parse_partitions(std::string_view text);

struct JobLine {
  std::string state;   // "RUNNING"
  std::string reason;  // why it waits or how it ended, in Slurm's word; "None"
  Amount holds;
  bool operator==(const JobLine&) const = default;
};

// Of `squeue --noheader --format=` kJobColumns, by the jobs' ids. Errors: kDataLoss, with the line.
inline constexpr const char* kJobColumns = "%A|%T|%C|%m|%b|%r";
Result<std::map<std::uint64_t, JobLine>> parse_jobs(std::string_view text);

// What `sbatch --parsable` prints: "17" or "17;cluster". Errors: kDataLoss.
Result<std::uint64_t> parse_job_id(std::string_view text);

// Whether a job in that state holds what it asked for.
bool is_running(std::string_view state);
// Whether it is over, for good.
bool has_ended(std::string_view state);

// A span as Slurm takes it: whole minutes, rounded up, 1 at least.
std::string minutes_text(Duration span);

}  // namespace hearth::slurm
