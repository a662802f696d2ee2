#include "hub/guest_door.h"

#include "hub/basic_password.h"
#include "hub/drive_scope.h"
#include "hub/parts.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = milliseconds(250);  // at what has run out, or lost its maker

// "/link/5f3a.../dav/a.jpg": the link, and what stands after it.
struct Place {
  drive::LinkId id;
  std::string below;  // "/link/5f3a..."
  std::string rest;   // "/dav/a.jpg"
};

std::optional<Place> place_of(std::string_view path) {
  const std::size_t end = path.find('/', GuestDoor::kPrefix.size());
  if (end == std::string_view::npos) return std::nullopt;
  const auto id = drive::parse_link_id(path.substr(GuestDoor::kPrefix.size(), end - GuestDoor::kPrefix.size()));
  if (!id) return std::nullopt;
  return Place{.id = *id, .below = std::string(path.substr(0, end)), .rest = std::string(path.substr(end))};
}

net::Async<void> refuse(net::Exchange& exchange, unsigned status, std::string_view message) {
  co_await exchange.reply(net::text_response(status, message));
}

// `asks`: for a password, which a browser would ask a person for, where the page is to open the link again.
net::Async<void> turn_away(net::Exchange& exchange, const Error& error, bool asks) {
  const bool is_known = error.code == Code::kFailedPrecondition || error.code == Code::kNotFound;
  const unsigned status = error.code == Code::kResourceExhausted ? 429 : is_known ? 403 : 401;
  net::Response response = net::text_response(status, error.message);
  if (status == 401 && asks && !exchange.head().headers.has("sec-fetch-site")) {
    response.headers.add("WWW-Authenticate", "Basic realm=\"Hearth link\", charset=\"UTF-8\"");
  }
  co_await exchange.reply(std::move(response));
}

}  // namespace

GuestDoor::GuestDoor(Parts& parts, drive::Guests& guests, GuestTries& tries, drive::WebDav& webdav, drive::Tus& tus,
                     drive::Thumbnails& thumbnails, drive::Listings& listings)
    : parts_(parts),
      guests_(guests),
      tries_(tries),
      webdav_(webdav),
      tus_(tus),
      thumbnails_(thumbnails),
      dispatcher_([this](const net::RequestHead& head, const std::string& address) { return authorize(head, address); },
                  nullptr) {
  add_guest_link_methods(dispatcher_, parts, guests);
  add_guest_drive_methods(dispatcher_, parts, listings, guests);
}

Result<net::Caller> GuestDoor::authorize(const net::RequestHead& head, const std::string& address) {
  const std::optional<Place> place = place_of(head.path);
  if (!place) return fail(Code::kUnauthenticated, "no link has such an address");
  // Only our own page may use the cookie.
  if (net::is_asked_from_elsewhere(head)) return fail(Code::kUnauthenticated, "another site's page");
  return let_in(place->id, net::cookie_value(head.headers.get("cookie"), kGuestCookie), address);
}

Result<net::Caller> GuestDoor::let_in(drive::LinkId id, std::string_view ticket, const std::string& address) {
  const Result<drive::Link> link = guests_.find(id, ticket);
  if (!link) return std::unexpected(link.error());
  if (!may_share(parts_, *link)) {
    return fail(Code::kUnauthenticated, "whoever made this link has left the pool, or may not share this any more");
  }
  net::Caller caller;
  caller.level = net::AccessLevel::kMember;
  caller.device = holder_of(link->id);
  caller.device_name = link->label.empty() ? "a guest" : "a guest of " + link->label;
  caller.address = address;
  return caller;
}

