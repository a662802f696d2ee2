// Which address of the other end media goes to (RFC 8445, the controlled side). This end checks every address that the
// other named, so that both ends' routers open, and every one that asks under the password. An address that answers its
// check has passed: nothing but checks and their answers goes to any other, and a viewer can have named anybody's.
// Media goes to where the other end's own comes from, so it is followed when its address changes.
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
  static constexpr std::size_t kMaxAddresses = 16;  // that the other end names
  static constexpr int kMaxChecks = 12;             // of each of them, at growing intervals, unless it asks itself

  // `seed`: random, 8 bytes or more; transactions are drawn from it.
  Ice(Credentials own, Credentials other, std::vector<Address> candidates, std::string_view seed);

  // A STUN datagram; what to send, in this order.
  std::vector<Datagram> take(const Address& from, std::string_view bytes, Time now);
  // Something else came from there that only the other end can have made.
  void heard_from(const Address& from, Time now);

  // Checks that are due.
  std::vector<Datagram> checks(Time now);

  bool has_passed(const Address& address) const;
  // Nothing: no way is known yet.
  std::optional<Address> peer() const { return peer_; }
  // Nothing was heard from any address for so long, since the beginning at most.
  Duration silence(Time now) const;

 private:
  struct Way {
    Time heard;  // from there, last
    Time due;    // its next check
    int checks = 0;
    bool has_asked = false;
    bool is_wanted = false;  // the other end has chosen it
    bool passed = false;
  };

  std::string transaction(const Address& to) const;
  Datagram check(const Address& to, Way& way, Time now);
  Way& way_of(const Address& address);
  void choose(const Address& address, Time now);

  Credentials own_;
  Credentials other_;
  std::string seed_;
  std::map<Address, Way> ways_;
  std::optional<Address> peer_;
  std::optional<Time> begun_;
  Time heard_{};
};

}  // namespace hearth::media
