#include "media/ice.h"

#include <algorithm>

#include "base/check.h"
#include "media/bits.h"
#include "media/stun.h"
#include "net/crypto.h"

namespace hearth::media {
namespace {

constexpr Duration kCheckEvery = milliseconds(100);
constexpr Duration kCheckFor = seconds(15);  // afterwards the other end's own checks keep the way open
constexpr Duration kSilent = milliseconds(500);
constexpr std::uint32_t kPriority = 1'862'270'975;  // of a peer-reflexive candidate: 110 << 24 | 65535 << 8 | 255

}  // namespace

Ice::Ice(Credentials own, Credentials other, std::vector<Address> candidates, std::string_view seed)
    : own_(std::move(own)), other_(std::move(other)), candidates_(std::move(candidates)), seed_(seed) {
  CHECK(seed.size() >= 8);
  if (candidates_.size() > kMaxAddresses) candidates_.resize(kMaxAddresses);
}

std::string Ice::transaction() { return net::sha256(seed_ + std::to_string(++drawn_)).substr(0, 12); }

std::optional<Datagram> Ice::take(const Address& from, std::string_view bytes, Time now) {
  const Result<Stun> request = parse_stun(bytes, own_.password);
  if (!request) {
    const Result<Stun> answer = parse_stun(bytes, other_.password);
    if (answer && answer->kind == Stun::Kind::kAnswer) heard_ = now;
    return std::nullopt;
  }
  if (request->kind != Stun::Kind::kRequest || request->username != own_.fragment + ":" + other_.fragment) {
    return std::nullopt;
  }
  if (passed_.size() >= kMaxAddresses && !passed_.contains(from)) {
    passed_.erase(std::ranges::min_element(passed_, {}, [](const auto& one) { return one.second; }));
  }
  passed_[from] = now;
  heard_ = now;
  const bool lost = peer_ && (!passed_.contains(*peer_) || now - passed_[*peer_] > kSilent);
  if (!peer_ || (lost && request->use_candidate)) peer_ = from;
  return Datagram{from, stun_answer(request->transaction, from, own_.password)};
}

void Ice::heard_from(const Address& from, Time now) {
  const auto found = passed_.find(from);
  if (found == passed_.end()) return;
  found->second = now;
  heard_ = now;
  peer_ = from;
}

std::vector<Datagram> Ice::checks(Time now) {
  if (!begun_) begun_ = heard_ = now;
  std::vector<Datagram> due;
  if (now - *begun_ > kCheckFor || now - checked_ < kCheckEvery) return due;
  checked_ = now;
  const std::uint64_t tie_breaker = number_at(seed_, 0, 8);
  for (const Address& to : candidates_) {
    due.push_back({to, stun_request(transaction(), other_.fragment + ":" + own_.fragment, kPriority, tie_breaker,
                                    other_.password)});
  }
  return due;
}

Duration Ice::silence(Time now) const { return begun_ ? now - heard_ : Duration{}; }

}  // namespace hearth::media
