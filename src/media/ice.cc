#include "media/ice.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "media/bits.h"
#include "media/stun.h"
#include "net/crypto.h"

namespace hearth::media {
namespace {

constexpr Duration kFirstPause = milliseconds(100);  // between checks of an address; each is twice the one before,
constexpr Duration kLongestPause = milliseconds(1'600);
constexpr Duration kSilent = milliseconds(500);
constexpr std::size_t kMaxWays = 2 * Ice::kMaxAddresses;
constexpr std::uint32_t kPriority = 1'862'270'975;  // of a peer-reflexive candidate: 110 << 24 | 65535 << 8 | 255

}  // namespace

Ice::Ice(Credentials own, Credentials other, std::vector<Address> candidates, std::string_view seed)
    : own_(std::move(own)), other_(std::move(other)), seed_(seed) {
  CHECK(seed.size() >= 8);
  if (candidates.size() > kMaxAddresses) candidates.resize(kMaxAddresses);
  for (const Address& one : candidates) ways_.emplace(one, Way());
}

// The same for all checks of an address, so that a late answer counts.
std::string Ice::transaction(const Address& to) const {
  return net::sha256(seed_ + text_of(to) + " " + std::to_string(to.port)).substr(0, 12);
}

Datagram Ice::check(const Address& to, Way& way, Time now) {
  const std::int64_t doubled = kFirstPause.micros << std::min(way.checks, 10);
  way.due = now + std::min(microseconds(doubled), kLongestPause);
  ++way.checks;
  return {to, stun_request(transaction(to), other_.fragment + ":" + own_.fragment, kPriority, number_at(seed_, 0, 8),
                           other_.password)};
}

// The one that was heard from longest ago makes room.
Ice::Way& Ice::way_of(const Address& address) {
  if (const auto found = ways_.find(address); found != ways_.end()) return found->second;
  if (ways_.size() >= kMaxWays) {
    ways_.erase(std::ranges::min_element(ways_, {}, [](const auto& one) { return one.second.heard; }));
  }
  return ways_[address];
}

void Ice::choose(const Address& address, Time now) {
  const auto found = ways_.find(address);
  if (found == ways_.end() || !found->second.passed) return;
  const auto peer = peer_ ? ways_.find(*peer_) : ways_.end();
  const bool is_lost = peer == ways_.end() || now - peer->second.heard > kSilent;
  if (!peer_ || (is_lost && found->second.is_wanted)) peer_ = address;
}

std::vector<Datagram> Ice::take(const Address& from, std::string_view bytes, Time now) {
  const Result<Stun> request = parse_stun(bytes, own_.password);
  if (!request) {
    const Result<Stun> answer = parse_stun(bytes, other_.password);
    const auto way = ways_.find(from);
    if (!answer || answer->kind != Stun::Kind::kAnswer || way == ways_.end()) return {};
    if (answer->transaction != transaction(from)) return {};
    way->second.passed = true;
    way->second.heard = heard_ = now;
    choose(from, now);
    return {};
  }
  if (request->kind != Stun::Kind::kRequest || request->username != own_.fragment + ":" + other_.fragment) return {};
  Way& way = way_of(from);
  way.heard = heard_ = now;
  way.is_wanted |= request->use_candidate;
  std::vector<Datagram> out;
  // Before the answer, upon which the other end begins its handshake. One for each request at most: whose address that
  // is in truth is not known yet.
  const bool is_first = !std::exchange(way.has_asked, true);
  if (!way.passed && (is_first || now >= way.due)) out.push_back(check(from, way, now));
  out.push_back({from, stun_answer(request->transaction, from, own_.password)});
  choose(from, now);
  return out;
}

void Ice::heard_from(const Address& from, Time now) {
  const auto found = ways_.find(from);
  if (found == ways_.end() || !found->second.passed) return;
  found->second.heard = heard_ = now;
  peer_ = from;
}

std::vector<Datagram> Ice::checks(Time now) {
  if (!begun_) begun_ = heard_ = now;
  std::vector<Datagram> due;
  for (auto& [to, way] : ways_) {
    if (!way.passed && way.checks < kMaxChecks && now >= way.due) due.push_back(check(to, way, now));
  }
  return due;
}

bool Ice::has_passed(const Address& address) const {
  const auto found = ways_.find(address);
  return found != ways_.end() && found->second.passed;
}

Duration Ice::silence(Time now) const { return begun_ ? now - heard_ : Duration{}; }

}  // namespace hearth::media
