// Nodes that are kept for an account, or for all accounts of a firm, from a time until a time.
//
// Which nodes they are is decided a while before, at the *notice*: open ones that meet the condition, those of which
// others lose the least first. From then on such a node is given only what ends, by its time limit, before the booking
// begins. When that begins, what still runs there for others goes back to the queue, and until the end tasks of that
// account alone run there; they may run on other nodes, too. A node that is lost or closed meanwhile is replaced if
// there is another.
#pragma once

#include <optional>
#include <set>

#include "core/pool/pool.h"

namespace hearth::pool {

inline constexpr std::size_t kMaxBookings = 256;

struct Booking {
  BookingTerms terms;
  Conditions condition;    // what `where` stands for
  std::set<NodeId> nodes;  // decided on
  bool has_begun = false;
  std::optional<Time> turn;  // when it is to be looked at

  Time notice() const { return terms.from - terms.notice; }
};

}  // namespace hearth::pool
