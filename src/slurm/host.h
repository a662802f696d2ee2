// A Slurm cluster as a Host: each sandbox is one job of the cluster, in which this same program runs the task in the
// sandbox of the machine that Slurm chose. What the two tell each other goes through one directory of the file system
// that the cluster's machines share (attempt_files.h); Slurm's word counts where a job ends without telling anything.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "sandbox/sandbox.h"
#include "slurm/cluster.h"

namespace hearth::slurm {

struct Options {
  std::filesystem::path state_directory;  // on the shared file system; ours alone, mode 0700
  std::filesystem::path program;          // this one; a copy of it is put there, where every machine sees it
  Terms terms;
};

// Ends what jobs an earlier process of the same directory left in the cluster, and removes their files. Blocks for
// that, and as Slurm's programs do. Errors: those of Cluster::open(); of the file system.
Result<std::unique_ptr<sandbox::Host>> open_host(const Options& options);

// Has the cluster run a program that does nothing, in a directory of its own below that one. What went well, else the
// error; kDeadlineExceeded if the cluster did not start it within the limit.
Result<std::string> try_cluster(const Options& options, Duration limit);

}  // namespace hearth::slurm
