// What a task may do only on nodes whose owners admit it. Unlike Resources it is not used up.
#pragma once

#include <compare>

#include "core/resources.h"

namespace hearth {

struct Admission {
  bool listed_hosts = false;  // reaches the hosts that its job lists, through the node's proxy
  bool full_network = false;  // reaches the Internet

  constexpr auto operator<=>(const Admission&) const = default;

  constexpr bool is_granted_by(const Admission& offered) const {
    return (!listed_hosts || offered.listed_hosts) && (!full_network || offered.full_network);
  }
};

// What a task needs, or what a node has to give.
struct Terms {
  Resources resources;
  Admission admission;

  constexpr bool operator==(const Terms&) const = default;

  constexpr bool fits_in(const Terms& room) const {
    return resources.fits_in(room.resources) && admission.is_granted_by(room.admission);
  }
};

}  // namespace hearth
