// Follows this node's attempts on the cluster: what they print and how they end, by their files and by Slurm's word,
// and what there is for further ones. Two threads: files must not wait for a controller that is silent.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sandbox/sandbox.h"
#include "slurm/attempt_files.h"
#include "slurm/cluster.h"

namespace hearth::slurm {

// An attempt's Slurm job.
struct Job {
  AttemptFiles files;
  std::uint64_t id = 0;
  std::function<void(sandbox::Stream, std::string_view)> on_output;
  std::function<void(const sandbox::Exit&)> on_exit;

  // Of the thread that looks at files.
  LogReader log;
  std::uint64_t log_offset = 0;

  // Guarded by Watch.
  std::chrono::steady_clock::time_point submitted;
  bool kill_wanted = false;
  bool kill_told = false;                // Slurm was
  bool stop_written = false;             // for the attempt itself to see
  std::optional<sandbox::Exit> gave_up;  // on its ever starting, so it is being cancelled
  std::optional<sandbox::Exit> verdict;  // by Slurm's word; stands where no end comes from the attempt itself
  std::chrono::steady_clock::time_point verdict_at;
  std::optional<End> end;
};

class Watch {
 public:
  Watch(const Cluster& cluster, const Supply& first);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Any thread, as all that follows. From then on its callbacks come, of a thread of this object.
  void add(const std::shared_ptr<Job>& job);
  void kill(const std::shared_ptr<Job>& job);
  // No callback comes any more.
  void remove(const std::shared_ptr<Job>& job);
  // Whether it has within the limit. Once one was waited for in vain, the next ones are waited for less, until one
  // ends: many that wait for a cluster that is silent would keep the node from ending.
  bool wait_for_end(const std::shared_ptr<Job>& job, Duration limit);
  std::optional<End> end_of(const std::shared_ptr<Job>& job) const;

  Supply supply() const;
  sandbox::Room room() const;

 private:
  using Clock = std::chrono::steady_clock;

  void look_at_files();
  bool look_at(Job& job, std::optional<End>& end);
  void read_log(Job& job);
  std::optional<End> overdue_end(const Job& job) const;
  void talk_to_slurm();
  void tell_kills();
  void ask_for_jobs(bool with_supply);
  void take(const std::map<std::uint64_t, JobLine>& lines);

  const Cluster& cluster_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool waited_in_vain_ = false;
  std::vector<std::shared_ptr<Job>> jobs_;
  Supply supply_;
  Amount own_;          // held by jobs of ours
  std::string lack_;    // of a controller that answers
  std::mutex calling_;  // held while callbacks run
  std::thread files_;
  std::thread slurm_;
};

}  // namespace hearth::slurm
