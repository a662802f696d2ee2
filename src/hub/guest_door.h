// Where guests come in who have nothing but a link of the drive: below /link/ID/ they have its files, uploads and some
// of its calls (proto/hearth/v1/links.proto), as far as their link goes. Looks to it, too, that a link's end is its
// guests'.
//
// A program that keeps no cookies, such as a file manager, shows the link's secret as Basic's password instead, at
// /link/ID/dav/: "SECRET", or "SECRET:PASSWORD" of a link that asks for one. Any user name will do.
//
//   GuestDoor door(parts, guests, tries, webdav, tus, thumbnails, listings);
//   door.start();
//   if (GuestDoor::is_for(path)) co_await door.serve(exchange);
#pragma once

#include <map>
#include <string>

#include "drive/guests.h"
#include "drive/listing.h"
#include "drive/thumbnails.h"
#include "drive/tus.h"
#include "drive/webdav.h"
#include "hub/rate_limiter.h"
#include "net/connect.h"

namespace hearth::hub {

struct Parts;

// A guest's ticket, scoped to his link's own path.
inline constexpr std::string_view kGuestCookie = "__Secure-hearth-link";

// How often links are tried in a minute, by whichever way: wrongly from one address, and the password of one link.
struct GuestTries {
  RateLimiter of_address{30};
  RateLimiter of_link{10};
};

class GuestDoor {
 public:
  static constexpr std::string_view kPrefix = "/link/";
  static constexpr std::size_t kMaxKnown = 4'096;

  GuestDoor(Parts& parts, drive::Guests& guests, GuestTries& tries, drive::WebDav& webdav, drive::Tus& tus,
            drive::Thumbnails& thumbnails, drive::Listings& listings);

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  net::Async<void> serve(net::Exchange& exchange);

  void start();
  net::Async<void> stop();

 private:
  Result<net::Caller> authorize(const net::RequestHead& head, const std::string& address);
  Result<net::Caller> let_in(drive::LinkId id, std::string_view ticket, const std::string& address);
  // By Basic's password. To come in so is one use of the link; then all requests with it from that address are let in,
  // for as long as a guest of the page would be.
  net::Async<Result<net::Caller>> authorize_by_password(drive::LinkId id, net::Exchange& exchange);
  net::Async<void> run();

  Parts& parts_;
  drive::Guests& guests_;
  GuestTries& tries_;
  drive::WebDav& webdav_;
  drive::Tus& tus_;
  drive::Thumbnails& thumbnails_;
  net::Dispatcher dispatcher_;
  std::map<std::string, std::string> known_;  // tickets, by the hash of who came in by which password
  bool is_entering_ = false;                  // one after the other, so that requests at the same time are one use
  net::Event entered_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

// What of the drive a guest, as GuestDoor lets him in, is given. Errors: kUnauthenticated, his link has ended.
Result<drive::Scope> guest_scope(const Parts& parts, const drive::Guests& guests, const net::Caller& caller);

// Opens a link from that address: a ticket, which is one use. Errors: of Guests::enter(); kResourceExhausted (too many
// tries).
net::Async<Result<std::string>> open_link(Parts& parts, drive::Guests& guests, GuestTries& tries, drive::LinkId id,
                                          std::string secret, std::string password, std::string address);

// LinkService, for the family and for whoever opens a link.
void add_link_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Guests& guests, GuestTries& tries);

// What of the services a guest has, of callers that GuestDoor has let in.
void add_guest_link_methods(net::Dispatcher& dispatcher, Parts& parts, const drive::Guests& guests);
void add_guest_drive_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Listings& listings,
                             const drive::Guests& guests);

}  // namespace hearth::hub
