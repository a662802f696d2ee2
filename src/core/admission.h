// What a task may do only on nodes whose owners admit it. Unlike Resources it is not used up.
#pragma once

#include <compare>

#include "base/ids.h"
#include "core/resources.h"

namespace hearth {

struct Admission {
  bool listed_hosts = false;          // reaches the hosts that its job lists, through the node's proxy
  bool full_network = false;          // reaches the Internet
  std::uint64_t workspace_bytes = 0;  // of the job's workspace; of all workspaces that a node keeps. 0: none

  constexpr auto operator<=>(const Admission&) const = default;

  constexpr bool is_granted_by(const Admission& offered) const {
    return (!listed_hosts || offered.listed_hosts) && (!full_network || offered.full_network) &&
           workspace_bytes <= offered.workspace_bytes;
  }
};

// What a task needs, or what a node has to give.
struct Terms {
  Resources resources;
  Admission admission;
  NodeId node = {};                  // of a task whose workspace lies somewhere: that node alone will do
  std::uint64_t workspace_room = 0;  // by how much its workspace is to grow, or all of a new one's

  constexpr bool operator==(const Terms&) const = default;

  constexpr bool fits_in(const Terms& room) const {
    return resources.fits_in(room.resources) && admission.is_granted_by(room.admission) &&
           (node == NodeId{} || node == room.node) && workspace_room <= room.workspace_room;
  }
};

}  // namespace hearth
