// STUN as far as ICE needs it (RFC 8489, RFC 8445 section 7): binding requests under a short-term password, and their
// answers. What is not under the password is not read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "media/address.h"

namespace hearth::media {

struct Stun {
  enum class Kind : std::uint8_t { kRequest, kAnswer };
  Kind kind = Kind::kRequest;
  std::string transaction;  // 12 bytes
  std::string username;     // of a request: "whose-is-asked:who-asks"
  bool use_candidate = false;
};

bool is_stun(std::string_view datagram);

// Errors: kInvalidArgument (no binding request or answer), kUnauthenticated (another password).
Result<Stun> parse_stun(std::string_view datagram, std::string_view password);

std::string stun_answer(std::string_view transaction, const Address& seen_from, std::string_view password);
// Of the controlled side. `tie_breaker`: any number, kept.
std::string stun_request(std::string_view transaction, std::string_view username, std::uint32_t priority,
                         std::uint64_t tie_breaker, std::string_view password);

}  // namespace hearth::media
