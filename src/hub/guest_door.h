// Where guests come in who have nothing but a link of the drive: below /link/ID/ they have its files, uploads and some
// of its calls (proto/hearth/v1/links.proto), as far as their link goes. Looks to it, too, that a link's end is its
// guests'.
//
//   GuestDoor door(parts, guests, webdav, tus, thumbnails, listings);
//   door.start();
//   if (GuestDoor::is_for(path)) co_await door.serve(exchange);
#pragma once

#include "drive/guests.h"
#include "drive/listing.h"
#include "drive/thumbnails.h"
#include "drive/tus.h"
#include "drive/webdav.h"
#include "net/connect.h"

namespace hearth::hub {

struct Parts;

// A guest's ticket, scoped to his link's own path.
inline constexpr std::string_view kGuestCookie = "__Secure-hearth-link";

class GuestDoor {
 public:
  static constexpr std::string_view kPrefix = "/link/";

  GuestDoor(Parts& parts, drive::Guests& guests, drive::WebDav& webdav, drive::Tus& tus, drive::Thumbnails& thumbnails,
            drive::Listings& listings);

  static bool is_for(std::string_view path) { return path.starts_with(kPrefix); }

  net::Async<void> serve(net::Exchange& exchange);

  void start();
  net::Async<void> stop();

 private:
  Result<net::Caller> authorize(const net::RequestHead& head, const std::string& address);
  net::Async<void> run();

  Parts& parts_;
  drive::Guests& guests_;
  drive::WebDav& webdav_;
  drive::Tus& tus_;
  drive::Thumbnails& thumbnails_;
  net::Dispatcher dispatcher_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

// What of the drive a guest, as GuestDoor lets him in, is given. Errors: kUnauthenticated, his link has ended.
Result<drive::Scope> guest_scope(const Parts& parts, const drive::Guests& guests, const net::Caller& caller);

// LinkService, for the family and for whoever opens a link.
void add_link_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Guests& guests);

// What of the services a guest has, of callers that GuestDoor has let in.
void add_guest_link_methods(net::Dispatcher& dispatcher, Parts& parts, const drive::Guests& guests);
void add_guest_drive_methods(net::Dispatcher& dispatcher, Parts& parts, drive::Listings& listings,
                             const drive::Guests& guests);

}  // namespace hearth::hub
