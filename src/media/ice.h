// Which address of the other end media goes to (RFC 8445, the controlled side). This end checks every address that the
// other named, so that both ends' routers open, answers whoever knows the password, and follows the other end when its
// address changes: media goes to where the other end's own comes from, if that address has passed a check.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "media/address.h"

namespace hearth::media {

struct Credentials {
  std::string fragment;  // 4 to 256 characters
  std::string password;  // 22 to 256
};

struct Datagram {
  Address to;
  std::string bytes;
};

class Ice {
 public:
  static constexpr std::size_t kMaxAddresses = 16;

  // `seed`: random, 8 bytes or more; transactions are drawn from it.
  Ice(Credentials own, Credentials other, std::vector<Address> candidates, std::string_view seed);

  // A STUN datagram; what to answer, if anything.
  std::optional<Datagram> take(const Address& from, std::string_view bytes, Time now);
  // Something else came from there that only the other end can have made.
  void heard_from(const Address& from, Time now);

  // Checks that are due.
  std::vector<Datagram> checks(Time now);

  // Nothing: no way is known yet.
  std::optional<Address> peer() const { return peer_; }
  // Nothing was heard from any address for so long, since the beginning at most.
  Duration silence(Time now) const;

 private:
  std::string transaction();

  Credentials own_;
  Credentials other_;
  std::vector<Address> candidates_;
  std::string seed_;
  std::uint64_t drawn_ = 0;
  std::map<Address, Time> passed_;  // when it was heard from last
  std::optional<Address> peer_;
  std::optional<Time> begun_;
  Time heard_{};
  Time checked_{};
};

}  // namespace hearth::media
