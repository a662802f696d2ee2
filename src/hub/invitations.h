// Pairing's memory: living invitations, server nonces, and devices that wait for the owner's word. Told the time and
// the random bytes, so that every rule can be tested: an invitation works once, for 120 s, five live at most; three
// wrong tries of its typed code end it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/admission.h"
#include "hearth/v1/pairing.pb.h"

namespace hearth::hub {

// What a device will be in the pool.
struct Standing {
  v1::Role role = v1::ROLE_MEMBER;
  Ring ring = Ring::kHome;
};

struct Invitation {
  std::string secret;      // 16 bytes, in the link
  std::string typed_code;  // 8 digits
  Standing standing;
  Time expires;
  int wrong_tries = 0;
};

// A device that knew a secret and waits to be allowed.
struct WaitingDevice {
  std::string pairing_id;  // 16 bytes
  std::string name;
  std::string digits;
  std::string address;
  Standing standing;
  v1::KeyKind key_kind = v1::KEY_KIND_UNSPECIFIED;
  std::string key;
  Time expires;
  v1::PairStatusReply::State state = v1::PairStatusReply::STATE_WAITING;
  DeviceId device;  // once allowed
};

class Invitations {
 public:
  static constexpr Duration kLife = seconds(120);
  static constexpr std::size_t kMaxLive = 5;
  static constexpr std::size_t kMaxWaiting = 20;
  static constexpr std::size_t kMaxNonces = 1024;
  static constexpr int kWrongTries = 3;

  // `secret`: 16 random bytes; `random`: 8 more for the typed code. The sixth living invitation replaces the oldest.
  const Invitation& invite(Standing standing, std::string secret, std::string_view random, Time now);

  void add_nonce(std::string nonce, Time now);
  // True once for a nonce that is at most 60 s old.
  bool take_nonce(const std::string& nonce, Time now);

  // The living invitation for which `mac_of(secret)` is `mac`, which it ends. If none fits, every invitation has seen
  // one wrong try (a wrong code may have been meant for any).
  std::optional<Invitation> take(std::string_view mac,
                                 const std::function<std::string(std::string_view secret)>& mac_of, Time now);

  // Errors: kResourceExhausted.
  Result<void> add_waiting(WaitingDevice device, Time now);
  WaitingDevice* find_waiting(const std::string& pairing_id, Time now);  // expired ones are denied
  std::vector<const WaitingDevice*> waiting(Time now);

 private:
  void expire(Time now);

  std::deque<Invitation> live_;
  std::map<std::string, Time> nonces_;
  std::map<std::string, WaitingDevice> waiting_;
};

}  // namespace hearth::hub