net::Async<Result<net::Caller>> GuestDoor::authorize_by_password(drive::LinkId id, net::Exchange& exchange) {
  const std::string shown = basic_password(exchange.head().headers.get("authorization"));
  if (net::is_asked_from_elsewhere(exchange.head())) co_return fail(Code::kUnauthenticated, "another site's page");
  const std::string address = exchange.peer_address();
  const std::string who = net::sha256(to_text(id) + "\n" + address + "\n" + shown);
  while (is_entering_ && !known_.contains(who)) co_await entered_.wait();
  if (const auto known = known_.find(who); known != known_.end()) {
    Result<net::Caller> caller = let_in(id, known->second, address);
    if (caller) co_return caller;
    known_.erase(known);
  }
  is_entering_ = true;
  const std::size_t colon = std::min(shown.find(':'), shown.size());
  Result<std::string> ticket = co_await open_link(parts_, guests_, tries_, id, shown.substr(0, colon),
                                                  shown.substr(std::min(colon + 1, shown.size())), address);
  if (ticket) {
    if (known_.size() == kMaxKnown) known_.erase(known_.begin());
    known_.insert_or_assign(who, *ticket);
  }
  is_entering_ = false;
  entered_.notify();
  if (!ticket) co_return std::unexpected(ticket.error());
  co_return let_in(id, *ticket, address);
}

net::Async<void> GuestDoor::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::optional<Place> place = place_of(head.path);
  if (!place) co_return co_await refuse(exchange, 404, "no link has such an address");
  if (Result<void> opened = co_await guests_.open(); !opened) {
    co_return co_await refuse(exchange, 500, opened.error().message);
  }
  if (net::Dispatcher::is_call(place->rest)) co_return co_await dispatcher_.handle(exchange, place->below);
  const bool is_dav = drive::WebDav::is_for(place->rest);
  Result<net::Caller> caller = authorize(head, exchange.peer_address());
  if (!caller && is_dav && head.headers.has("authorization"))
    caller = co_await authorize_by_password(place->id, exchange);
  if (!caller) co_return co_await turn_away(exchange, caller.error(), is_dav);
  const Result<drive::Scope> scope = guest_scope(parts_, guests_, *caller);
  if (!scope) co_return co_await refuse(exchange, 401, scope.error().message);
  const Entered entered(parts_.sessions, caller->device, exchange.connection());
  const Result<drive::Folder*> folder = co_await parts_.drive.open();
  const bool is_there = folder && co_await parts_.workers.run([&] { return (*folder)->look(scope->root).has_value(); });
  if (!is_there) co_return co_await refuse(exchange, 404, "what this link shares is no longer there");
  const drive::Holder holder{.device = caller->device, .name = caller->device_name, .tokens = {}};
  if (head.path == scope->url || head.path.starts_with(scope->url + "/")) {
    co_return co_await webdav_.serve(exchange, holder, *scope);
  }
  if (head.path.starts_with(scope->uploads)) co_return co_await tus_.serve(exchange, holder, *scope);
  if (head.path.starts_with(scope->thumbs + "/")) co_return co_await thumbnails_.serve(exchange, *scope);
  co_await refuse(exchange, 404, "a link has /dav/, /upload/, /thumb/ and calls");
}

void GuestDoor::start() {
  running_ = true;
  parts_.loop.spawn(run());
}

net::Async<void> GuestDoor::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
  co_await guests_.keep_uses();
}

net::Async<void> GuestDoor::run() {
  while (!stopping_) {
    const std::vector<drive::LinkId> ended =
        co_await guests_.sweep([this](const drive::Link& link) { return may_share(parts_, link); });
    for (const drive::LinkId id : ended) parts_.sessions.cut(holder_of(id));
    co_await woken_.wait(kBetweenLooks);
  }
  running_ = false;
  stopped_.notify();
}

Result<drive::Scope> guest_scope(const Parts& parts, const drive::Guests& guests, const net::Caller& caller) {
  const std::optional<drive::LinkId> id = drive::link_of(caller.device);
  const Result<drive::Link> link = id ? guests.find_living(*id) : fail(Code::kInternal, "no guest of a link");
  if (!link) return fail(Code::kUnauthenticated, link.error().message);
  return link_scope(parts.drive, *link);
}

}  // namespace hearth::hub
