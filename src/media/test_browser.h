// A browser's end of a WebRTC session, as far as tests of this folder need it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/dtls.h"

namespace hearth::media {

// As Chromium writes it, shortened. `fingerprint`: SHA-256, as "AB:CD:...".
std::string browser_offer(const std::string& fingerprint);

class BrowserDtls {
 public:
  BrowserDtls();
  ~BrowserDtls();
  BrowserDtls(const BrowserDtls&) = delete;
  BrowserDtls& operator=(const BrowserDtls&) = delete;

  std::string fingerprint() const;
  // One step of the handshake; what to send.
  std::vector<std::string> step(std::string_view datagram);
  bool connected() const;
  SrtpKeys keys() const;  // `own` is this end's

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::media
