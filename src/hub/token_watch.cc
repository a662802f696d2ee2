#include "hub/token_watch.h"

#include "hub/engine.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = seconds(5);

}  // namespace

void TokenWatch::start(net::Loop& loop) {
  running_ = true;
  loop.spawn(run());
}

net::Async<void> TokenWatch::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

net::Async<void> TokenWatch::run() {
  while (!stopping_) {
    const WallTime now = wall_now();
    for (const store::DeviceRow* row : devices_.active()) {
      if (has_run_out(*row, now)) sessions_.revoke(row->id);
    }
    co_await woken_.wait(kBetweenLooks);
  }
  running_ = false;
  stopped_.notify();
}

}  // namespace hearth::hub
