#include "slurm/judge.h"

namespace hearth::slurm {
namespace {

using sandbox::Exit;
using sandbox::Fate;

constexpr std::size_t kMaxSaid = 400;

Exit none_of_its_doing(Fate fate, std::string message) {
  Exit exit;
  exit.fate = fate;
  exit.message = std::move(message);
  return exit;
}

Exit ended_by_signal(bool out_of_memory) {
  Exit exit;
  exit.started = true;
  exit.signalled = true;
  exit.exit_code = 128 + 9;
  exit.out_of_memory = out_of_memory;
  return exit;
}

std::string with_last_words(std::string message, std::string said) {
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  if (said.size() > kMaxSaid) said.erase(0, said.size() - kMaxSaid);
  return said.empty() ? message : message + ": " + said;
}

}  // namespace

std::optional<Exit> judge(const std::optional<JobLine>& job, std::uint64_t id, bool kill_wanted, std::string said) {
  if (job && !has_ended(job->state)) return std::nullopt;
  if (kill_wanted) return ended_by_signal(false);
  const std::string name = "Slurm job " + std::to_string(id);
  if (!job) return none_of_its_doing(Fate::kLost, name + " is not known to the cluster any more");
  const std::string& state = job->state;
  if (state == "OUT_OF_MEMORY") return ended_by_signal(true);
  if (state == "PREEMPTED") return none_of_its_doing(Fate::kTakenBack, "the cluster preempted " + name);
  std::string message = name + " ended (" + state + ") before it could tell how";
  if (state == "NODE_FAIL" || state == "BOOT_FAIL") message = "the machine of " + name + " failed";
  if (state == "TIMEOUT" || state == "DEADLINE") message = name + " had all the time that its partition gives a job";
  if (state == "CANCELLED") message = name + " was cancelled in the cluster";
  return none_of_its_doing(Fate::kLost, with_last_words(std::move(message), std::move(said)));
}

Exit gave_up_waiting(const JobLine& job) {
  return none_of_its_doing(Fate::kTakenBack, "the cluster had no room for it for " + minutes_text(kLongestWait) +
                                                 " minutes (" + job.reason + ")");
}

}  // namespace hearth::slurm
