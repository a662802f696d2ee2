#include "hub/gang_networks.h"

#include "base/bytes.h"
#include "base/log.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

// Members' clocks may be behind this one's; and a gang may wait, with its programs ready, before it runs.
constexpr std::int64_t kEarlierMillis = 15LL * 60 * 1000;
constexpr std::int64_t kLaterMillis = 24LL * 3600 * 1000;
constexpr std::size_t kSecretBytes = 32;
constexpr Duration kBetweenLooks = seconds(1);

}  // namespace

Result<GangNetworks::Live> GangNetworks::make(AttemptId attempt, const v1::JobSpec& spec) const {
  const std::int64_t now = wall_now().unix_millis;
  const std::int64_t until = now + spec.time_limit_seconds() * 1000 + kLaterMillis;
  net::NebulaAuthority authority({now - kEarlierMillis}, {until});
  const net::GangPlan plan = net::plan_gang(attempt.task.job.value);
  Result<std::uint16_t> port = free_udp_port();
  if (!port) return std::unexpected(port.error());
  Result<Lighthouse> lighthouse = Lighthouse::start(
      net::lighthouse_config({.authority = authority.certificate(),
                              .identity = authority.issue("lighthouse", plan.lighthouse(), net::kGangPrefix),
                              .port = *port}));
  if (!lighthouse) return std::unexpected(lighthouse.error());
  return Live{.epoch = attempt.epoch,
              .plan = plan,
              .authority = std::move(authority),
              .secret = to_hex(net::random_bytes(kSecretBytes)),
              .port = *port,
              .lighthouse = std::move(*lighthouse)};
}

Result<v1::GangNetwork> GangNetworks::member(AttemptId attempt, const LiveJob& job) {
  const JobId id = attempt.task.job;
  if (const auto old = live_.find(id); old != live_.end() && old->second.epoch != attempt.epoch) live_.erase(old);
  auto live = live_.find(id);
  if (live == live_.end()) {
    Result<Live> made = make(attempt, job.spec);
    if (!made) return std::unexpected(made.error());
    live = live_.emplace(id, std::move(*made)).first;
  }
  const Live& network = live->second;
  const std::uint32_t rank = attempt.task.index;
  net::NebulaIdentity identity =
      network.authority.issue("host-" + std::to_string(rank), network.plan.member(rank), net::kGangPrefix);
  v1::GangNetwork way;
  way.set_network(network.plan.network);
  way.set_size(job.spec.tasks());
  way.set_authority(network.authority.certificate());
  way.set_certificate(std::move(identity.certificate));
  way.set_key(std::move(identity.key));
  way.set_port(network.port);
  way.set_secret(network.secret);
  return way;
}

void GangNetworks::attempt_ended(AttemptId attempt, const v1::Outcome& /*outcome*/) {
  const auto live = live_.find(attempt.task.job);
  if (live != live_.end() && live->second.epoch == attempt.epoch) live_.erase(live);
}

void GangNetworks::start(net::Loop& loop) {
  running_ = true;
  loop.spawn(look_after());
}

net::Async<void> GangNetworks::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
  live_.clear();
}

net::Async<void> GangNetworks::look_after() {
  while (!stopping_) {
    co_await woken_.wait(kBetweenLooks);
    for (auto& [job, live] : live_) {
      if (!live.lighthouse.has_ended()) continue;
      log_warning("the lighthouse of a gang has ended: the gang runs again", {{"job", job.value}});
      engine_.restart_gang(job);
    }
  }
  running_ = false;
  stopped_.notify();
}

}  // namespace hearth::hub
