#include <unistd.h>

#include <cstdio>

#include "bench/benches.h"
#include "bench/world.h"

namespace hearth::bench {
namespace {

// How many handshakes are under way at once.
constexpr std::size_t kAtOnce = 64;

// Sessions of nodes that offer nothing, from `first` on, kept as nodes keep them.
void run_idle_nodes(const HubProcess& hub, std::size_t first, std::size_t count) {
  net::Loop loop;
  net::Workers workers(1);
  std::size_t next = 0;
  const auto open_some = [&]() -> net::Async<void> {
    while (next < count) {
      const std::size_t node = first + next++;
      auto session = std::make_shared<account::Session>(loop, workers, hub.node_account(node), hub.node_key(node));
      std::shared_ptr<net::WebSocket> socket = co_await open_node_session(*session, 0);
      loop.spawn([](std::shared_ptr<account::Session>, std::shared_ptr<net::WebSocket> open) -> net::Async<void> {
        co_await beat(*open);
        give_up("the hub ended an idle session");
      }(session, socket));
    }
  };
  for (std::size_t i = 0; i < kAtOnce; ++i) loop.spawn(open_some());
  loop.run();
}

void run_working_nodes(const HubProcess& hub, std::size_t count) {
  net::Loop loop;
  net::Workers workers(1);
  std::vector<std::unique_ptr<account::Session>> sessions;
  for (std::size_t node = 0; node < count; ++node) {
    sessions.push_back(std::make_unique<account::Session>(loop, workers, hub.node_account(node), hub.node_key(node)));
    loop.spawn(be_instant_node(*sessions.back()));
  }
  loop.run();
}

}  // namespace

int crowd(const Arguments& arguments) {
  raise_descriptor_limit();
  const std::size_t idle = arguments.get("--idle", 10'000);
  const std::size_t nodes = arguments.get("--nodes", 50);
  const auto tasks = static_cast<std::uint32_t>(arguments.get("--tasks", 100'000));
  const auto span = static_cast<std::int64_t>(arguments.get("--seconds", 20));
  const HubProcess hub(nodes + idle);
  const pid_t workers_process = in_child([&] { run_working_nodes(hub, nodes); });
  net::Loop loop;
  net::Workers workers(1);
  account::Session owner(loop, workers, hub.owner_account(), hub.owner_key());
  const auto rate = [&] {
    const double before = spent_by_self().wall;
    loop.run_until_done(run_job(owner, tasks));
    return tasks / (spent_by_self().wall - before);
  };
  loop.run_until_done(wait_for_nodes(owner, nodes));
  const double alone = rate();

  const std::uint64_t bytes_before = resident_bytes_of(hub.process());
  const double opened_before = spent_by_self().wall;
  const pid_t idle_process = in_child([&] { run_idle_nodes(hub, nodes, idle); });
  loop.run_until_done(wait_for_nodes(owner, nodes + idle));
  const double opened = spent_by_self().wall - opened_before;
  const std::uint64_t bytes = resident_bytes_of(hub.process()) - bytes_before;

  const double cpu_before = cpu_of(hub.process());
  loop.run_until_done(net::sleep_for(seconds(span)));
  const double cpu = cpu_of(hub.process()) - cpu_before;
  const double among = rate();
  loop.run_until_done(wait_for_nodes(owner, nodes + idle));
  std::printf(
      "crowd idle=%zu nodes=%zu open_seconds=%.1f hub_bytes_per_session=%.0f hub_idle_cpu_percent=%.1f "
      "tasks_per_second_alone=%.0f tasks_per_second_among=%.0f\n",
      idle, nodes, opened, static_cast<double>(bytes) / static_cast<double>(idle),
      cpu * 100 / static_cast<double>(span), alone, among);
  kill_and_wait(idle_process);
  kill_and_wait(workers_process);
  return 0;
}

}  // namespace hearth::bench
