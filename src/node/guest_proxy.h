// The network of one attempt that is admitted to it: the proxy, and how the sandbox finds it.
#pragma once

#include <memory>

#include "base/ids.h"
#include "egress/proxy.h"
#include "egress/resolver.h"
#include "hearth/v1/jobs.pb.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

using GuestProxy = std::shared_ptr<egress::Proxy>;

// nullptr for a job that lists no hosts. Errors: kInvalidArgument. The loop's thread.
Result<GuestProxy> make_proxy(const v1::JobSpec& spec, net::Loop& loop, egress::Resolver& resolver);

// What the sandbox is to make. Any thread.
sandbox::Network network_of(const v1::JobSpec& spec, const GuestProxy& proxy, net::Loop& loop);

// Ends the proxy's connections, adds what it counted to the outcome and tells the owner's log. The loop's thread.
void close_proxy(const GuestProxy& proxy, AttemptId attempt, v1::Outcome& outcome);

}  // namespace hearth::node
