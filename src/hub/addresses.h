// Where a hub can be reached by others.
#pragma once

#include <string>
#include <vector>

#include "hub/hub.h"

namespace hearth::hub {

// The address that it listens on; if it listens on all, those by which another device on the network may reach this PC.
std::vector<std::string> link_hosts(const Options& options);

// The first few of these as a HubRow has them: "host:port host:port".
std::string endpoints_text(const Options& options, std::uint16_t port);
// And back; what is no endpoint is left out.
std::vector<net::Endpoint> endpoints_in(const std::string& text);

}  // namespace hearth::hub
