#include "node/guest_proxy.h"

#include "base/log.h"
#include "net/destination.h"

namespace hearth::node {

Result<GuestProxy> make_proxy(const v1::JobSpec& spec, net::Loop& loop, egress::Resolver& resolver) {
  if (spec.net_hosts().empty()) return nullptr;
  egress::Rules rules;
  for (const std::string& host : spec.net_hosts()) {
    Result<net::Endpoint> destination = net::parse_destination(host);
    if (!destination) return std::unexpected(destination.error());
    rules.allowed.push_back(std::move(*destination));
  }
  egress::World world;
  world.resolve = [&resolver](std::string host, Time due) { return resolver.resolve(std::move(host), due); };
  return std::make_shared<egress::Proxy>(loop, std::move(world), std::move(rules));
}

sandbox::Network network_of(const v1::JobSpec& spec, const GuestProxy& proxy, net::Loop& loop) {
  if (spec.net_full()) {
    return {.kind = sandbox::Network::Kind::kFull,
            .on_listener = {},
            .refused = egress::refused_ranges(egress::own_ranges())};
  }
  if (!proxy) return {};
  return {.kind = sandbox::Network::Kind::kProxy,
          .on_listener = [proxy, &loop](int listener) { loop.post([proxy, listener] { proxy->listen(listener); }); }};
}

void close_proxy(const GuestProxy& proxy, AttemptId attempt, v1::Outcome& outcome) {
  if (!proxy) return;
  proxy->stop();
  const egress::Counts counts = proxy->counts();
  outcome.set_net_bytes_sent(counts.bytes_sent);
  outcome.set_net_bytes_received(counts.bytes_received);
  log_info("a guest's network is closed", {{"job", attempt.task.job.value},
                                           {"task", attempt.task.index},
                                           {"connections", counts.connections},
                                           {"refused", counts.refused},
                                           {"bytes_sent", counts.bytes_sent},
                                           {"bytes_received", counts.bytes_received}});
}

}  // namespace hearth::node
