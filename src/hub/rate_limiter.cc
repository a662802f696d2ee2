#include "hub/rate_limiter.h"

#include <algorithm>

namespace hearth::hub {

bool RateLimiter::take(const std::string& address, Time now) {
  const double full = per_minute_;
  if (buckets_.size() >= kMaxAddresses && !buckets_.contains(address)) {
    std::erase_if(buckets_, [&](const auto& entry) { return now - entry.second.updated >= minutes(1); });
    if (buckets_.size() >= kMaxAddresses) return false;
  }
  auto [entry, fresh] = buckets_.try_emplace(address, Bucket{full, now});
  Bucket& bucket = entry->second;
  bucket.tokens = std::min(full, bucket.tokens + (now - bucket.updated).seconds() * full / 60);
  bucket.updated = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void RateLimiter::refund(const std::string& address) {
  const auto found = buckets_.find(address);
  if (found != buckets_.end()) found->second.tokens = std::min<double>(per_minute_, found->second.tokens + 1);
}

}  // namespace hearth::hub
