// Packets under keys (RFC 3711), by libsrtp.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "media/dtls.h"

namespace hearth::media {

class Srtp {
 public:
  // Errors: kInternal.
  static Result<std::unique_ptr<Srtp>> open(const SrtpKeys& keys);
  ~Srtp();
  Srtp(const Srtp&) = delete;
  Srtp& operator=(const Srtp&) = delete;

  // Of this end's. A packet may be protected again, as long as its payload is the same. Errors: kInternal.
  Result<std::string> protect(std::string packet);
  Result<std::string> protect_control(std::string packet);
  // Of the other end's. Errors: kUnauthenticated.
  Result<std::string> open_control(std::string packet);

 private:
  struct State;
  explicit Srtp(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::media
