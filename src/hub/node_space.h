// What a node's owner lets the pool store there (space/server.h), reached as what this PC itself grants is, below
// /space/, with the node's name: GET /space/config?node=cellar. Nothing dials a node: each request goes through a
// tunnel of its own. For owners' devices: what lies there are backups of the pool's drive.
#pragma once

#include <string>

#include "hub/parts.h"
#include "hub/tunnels.h"

namespace hearth::hub {

// Errors of the answer: 403 (no owner's device), 400 (no such node; 404 is what restic asks for and is not there), 502
// (it does not answer), and the node's own.
net::Async<void> serve_node_space(net::Exchange& exchange, Parts& parts, Tunnels& tunnels, const std::string& node,
                                  const net::Caller& caller);

}  // namespace hearth::hub
