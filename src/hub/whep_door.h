// Where players watch apps: programs other than Hearth's page that speak WHEP (draft-ietf-wish-whep), by watch links
// (core/pool/audiences.h). What is said there is the comment of WatchLink in audiences.proto.
//
//   player ── HTTPS: offer, answer ── hub ══ tunnel ══ node ── hearth-media ── UDP: pictures, sound ── player
//
// A player has a token and nothing else: no cookie is read, so no page of another origin gets more here than whoever
// runs it has been given, and it may ask from any origin. It reaches hearth-media by the way of those who may only
// watch; the hub says its offer there, hears the answer, and keeps the tunnel, whose end ends the player.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "core/pool/audiences.h"
#include "hub/rate_limiter.h"
#include "hub/tunnels.h"
#include "net/server.h"

namespace hearth::hub {

struct Parts;

class WhepDoor {
 public:
  static constexpr std::string_view kPrefix = "/whep/";

  WhepDoor(Parts& parts, Tunnels& tunnels) : parts_(parts), tunnels_(tunnels) {}

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  net::Async<void> serve(net::Exchange& exchange);

  void start();
  // Ends all players.
  net::Async<void> stop();

 private:
  struct Player {
    pool::WatchLinkId link;
    std::unique_ptr<HubEnd> end;
  };

  // Errors: kUnauthenticated; kResourceExhausted (too many wrong tries).
  Result<const pool::WatchLink*> admit(pool::WatchLinkId link, net::Exchange& exchange);
  net::Async<net::Response> open(net::Exchange& exchange, pool::WatchLinkId id);
  net::Async<net::Response> begin(std::string offer, pool::WatchLinkId id, const std::string& address);
  net::Response close(pool::WatchLinkId id, const std::string& session);
  net::Async<Result<void>> note(pool::WatchLinkId id, const std::string& address);
  net::Async<void> follow(std::string session);
  net::Async<void> run();

  Parts& parts_;
  Tunnels& tunnels_;
  RateLimiter wrong_tokens_{30};                     // of one address, in a minute
  std::set<std::pair<JobId, std::uint32_t>> noted_;  // in the audit log
  std::map<std::string, Player> players_;            // by the names of their sessions, which nobody guesses
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event changed_;
};

}  // namespace hearth::hub
