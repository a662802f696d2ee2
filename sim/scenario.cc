#include "sim/scenario.h"

#include <array>

namespace hearth::sim {
namespace {

constexpr auto kScenarios = std::to_array<Scenario>({
    {.name = "calm", .about = "nothing goes wrong"},
    {.name = "sessions",
     .about = "sessions break and nodes are cut off for longer than a lease",
     .session_cut = 50,
     .partition = 10},
    {.name = "crashes",
     .about = "nodes and the hub die and come back; people remove jobs",
     .session_cut = 10,
     .node_crash = 15,
     .hub_crash = 15,
     .remove = 150,
     .hub_crash_at_step = 3},
    {.name = "owners",
     .about = "owners change what they offer, close and open; people cancel and remove",
     .session_cut = 10,
     .partition = 5,
     .offer_change = 80,
     .cancel = 40,
     .remove = 200},
    {.name = "presence",
     .about = "owners come to their PCs and go again: guests are frozen, thawed, and given back",
     .session_cut = 10,
     .node_crash = 3,
     .partition = 5,
     .offer_change = 10,
     .owner_return = 60,
     .hub_crash = 3,
     .cancel = 10},
    {.name = "workspaces",
     .about = "tasks that share directories, one after the other, on nodes that die, are cut off, or go for good",
     .max_tasks = 8,
     .max_run = seconds(8),
     .workspaces = 700,
     .session_cut = 30,
     .node_crash = 8,
     .partition = 10,
     .offer_change = 10,
     .owner_return = 20,
     .removal = 8,
     .hub_crash = 8,
     .cancel = 20,
     .remove_workspace = 200,
     .hub_crash_at_step = 1},
    {.name = "frames",
     .about = "messages are lost, doubled and reordered, which no transport of ours does",
     .session_cut = 30,
     .partition = 5,
     .hub_crash = 3,
     .drop = 30,
     .duplicate = 60,
     .reorder = 100},
    {.name = "brief",
     .about = "many brief tasks, leased ahead, on a network that breaks",
     .jobs = 8,
     .max_tasks = 400,
     .max_run = milliseconds(60),
     .failing = 20,
     .dependent = 100,
     .large = 50,
     .chaos = seconds(25),
     .latency = milliseconds(5),
     .session_cut = 60,
     .partition = 10,
     .offer_change = 30,
     .hub_crash = 10},
    {.name = "everything",
     .about = "all of it at once",
     .nodes = 6,
     .jobs = 16,
     .session_cut = 30,
     .node_crash = 6,
     .partition = 8,
     .offer_change = 20,
     .owner_return = 15,
     .removal = 5,
     .hub_crash = 8,
     .cancel = 15,
     .remove = 100,
     .hub_crash_at_step = 1,
     .drop = 5,
     .duplicate = 20,
     .reorder = 20},
});

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

std::optional<Scenario> find_scenario(std::string_view name) {
  for (const Scenario& scenario : kScenarios) {
    if (scenario.name == name) return scenario;
  }
  return std::nullopt;
}

}  // namespace hearth::sim
