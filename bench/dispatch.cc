#include <cstdio>

#include "bench/benches.h"
#include "bench/world.h"

namespace hearth::bench {
namespace {

void run_instant_node(const HubProcess& hub, std::size_t number) {
  net::Loop loop;
  net::Workers workers(1);
  account::Session session(loop, workers, hub.node_account(number), hub.node_key(number));
  loop.run_until_done(be_instant_node(session));
}

}  // namespace

int dispatch(const Arguments& arguments) {
  const auto tasks = static_cast<std::uint32_t>(arguments.get("--tasks", 100'000));
  const std::size_t nodes = arguments.get("--nodes", 2);
  const HubProcess hub(nodes);
  std::vector<pid_t> node_processes;
  for (std::size_t i = 0; i < nodes; ++i) node_processes.push_back(in_child([&] { run_instant_node(hub, i); }));

  net::Loop loop;
  net::Workers workers(1);
  account::Session owner(loop, workers, hub.owner_account(), hub.owner_key());
  loop.run_until_done(wait_for_nodes(owner, nodes));
  const auto cpu_of_all = [&] {
    double cpu = cpu_of(hub.process()) + spent_by_self().cpu;
    for (const pid_t node : node_processes) cpu += cpu_of(node);
    return cpu;
  };
  const double cpu_before = cpu_of_all();
  const double hub_before = cpu_of(hub.process());
  const double wall_before = spent_by_self().wall;
  loop.run_until_done(run_job(owner, tasks));
  const double wall = spent_by_self().wall - wall_before;
  std::printf("dispatch tasks=%u nodes=%zu tasks_per_second=%.0f cpu_us_per_task=%.1f hub_cpu_us_per_task=%.1f\n",
              tasks, nodes, tasks / wall, (cpu_of_all() - cpu_before) * 1e6 / tasks,
              (cpu_of(hub.process()) - hub_before) * 1e6 / tasks);
  for (const pid_t node : node_processes) kill_and_wait(node);
  return 0;
}

}  // namespace hearth::bench
