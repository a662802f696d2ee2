// What a node can give whose guests run on other machines, as jobs of a cluster (sandbox::Host::is_elsewhere()).
#pragma once

#include "core/node/agent.h"
#include "node/rings.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// No more than there is now; and nobody sits at the cluster's machines, who share them by an order of their own, so the
// owner's presence at this PC is of no account.
void heed_room(Policy& policy, const sandbox::Room& room);

// Nothing of what this process would have to do beside the guest.
void heed_distance(Rings& rings);

}  // namespace hearth::node
