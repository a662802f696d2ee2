#include "slurm/cluster.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/sizes.h"
#include "slurm/programs.h"

namespace hearth::slurm {
namespace {

// What the job's own processes need beside the task's memory, and take longer than it may run.
constexpr std::uint64_t kOwnMemory = 64 * kMiB;
constexpr Duration kOwnTime = minutes(2);
constexpr std::size_t kMostIds = 1000;  // in one command

void add(Amount& sum, const Amount& more) {
  sum.cores += more.cores;
  sum.memory_bytes += more.memory_bytes;
  sum.gpus += more.gpus;
}

template <class Number>
Number less(Number from, Number what) {
  return from - std::min(from, what);
}

std::string names_of(const std::vector<Partition>& partitions) {
  std::string names;
  for (const Partition& partition : partitions) names += (names.empty() ? "" : ", ") + partition.name;
  return names.empty() ? "none" : names;
}

Result<Partition> choose(const std::vector<Partition>& partitions, const std::string& wanted) {
  for (const Partition& partition : partitions) {
    if (wanted.empty() ? !partition.is_default : partition.name != wanted) continue;
    if (partition.is_up) return partition;
    return fail(Code::kFailedPrecondition, "the cluster's partition '" + partition.name +
                                               "' takes no jobs now (it is not up); choose another one with "
                                               "--partition: it has " +
                                               names_of(partitions));
  }
  if (wanted.empty()) {
    return fail(Code::kNotFound,
                "the cluster has no default partition: name one with --partition: it has " + names_of(partitions));
  }
  return fail(Code::kNotFound, "the cluster has no partition '" + wanted + "'; it has " + names_of(partitions));
}

// For the shell: one word.
std::string quoted(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

bool is_any_left(const std::map<std::uint64_t, JobLine>& jobs) {
  return std::ranges::any_of(jobs, [](const auto& job) { return !has_ended(job.second.state); });
}

}  // namespace

Supply supply_of(const std::vector<Machine>& machines) {
  Supply supply;
  for (const Machine& machine : machines) {
    add(supply.all, machine.has);
    if (!machine.usable) continue;
    ++supply.machines;
    add(supply.usable, machine.has);
    add(supply.used, machine.used);
    if (std::ranges::find(supply.of_machines, machine.has) == supply.of_machines.end()) {
      supply.of_machines.push_back(machine.has);
    }
  }
  return supply;
}

Amount open_to(const Supply& supply, const Amount& own) {
  const Amount others{.cores = less(supply.used.cores, own.cores),
                      .memory_bytes = less(supply.used.memory_bytes, own.memory_bytes),
                      .gpus = less(supply.used.gpus, own.gpus)};
  return {.cores = less(supply.usable.cores, others.cores),
          .memory_bytes = less(supply.usable.memory_bytes, others.memory_bytes),
          .gpus = less(supply.usable.gpus, others.gpus)};
}

Cluster::Cluster(Terms terms, std::string job_name, std::string version, Partition partition)
    : terms_(std::move(terms)),
      job_name_(std::move(job_name)),
      version_(std::move(version)),
      partition_(std::move(partition)) {}

Result<Cluster> Cluster::open(const Terms& terms, std::string job_name) {
  Result<std::string> version = ask({"sinfo", "--version"});
  if (!version) return std::unexpected(version.error());
  while (version->ends_with('\n')) version->pop_back();
  // All that this node will need.
  for (const char* program : {"sbatch", "scancel", "squeue"}) {
    if (const Result<std::string> there = ask({program, "--version"}); !there) return std::unexpected(there.error());
  }
  const Result<std::string> text = ask({"sinfo", "--noheader", std::string("--format=") + kPartitionColumns});
  const Result<std::vector<Partition>> all = text ? parse_partitions(*text) : std::unexpected(text.error());
  if (!all) return fail(all, "asking the Slurm cluster");
  const Result<Partition> partition = choose(*all, terms.partition);
  if (!partition) return std::unexpected(partition.error());
  return Cluster(terms, std::move(job_name), version->substr(version->rfind(' ') + 1), *partition);
}

Result<Supply> Cluster::supply() const {
  const Result<std::string> text = ask(
      {"sinfo", "--noheader", "--Node", "--partition=" + partition_.name, std::string("--Format=") + kMachineColumns});
  const Result<std::vector<Machine>> machines = text ? parse_machines(*text) : std::unexpected(text.error());
  if (!machines) return std::unexpected(machines.error());
  return supply_of(*machines);
}

Result<std::map<std::uint64_t, JobLine>> Cluster::jobs() const {
  const Result<std::string> text = ask(
      {"squeue", "--noheader", "--me", "--states=all", "--name=" + job_name_, std::string("--format=") + kJobColumns});
  return text ? parse_jobs(*text) : std::unexpected(text.error());
}

Result<std::uint64_t> Cluster::submit(const JobRequest& request) const {
  std::vector<std::string> argv = {
      "sbatch",
      "--parsable",
      "--no-requeue",  // the pool tries again itself, under another epoch
      "--job-name=" + job_name_,
      "--partition=" + partition_.name,
      "--nodes=1",
      "--ntasks=1",
      "--cpus-per-task=" + std::to_string(request.needs.cores),
      "--mem=" + std::to_string((request.needs.memory_bytes + kOwnMemory + kMiB - 1) / kMiB) + "M",
      "--export=PATH,HOME,LANG,TMPDIR",
      "--chdir=" + request.directory.string(),
      "--output=" + (request.directory / "slurm.out").string()};
  if (!terms_.account.empty()) argv.push_back("--account=" + terms_.account);
  if (request.needs.gpus > 0) argv.push_back("--gres=gpu:" + std::to_string(request.needs.gpus));
  if (request.time_limit.micros > 0) {
    const Duration wanted = request.time_limit + kOwnTime;
    argv.push_back("--time=" + minutes_text(std::min(wanted, partition_.time_limit.value_or(wanted))));
  }
  const Result<std::string> said = ask(argv, "#!/bin/sh\nexec " + quoted(request.program) + " daemon attempt " +
                                                 quoted(request.directory.string()) + "\n");
  if (said) return parse_job_id(*said);
  const std::string& why = said.error().message;
  if (why.contains("node configuration is not available") || why.contains("can not be satisfied")) {
    return fail(Code::kResourceExhausted, why);
  }
  return std::unexpected(said.error());
}

Result<void> Cluster::cancel(const std::vector<std::uint64_t>& ids) const {
  for (std::size_t first = 0; first < ids.size(); first += kMostIds) {
    std::vector<std::string> argv = {"scancel", "--quiet"};
    for (std::size_t i = first; i < std::min(ids.size(), first + kMostIds); ++i) argv.push_back(std::to_string(ids[i]));
    if (const Result<std::string> done = ask(argv); !done) return std::unexpected(done.error());
  }
  return {};
}

Result<void> Cluster::cancel_all() const {
  constexpr int kTries = 120;
  for (int i = 0; i < kTries; ++i) {
    const Result<std::map<std::uint64_t, JobLine>> left = jobs();
    if (!left) return std::unexpected(left.error());
    if (!is_any_left(*left)) return {};
    if (i % 20 == 0) {
      const Result<std::string> done = ask({"scancel", "--quiet", "--me", "--name=" + job_name_});
      if (!done) return std::unexpected(done.error());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return fail(Code::kDeadlineExceeded,
              "jobs of this node's earlier process do not end in the cluster (squeue --me --name=" + job_name_ +
                  " lists them)");
}

}  // namespace hearth::slurm
