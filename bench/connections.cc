#include <cstdio>

#include "bench/benches.h"
#include "bench/world.h"
#include "hearth/v1/session.pb.h"

namespace hearth::bench {
namespace {

// How many handshakes are under way at once.
constexpr std::size_t kAtOnce = 64;

// Node sessions, one device each, that say hello and are silent then.
class Crowd {
 public:
  Crowd(const HubProcess& hub, net::Loop& loop, net::Workers& workers, std::size_t count)
      : hub_(hub), loop_(loop), workers_(workers), count_(count) {
    sockets_.resize(count);
    sessions_.resize(count);
    make_sessions();
  }

  // Opens sessions until there are `goal`; gives the seconds it took.
  double open(std::size_t goal) {
    const double before = spent_by_self().wall;
    for (std::size_t i = 0; i < kAtOnce; ++i) loop_.spawn(open_some(goal));
    loop_.run_until_done([](Crowd& crowd, std::size_t wanted) -> net::Async<void> {
      while (crowd.opened_ < wanted) co_await net::sleep_for(milliseconds(5));
    }(*this, goal));
    return spent_by_self().wall - before;
  }

  void drop() {
    for (auto& socket : sockets_) socket.reset();
    next_ = opened_ = 0;
    make_sessions();
  }

 private:
  void make_sessions() {
    for (std::size_t i = 0; i < count_; ++i) {
      sessions_[i] = std::make_unique<account::Session>(loop_, workers_, hub_.node_account(i), hub_.node_key(i));
    }
  }

  net::Async<void> open_some(std::size_t goal) {
    while (next_ < goal) {
      const std::size_t mine = next_++;
      sockets_[mine] = co_await open_node_session(*sessions_[mine], 1);
      if (!co_await sockets_[mine]->read(seconds(30))) give_up("no welcome");
      ++opened_;
    }
  }

  const HubProcess& hub_;
  net::Loop& loop_;
  net::Workers& workers_;
  std::size_t count_;
  std::vector<std::unique_ptr<account::Session>> sessions_;
  std::vector<std::unique_ptr<net::WebSocket>> sockets_;
  std::size_t next_ = 0;
  std::size_t opened_ = 0;
};

}  // namespace

int connections(const Arguments& arguments) {
  raise_descriptor_limit();
  const std::size_t count = arguments.get("--count", 2000);
  const HubProcess hub(count);
  net::Loop loop;
  net::Workers workers(1);
  Crowd crowd(hub, loop, workers, count);
  // The first ones load code and tables that all share.
  const std::size_t first = count / 10;
  crowd.open(first);
  const std::uint64_t before = resident_bytes_of(hub.process());
  crowd.open(count);
  const std::uint64_t bytes = resident_bytes_of(hub.process()) - before;
  std::printf("connections count=%zu hub_bytes_per_connection=%.0f\n", count,
              static_cast<double>(bytes) / static_cast<double>(count - first));
  return 0;
}

int storm(const Arguments& arguments) {
  raise_descriptor_limit();
  const std::size_t count = arguments.get("--count", 2000);
  const HubProcess hub(count);
  net::Loop loop;
  net::Workers workers(1);
  Crowd crowd(hub, loop, workers, count);
  crowd.open(count);
  crowd.drop();
  const double before = cpu_of(hub.process());
  const double wall = crowd.open(count);
  const double cpu = cpu_of(hub.process()) - before;
  std::printf("storm count=%zu seconds=%.2f hub_cpu_seconds=%.2f hub_cpu_ms_per_node=%.3f\n", count, wall, cpu,
              cpu * 1e3 / static_cast<double>(count));
  return 0;
}

}  // namespace hearth::bench
