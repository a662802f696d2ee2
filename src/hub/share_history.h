// How the pool was shared over the last day, in memory: a hub that starts again begins anew.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "hub/accounts.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "net/async.h"

namespace hearth::hub {

struct ShareSample {
  WallTime at;
  std::vector<std::pair<AccountId, double>> shares;  // those that held something, the most first
};

// Pure: which of the samples are shown, spread evenly, the last among them.
std::vector<const ShareSample*> thinned(const std::deque<ShareSample>& samples, WallTime since, std::size_t most);

class ShareHistory {
 public:
  static constexpr Duration kEvery = seconds(30);
  static constexpr Duration kKept = minutes(24 * 60);
  static constexpr std::size_t kMostAccounts = 20;

  ShareHistory(net::Loop& loop, const Engine& engine) : loop_(loop), engine_(engine) {}

  void start();
  net::Async<void> stop();

  const std::deque<ShareSample>& samples() const { return samples_; }
  ShareSample now() const;

 private:
  net::Async<void> sample_for_ever();

  net::Loop& loop_;
  const Engine& engine_;
  std::deque<ShareSample> samples_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
