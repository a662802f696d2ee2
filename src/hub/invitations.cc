#include "hub/invitations.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"

namespace hearth::hub {
namespace {

constexpr Duration kNonceLife = seconds(60);
// How long an answered pairing stays to be asked about.
constexpr Duration kAnsweredLife = minutes(5);

std::string digits_from(std::string_view random) {
  std::uint64_t number = 0;
  for (const char c : random) number = number * 256 + static_cast<unsigned char>(c);
  return fmt::format("{:08}", number % 100'000'000);
}

}  // namespace

const Invitation& Invitations::invite(Standing standing, std::string secret, std::string_view random, Time now) {
  expire(now);
  if (live_.size() >= kMaxLive) live_.pop_front();
  live_.push_back(
      {.secret = std::move(secret), .typed_code = digits_from(random), .standing = standing, .expires = now + kLife});
  return live_.back();
}

void Invitations::add_nonce(std::string nonce, Time now) {
  std::erase_if(nonces_, [&](const auto& entry) { return now - entry.second > kNonceLife; });
  if (nonces_.size() >= kMaxNonces)
    nonces_.erase(std::ranges::min_element(nonces_, {}, [](const auto& entry) { return entry.second; }));
  nonces_[std::move(nonce)] = now;
}

bool Invitations::take_nonce(const std::string& nonce, Time now) {
  const auto found = nonces_.find(nonce);
  if (found == nonces_.end()) return false;
  const bool fresh = now - found->second <= kNonceLife;
  nonces_.erase(found);
  return fresh;
}

std::optional<Invitation> Invitations::take(std::string_view mac,
                                            const std::function<std::string(std::string_view secret)>& mac_of,
                                            Time now) {
  expire(now);
  // Every candidate is compared, so that the time tells nothing of which one was near.
  auto match = live_.end();
  for (auto candidate = live_.begin(); candidate != live_.end(); ++candidate) {
    const bool by_link = equal_constant_time(mac, mac_of(candidate->secret));
    const bool by_code = equal_constant_time(mac, mac_of(candidate->typed_code));
    if (by_link || by_code) match = candidate;
  }
  if (match == live_.end()) {
    for (Invitation& invitation : live_) ++invitation.wrong_tries;
    std::erase_if(live_, [](const Invitation& invitation) { return invitation.wrong_tries >= kWrongTries; });
    return std::nullopt;
  }
  Invitation taken = std::move(*match);
  live_.erase(match);
  return taken;
}

Result<void> Invitations::add_waiting(WaitingDevice device, Time now) {
  expire(now);
  if (waiting_.size() >= kMaxWaiting) {
    return fail(Code::kResourceExhausted, "too many devices wait for the owner's word; allow or refuse those first");
  }
  device.expires = now + kLife;
  std::string id = device.pairing_id;
  waiting_.emplace(std::move(id), std::move(device));
  return {};
}

WaitingDevice* Invitations::find_waiting(const std::string& pairing_id, Time now) {
  expire(now);
  const auto found = waiting_.find(pairing_id);
  return found == waiting_.end() ? nullptr : &found->second;
}

std::vector<const WaitingDevice*> Invitations::waiting(Time now) {
  expire(now);
  std::vector<const WaitingDevice*> found;
  for (const auto& [id, device] : waiting_) {
    if (device.state == v1::PairStatusReply::STATE_WAITING) found.push_back(&device);
  }
  return found;
}

void Invitations::expire(Time now) {
  std::erase_if(live_, [&](const Invitation& invitation) { return now >= invitation.expires; });
  for (auto& [id, device] : waiting_) {
    if (now >= device.expires && device.state == v1::PairStatusReply::STATE_WAITING) {
      device.state = v1::PairStatusReply::STATE_DENIED;
    }
  }
  std::erase_if(waiting_, [&](const auto& entry) { return now >= entry.second.expires + kAnsweredLife; });
}

}  // namespace hearth::hub
