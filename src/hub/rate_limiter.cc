#include "hub/rate_limiter.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

namespace hearth::hub {

std::string RateLimiter::key_of(const std::string& address) {
  std::array<char, sizeof(in6_addr)> bytes{};
  if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  return {bytes.data(), 8};
}

bool RateLimiter::take(const std::string& address, Time now) {
  const double full = per_minute_;
  const std::string key = key_of(address);
  if (buckets_.size() >= kMaxAddresses && !buckets_.contains(key)) {
    // Nobody is refused because of others: what was used longest ago is forgotten.
    buckets_.erase(std::ranges::min_element(buckets_, {}, [](const auto& entry) { return entry.second.updated; }));
  }
  auto [entry, fresh] = buckets_.try_emplace(key, Bucket{full, now});
  Bucket& bucket = entry->second;
  bucket.tokens = std::min(full, bucket.tokens + (now - bucket.updated).seconds() * full / 60);
  bucket.updated = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void RateLimiter::refund(const std::string& address) {
  const auto found = buckets_.find(key_of(address));
  if (found != buckets_.end()) found->second.tokens = std::min<double>(per_minute_, found->second.tokens + 1);
}

}  // namespace hearth::hub
