// How often one address may do a thing: a token bucket per address, in a table of bounded size. Addresses of IPv6 that
// share their first 64 bits are one: whoever has one of them has all.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"

namespace hearth::hub {

class RateLimiter {
 public:
  // `per_minute` at a stretch, then as many spread over each minute.
  explicit RateLimiter(std::uint32_t per_minute) : per_minute_(per_minute) {}

  // Takes one; false if none is left.
  bool take(const std::string& address, Time now);

  // Gives one back: what was taken turned out to be in order.
  void refund(const std::string& address);

 private:
  static std::string key_of(const std::string& address);

  struct Bucket {
    double tokens = 0;
    Time updated;
  };
  static constexpr std::size_t kMaxAddresses = 4096;

  std::uint32_t per_minute_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace hearth::hub
