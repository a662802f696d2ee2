// Work that is done for all who wait for it at once, by a worker: whoever comes while it is done is of the next round.
// (Bringing files to a disk takes as long for ten as for one.)
//
//   Rounds<Letter> post(workers, [](std::span<Letter* const> letters) { ... });
//   co_await post.join(mine);   // `mine` has been one of `letters`
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "net/async.h"

namespace hearth::net {

// Of jobs of any type.
class Round {
 public:
  explicit Round(std::function<void(std::span<void* const>)> work) : work_(std::move(work)) {}
  static Async<void> join(std::shared_ptr<Round> self, Workers& workers, void* job);

 private:
  struct Entry;
  bool add(Entry& entry);  // true: it is the first, and begins the round
  void run();

  struct Waiting;
  std::function<void(std::span<void* const>)> work_;
  std::shared_ptr<Waiting> waiting_ = make_waiting();
  static std::shared_ptr<Waiting> make_waiting();
};

template <class Job>
class Rounds {
 public:
  Rounds(Workers& workers, std::function<void(std::span<Job* const>)> work)
      : workers_(workers), round_(std::make_shared<Round>([work = std::move(work)](std::span<void* const> joined) {
          std::vector<Job*> jobs;
          jobs.reserve(joined.size());
          for (void* job : joined) jobs.push_back(static_cast<Job*>(job));
          work(jobs);
        })) {}

  Async<void> join(Job& job) { return Round::join(round_, workers_, &job); }

 private:
  Workers& workers_;
  std::shared_ptr<Round> round_;
};

}  // namespace hearth::net
