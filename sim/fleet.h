// What a fleet consists of and works at: PCs of common sizes; accounts with weights, whose tasks always wait; and
// visitors, who want little and not to wait.
#pragma once

#include <cstdint>
#include <vector>

#include "core/pool/pool.h"
#include "core/resources.h"
#include "sim/store.h"
#include "sim/universe.h"

namespace hearth::sim {

inline constexpr Duration kFleetWarmUp = minutes(15);
inline constexpr Duration kFleetWindow = minutes(60);
inline constexpr Duration kFleetAfter =
    minutes(15);  // owners go on, so that what runs when the hour ends is not spared

Resources fleet_size(Random& random);

struct FleetOrder {
  StoredJob job;
  Duration at;  // after the beginning
};

// All accounts. The first ones, as many as the scenario says, are those whose tasks always wait.
std::vector<pool::AccountTerms> fleet_accounts(const Scenario& scenario);

// `cores`: of all nodes. Tasks are as long as it takes for the scenario's number of them to last.
std::vector<FleetOrder> fleet_orders(Universe& universe, std::uint64_t cores);

}  // namespace hearth::sim
