// What an attempt's way into the network of its gang comes to here: pure translations, but for finding the hub.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "egress/resolver.h"
#include "hearth/v1/session.pb.h"
#include "node/hub_link.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// What the sandbox is to make. `hub`: IPv4 address of the hub, as this PC reaches it; `port`: UDP, for nebula to send
// from. Errors: kInvalidArgument if what the hub sent is malformed.
Result<sandbox::Overlay> make_overlay(const v1::GangNetwork& way, std::uint32_t rank, const std::string& hub,
                                      std::uint16_t port);

// What tells the program of its gang.
std::vector<std::pair<std::string, std::string>> gang_variables(const v1::GangNetwork& way, std::uint32_t rank);

// The network of the attempt, or none if its job has none. Errors: those of make_overlay(); kFailedPrecondition (the
// hub sent no way in, or its address cannot be found).
net::Async<Result<std::optional<sandbox::Overlay>>> prepare_overlay(const v1::JobSpec& spec, const v1::GangNetwork& way,
                                                                    TaskId task, std::shared_ptr<HubLink> link,
                                                                    egress::Resolver& resolver, Time due);

}  // namespace hearth::node
