// A Slurm cluster as its ordinary user sees it: what its partition has, and this user's jobs of one name. Blocks as
// Slurm's programs do. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "slurm/text.h"

namespace hearth::slurm {

struct Terms {
  std::string partition;  // empty: the cluster's default one
  std::string account;    // that jobs are charged to; empty: the user's default one
};

// What there is for jobs in a partition.
struct Supply {
  std::uint32_t machines = 0;       // that take jobs now
  Amount all;                       // of all machines, whether or not they take jobs
  Amount usable;                    // of those that do
  Amount used;                      // of that, by anybody
  std::vector<Amount> of_machines;  // each one that takes jobs, the same once
};
Supply supply_of(const std::vector<Machine>& machines);

// What guests can have: all that nobody but `own` uses.
Amount open_to(const Supply& supply, const Amount& own);

struct JobRequest {
  std::string program;  // this one, where the machines of the cluster see it
  std::filesystem::path directory;
  Amount needs;
  Duration time_limit;  // 0: as long as the partition lets it
};

class Cluster {
 public:
  // Errors: those of ask(); kNotFound, with those that there are, for an unknown partition; kFailedPrecondition where
  // it takes no jobs.
  static Result<Cluster> open(const Terms& terms, std::string job_name);

  const std::string& partition() const { return partition_.name; }
  const std::string& version() const { return version_; }  // "22.05.8"

  Result<Supply> supply() const;
  Result<std::map<std::uint64_t, JobLine>> jobs() const;  // also those that ended lately
  // Errors: kResourceExhausted if no machine of the partition has what it needs, else those of ask().
  Result<std::uint64_t> submit(const JobRequest& request) const;
  Result<void> cancel(const std::vector<std::uint64_t>& ids) const;
  // Ends all jobs of that name and waits for it. Errors: kDeadlineExceeded after a minute.
  Result<void> cancel_all() const;

 private:
  Cluster(Terms terms, std::string job_name, std::string version, Partition partition);

  Terms terms_;
  std::string job_name_;
  std::string version_;
  Partition partition_;
};

}  // namespace hearth::slurm
