#include "hub/share_history.h"

#include <algorithm>

namespace hearth::hub {

std::vector<const ShareSample*> thinned(const std::deque<ShareSample>& samples, WallTime since, std::size_t most) {
  const auto first = std::ranges::find_if(samples, [&](const ShareSample& sample) { return sample.at >= since; });
  const auto count = static_cast<std::size_t>(samples.end() - first);
  const std::size_t step = std::max<std::size_t>((count + most - 1) / most, 1);
  std::vector<const ShareSample*> shown;
  for (std::size_t back = 0; back < count; back += step)
    shown.push_back(&*(samples.end() - 1 - static_cast<std::ptrdiff_t>(back)));
  std::ranges::reverse(shown);
  return shown;
}

void ShareHistory::start() {
  running_ = true;
  loop_.spawn(sample_for_ever());
}

net::Async<void> ShareHistory::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

ShareSample ShareHistory::now() const {
  ShareSample sample{.at = wall_now(), .shares = {}};
  for (const pool::AccountView& view : engine_.pool().accounts()) {
    if (view.share > 0 && !view.is_firm) sample.shares.emplace_back(view.terms.id, view.share);
  }
  std::ranges::sort(sample.shares, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (sample.shares.size() > kMostAccounts) sample.shares.resize(kMostAccounts);
  return sample;
}

net::Async<void> ShareHistory::sample_for_ever() {
  while (!stopping_) {
    samples_.push_back(now());
    if (samples_.size() > static_cast<std::size_t>(kKept.micros / kEvery.micros)) samples_.pop_front();
    co_await woken_.wait(kEvery);
  }
  running_ = false;
  stopped_.notify();
}

}  // namespace hearth::hub
