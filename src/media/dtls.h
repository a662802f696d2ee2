// DTLS 1.2 as WebRTC uses it (RFC 8827, RFC 5764): the side that is dialled; the other end is known by its
// certificate's fingerprint, and both take the keys of SRTP from the handshake.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hearth::media {

bool is_dtls(std::string_view datagram);

// Of SRTP_AES128_CM_HMAC_SHA1_80: 16 bytes of key and 14 of salt each.
struct SrtpKeys {
  std::string own;
  std::string other;
};

class Dtls {
 public:
  // A certificate of its own, for this session alone. `fingerprint`: the other's, SHA-256 as "AB:CD:...".
  static Result<std::unique_ptr<Dtls>> open(std::string fingerprint);
  ~Dtls();
  Dtls(const Dtls&) = delete;
  Dtls& operator=(const Dtls&) = delete;

  std::string fingerprint() const;

  // Errors: kUnauthenticated (another certificate), kAborted (the other has ended it, or breaks the protocol).
  Result<void> take(std::string_view datagram);
  // Until something has to be sent again; nothing: not at all.
  std::optional<Duration> next_timeout() const;
  Result<void> on_timeout();

  // What is to be sent, each a datagram.
  std::vector<std::string> take_outgoing();

  // Once the handshake is done.
  std::optional<SrtpKeys> keys() const;

  // Within it, one datagram of the other layer each (SCTP).
  void send(std::string_view bytes);
  std::vector<std::string> take_incoming();

 private:
  struct State;
  explicit Dtls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::media
