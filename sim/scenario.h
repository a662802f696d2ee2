// What a simulated world is like, and what goes wrong in it. Chances are in permille.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/time.h"

namespace hearth::sim {

// What a fleet must reach; 0: it is told, no more. See measures.h.
struct Limits {
  std::uint32_t shortfall = 0;  // permille: how much less than its due an account may have
  Duration longest_wait;        // of those who stand first in a line of tasks
  std::uint32_t goodput = 0;    // permille of what the oracle reaches, at least
};

struct Scenario {
  std::string_view name;
  std::string_view about;

  std::uint32_t nodes = 4;
  std::uint32_t owners = 3;
  std::uint32_t jobs = 12;
  std::uint32_t max_tasks = 30;
  Duration max_run = seconds(20);       // of a long task; every other job's tasks are brief
  std::uint32_t failing = 50;           // of a task's attempts, by its own doing
  std::uint32_t dependent = 300;        // of the jobs, those that run after others
  std::uint32_t large = 150;            // of the jobs, those that need a whole large node
  std::uint32_t workspaces = 0;         // of the others, those that have a workspace
  std::uint32_t gangs = 0;              // of the jobs, those whose tasks run at once
  std::uint32_t classes = 0;            // of the jobs, those that are not of class normal
  std::uint32_t slow = 0;               // of the nodes, those on which a program takes ten times as long
  Duration copy_floor = seconds(10);    // see pool::Options
  std::uint32_t conditions = 0;         // of the jobs, those that want nodes of two cores or more
  Duration chaos = seconds(90);         // after that all is well, and everything has to end
  Duration latency = milliseconds(20);  // of the network, at most
  Duration skew;                        // of each machine's clock, either way, at most
  bool standby = false;                 // a second hub stands by, and a witness lets it take over

  // At scale (fleet.h): accounts with weights whose tasks always wait. 0 accounts: none of that.
  std::uint32_t accounts = 0;
  std::uint32_t tasks = 0;  // of all of them together
  bool single = false;      // each of these needs one core; else one, two or four
  bool volunteers = false;  // owners come and go after what was measured of SETI@home's hosts
  Limits limits;

  // Per second; those of each node, and at each step, are rarer by `rarity`.
  std::uint32_t rarity = 1;
  std::uint32_t session_cut = 0;   // of each node's session
  std::uint32_t node_crash = 0;    // of each node
  std::uint32_t partition = 0;     // of each node, for up to 40 s
  std::uint32_t offer_change = 0;  // of each node's owner
  std::uint32_t owner_return = 0;  // of each node's owner, for up to a minute
  std::uint32_t duty_change = 0;   // of each node: it is cordoned, drained, or serves again
  std::uint32_t booking = 0;       // of one or two nodes, for a minute at most; some are taken back
  std::uint32_t removal = 0;       // of some node, for good; another one comes
  std::uint32_t hub_crash = 0;
  std::uint32_t hub_cut = 0;           // of a hub: it is cut off, from all or from the other hub alone, for up to 40 s
  std::uint32_t storm = 0;             // every session breaks at once
  std::uint32_t cancel = 0;            // of some job
  std::uint32_t remove = 0;            // of some job, if it has ended
  std::uint32_t remove_workspace = 0;  // of some workspace

  std::uint32_t stall = 0;              // of commits: the disk takes up to 15 s
  std::uint32_t hub_crash_at_step = 0;  // at each step of the hub: before a commit, after it, between two sends

  // Per message, beyond what a transport in order can do.
  std::uint32_t drop = 0;
  std::uint32_t duplicate = 0;
  std::uint32_t reorder = 0;
};

std::span<const Scenario> scenarios();
std::optional<Scenario> find_scenario(std::string_view name);

}  // namespace hearth::sim
