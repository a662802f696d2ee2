#include "hub/sessions.h"

#include <algorithm>
#include <vector>

namespace hearth::hub {
namespace {

constexpr Duration kChallengeLife = seconds(60);

}  // namespace

void Sessions::add_challenge(std::string challenge, Time now) {
  if (challenges_.size() >= kMaxChallenges) {
    std::erase_if(challenges_, [&](const auto& entry) { return now - entry.second > kChallengeLife; });
  }
  if (challenges_.size() >= kMaxChallenges) {
    challenges_.erase(std::ranges::min_element(challenges_, {}, [](const auto& entry) { return entry.second; }));
  }
  challenges_[std::move(challenge)] = now;
}

bool Sessions::take_challenge(const std::string& challenge, Time now) {
  const auto found = challenges_.find(challenge);
  if (found == challenges_.end()) return false;
  const bool fresh = now - found->second <= kChallengeLife;
  challenges_.erase(found);
  return fresh;
}

void Sessions::open(DeviceId device, std::string token, Time now) {
  auto& tokens = of_device_[device];
  if (tokens.size() >= kMaxPerDevice) {
    by_token_.erase(tokens.begin()->second);
    tokens.erase(tokens.begin());
  }
  const Session session{.number = ++last_number_, .device = device, .proved = now, .expires = now + kLife};
  tokens.emplace(session.number, token);
  by_token_.emplace(std::move(token), session);
}

std::optional<Session> Sessions::find(const std::string& token, Time now) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return std::nullopt;
  if (now < found->second.expires) return found->second;
  of_device_[found->second.device].erase({found->second.number, token});
  by_token_.erase(found);
  return std::nullopt;
}

void Sessions::enter(DeviceId device, net::Cuttable& connection) { connections_[device].insert(&connection); }

void Sessions::leave(DeviceId device, net::Cuttable& connection) {
  const auto of_device = connections_.find(device);
  if (of_device == connections_.end()) return;
  const auto one = of_device->second.find(&connection);
  if (one != of_device->second.end()) of_device->second.erase(one);
  if (of_device->second.empty()) connections_.erase(of_device);
}

bool Sessions::has_connections(DeviceId device) const { return connections_.contains(device); }

void Sessions::revoke(DeviceId device) {
  for (const auto& [number, token] : of_device_[device]) by_token_.erase(token);
  of_device_.erase(device);
  cut(device);
}

void Sessions::cut(DeviceId device) {
  const auto found = connections_.find(device);
  if (found == connections_.end()) return;
  // A cut connection's handler may leave() while we go through them.
  const std::vector<net::Cuttable*> cut(found->second.begin(), found->second.end());
  for (net::Cuttable* connection : cut) connection->cut();
}

}  // namespace hearth::hub
