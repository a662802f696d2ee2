// A door: a port of the hub's own at which the browsers of one device reach a web program, one port of one task. Pages
// of different ports are of different origins, so a program's scripts reach neither the hub's page, its storage and its
// API, nor another door's.
//
//   browser ══ TLS ══ door ══ tunnel ══ node ── program
//
// A browser is let in by a ticket, once and within seconds, in exchange for the door's cookie. From then on every
// request has to come from the door's own pages and by that cookie; the device's standing is looked at each time, and
// what is open is cut with it. What either side says is told on by web_heads.h.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hub/tunnels.h"
#include "hub/web_heads.h"
#include "hub/web_talk.h"
#include "net/server.h"
#include "net/tls.h"

namespace hearth::hub {

struct Parts;

class WebDoor {
 public:
  static constexpr std::string_view kEntry = "/.hearth-enter";
  static constexpr Duration kTicketLife = seconds(30);
  static constexpr Duration kIdleLife = minutes(30);
  static constexpr std::size_t kMaxTickets = 8;  // the oldest goes first

  struct Place {
    DeviceId device;
    TaskId task;
    std::uint16_t port = 0;
    auto operator<=>(const Place&) const = default;
  };

  // Requests that run, at any door.
  struct Running {
    std::size_t count = 0;
    net::Event changed;
  };

  struct World {
    Parts& parts;
    Tunnels& tunnels;
    std::shared_ptr<const net::TlsContext> tls;
    std::shared_ptr<Running> running;
    std::function<std::vector<std::string>()> living;  // the ids of all doors
  };

  // Errors: as net::Server::listen().
  static Result<std::shared_ptr<WebDoor>> open(World world, Place place, bool is_confined, std::uint16_t at);

  std::uint16_t port() const { return server_->port(); }
  const std::string& id() const { return origin_.id; }

  // What is to be opened at the door, with a new ticket.
  std::string new_path(Time now);

  bool is_used(Time now) const { return running_ > 0 || now - last_used_ < kIdleLife; }
  bool is_busy() const { return running_ > 0; }
  Time last_used() const { return last_used_; }

  // Cuts what is open; nothing is answered from then on.
  void close();

 private:
  class Use;

  WebDoor(World world, Place place, bool is_confined);

  static net::Async<void> serve(std::shared_ptr<WebDoor> self, net::Exchange& exchange);
  net::Async<void> enter(net::Exchange& exchange);
  bool has_entered(const net::RequestHead& head) const;
  bool take_ticket(const std::string& ticket, Time now);
  net::Async<void> relay(net::Exchange& exchange, const net::Caller& caller);
  net::Async<void> answer(net::Exchange& exchange, WebTalk& talk);
  net::Async<void> splice(net::Exchange& exchange, WebTalk& talk, net::Headers headers);
  net::Async<void> refuse(net::Exchange& exchange, unsigned status, std::string_view title,
                          std::string_view text) const;

  World world_;
  Place place_;
  WebOrigin origin_;
  std::string secret_;
  std::vector<std::pair<std::string, Time>> tickets_;  // and when they run out, the oldest first
  std::set<WebTalk*> talks_;
  std::size_t running_ = 0;
  Time last_used_;
  bool closed_ = false;
  std::unique_ptr<net::Server> server_;
};

}  // namespace hearth::hub
