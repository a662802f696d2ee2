// A Slurm cluster of this machine alone: a controller and some machines, each a slurmd of its own on a port of its own.
// It trusts whoever reaches its ports, keeps everything in the test's directory and limits nothing by control groups.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/held_port.h"
#include "harness/pool.h"
#include "harness/process.h"

namespace hearth::e2e {

class SlurmCluster {
 public:
  static std::string lack();  // what of it is not installed; empty: nothing

  // Waits until all machines are idle.
  SlurmCluster(const Scratch& scratch, int machines, int cores_of_each);
  SlurmCluster(const SlurmCluster&) = delete;
  SlurmCluster& operator=(const SlurmCluster&) = delete;
  ~SlurmCluster();

  std::filesystem::path configuration() const { return directory_ / "slurm.conf"; }  // what SLURM_CONF must name
  Ended ask(const std::vector<std::string>& argv) const;
  // Its jobs of hearth's that have not ended, by squeue's format.
  std::vector<std::string> jobs(const std::string& format) const;
  std::string logs() const;

  // As a power cut would end it, with the jobs that run there.
  void lose(const std::string& machine);
  void stop_controller();
  void start_controller();

 private:
  void start_machine(int index);
  Process start(const std::vector<std::string>& argv) const;

  struct Machine {
    std::string name;
    HeldPort port;
    std::optional<Process> daemon;
  };

  std::filesystem::path directory_;
  HeldPort port_;
  std::optional<Process> controller_;
  std::vector<Machine> machines_;
};

}  // namespace hearth::e2e
