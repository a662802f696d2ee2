// How the engine gives tasks to their nodes.
#include <fmt/format.h>

#include "base/log.h"
#include "hub/engine.h"

namespace hearth::hub {
namespace {

// The most trees of jobs before it that one assignment carries.
constexpr std::size_t kMaxDependencyTrees = 10'000;
constexpr std::uint32_t kTasksAtOnce = 1000;
constexpr Duration kStorePause = seconds(1);

}  // namespace

void Engine::announce_assignments(const Pending& pending) {
  for (const pool::Effect& effect : pending.sends) {
    const auto* send = std::get_if<pool::AssignSend>(&effect);
    const LiveJob* job = send != nullptr ? live_job(send->attempt.task.job) : nullptr;
    if (job == nullptr || job->data.empty()) continue;
    for (Observer* observer : observers_) observer->about_to_assign(send->node, *job);
  }
}

// What the jobs left that it runs after: all of it, or an error.
net::Async<Result<std::vector<v1::Blob>>> Engine::load_dependency_outputs(const v1::JobSpec& spec) {
  using Trees = Result<std::vector<v1::Blob>>;
  const std::vector<std::uint64_t> after(spec.after().begin(), spec.after().end());
  co_return co_await ask([&](store::Store& store) -> Trees {
    std::vector<v1::Blob> outputs;
    for (const std::uint64_t id : after) {
      for (std::uint32_t first = 0;; first += kTasksAtOnce) {
        const Result<std::vector<store::TaskRow>> rows = store.load_tasks({id}, first, kTasksAtOnce, false);
        if (!rows) return std::unexpected(rows.error());
        if (rows->empty()) break;
        for (const store::TaskRow& row : *rows) {
          v1::Outcome outcome;
          if (outcome.ParseFromString(row.outcome) && outcome.has_outputs()) outputs.push_back(outcome.outputs());
        }
        if (outputs.size() > kMaxDependencyTrees) {
          return fail(Code::kResourceExhausted,
                      fmt::format("the jobs that it runs after left outputs of more than {} tasks, which is the most "
                                  "that a task is given; put a job between that makes fewer of them",
                                  kMaxDependencyTrees));
        }
      }
    }
    return outputs;
  });
}

// The attempt has no inputs: it ends as if its node had said so. Where the store failed another one is made.
net::Async<void> Engine::give_up(const pool::AssignSend& send, const Error& error) {
  log_error("a task's inputs are not known", {{"job", send.attempt.task.job.value}, {"error", error.message}});
  const bool is_for_good = error.code == Code::kResourceExhausted;
  if (!is_for_good) co_await net::sleep_for(kStorePause);
  v1::Outcome outcome = outcome_of(is_for_good ? Failure::kStart : Failure::kNodeLost);
  outcome.set_message(error.message);
  finished(send.node, send.attempt, std::move(outcome));
}

net::Async<void> Engine::send_assign(const pool::AssignSend& send) {
  const auto found = live_.find(send.attempt.task.job);
  if (found == live_.end()) co_return;  // ended meanwhile; a stop follows
  if (!found->second.dependency_outputs) {
    Result<std::vector<v1::Blob>> trees = co_await load_dependency_outputs(found->second.spec);
    const auto still = live_.find(send.attempt.task.job);
    if (still == live_.end()) co_return;
    if (!trees) co_return co_await give_up(send, trees.error());
    still->second.dependency_outputs = std::move(*trees);
  }
  const auto job = live_.find(send.attempt.task.job);
  NodeLink* to = link(send.node);
  if (to == nullptr) co_return;
  Result<v1::GangNetwork> network = fail(Code::kUnimplemented, "there is none");
  if (job->second.spec.net_gang() && make_gang_network_) {
    network = make_gang_network_(send.attempt, job->second);
    // The node says that there is none, which ends the attempt.
    if (!network) log_error("a gang gets no network", {{"error", network.error().message}});
  }
  to->assign(send.attempt, job->second, network ? &*network : nullptr);
  for (Observer* observer : observers_) observer->attempt_assigned(send.attempt, send.node);
}

}  // namespace hearth::hub
