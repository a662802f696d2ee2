#include "hub/web_door.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/parts.h"
#include "net/tunnel.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxConnectionsPerAddress = 32;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kPiece = net::kMaxTunnelMessage;

// What is done at the same time as something else, which waits for its end.
struct Side {
  bool over = true;
  net::Event ended;

  net::Async<void> wait() {
    while (!over) co_await ended.wait();
  }
};

net::Async<void> run(net::Async<void> work, Side& side) {
  co_await std::move(work);
  side.over = true;
  side.ended.notify();
}

void start(net::Loop& loop, net::Async<void> work, Side& side) {
  side.over = false;
  loop.spawn(run(std::move(work), side));
}

// The request's body, its first piece read already.
net::Async<void> send_body(net::Exchange& exchange, WebTalk& talk, std::string piece, bool is_chunked) {
  for (;;) {
    const bool is_last = piece.empty();
    if (is_chunked) piece = net::format_chunk_size(piece.size()) + piece + "\r\n";
    if (!co_await talk.send(std::move(piece)) || is_last) co_return;
    piece.assign(kPiece, '\0');
    const Result<std::size_t> count = co_await exchange.read_body(piece);
    if (!count) co_return talk.end();
    piece.resize(*count);
  }
}

net::Async<void> send_up(net::Upgraded& browser, WebTalk& talk) {
  for (;;) {
    Result<std::string> bytes = co_await browser.read();
    if (!bytes || bytes->empty() || !co_await talk.send(std::move(*bytes))) break;
  }
  talk.end();
  browser.close();
}

net::Async<void> send_down(WebTalk& talk, net::Upgraded& browser) {
  for (;;) {
    const Result<std::string> bytes = co_await talk.read_raw();
    if (!bytes || bytes->empty() || !co_await browser.write(*bytes)) break;
  }
  talk.end();
  browser.close();
}

// A page of the door's own: `title` and `text` are plain words, `tail` is HTML.
net::Response own_page(unsigned status, std::string_view title, std::string_view text, std::string_view tail) {
  net::Response page;
  page.status = status;
  page.headers.add("Content-Type", "text/html; charset=utf-8");
  page.headers.add("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'");
  page.headers.add("Referrer-Policy", "no-referrer");
  page.headers.add("Cache-Control", "no-store");
  page.headers.add("X-Content-Type-Options", "nosniff");
  page.body = fmt::format(
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{0}</title><style>:root{{color-scheme:light dark}}body{{font:17px/1.5 "
      "system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 24px}}h1{{font-size:1.375rem}}</style>"
      "<h1>{0}</h1><p>{1}</p>{2}</html>\n",
      title, text, tail);
  return page;
}

std::string as_html(std::string_view text) {
  std::string html;
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&' || c == '"') {
      html += fmt::format("&#{};", static_cast<int>(c));
    } else {
      html += c;
    }
  }
  return html;
}

// "192.168.1.7" of "192.168.1.7:7444", "[::1]" of "[::1]:7444".
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const bool is_port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
  return is_port ? host.substr(0, colon) : host;
}

// Browsers of the last years say of every request whose page asks, and of WebSockets at least its origin.
bool is_asked_from_here(const net::RequestHead& head) {
  const std::string_view named = asks_for_websocket(head) ? "Origin" : "Sec-Fetch-Site";
  return !head.headers.get(named).empty() && !net::is_asked_from_elsewhere(head);
}

}  // namespace

class WebDoor::Use {
 public:
  explicit Use(WebDoor& door) : door_(door) {
    ++door_.running_;
    ++door_.world_.running->count;
    door_.world_.parts.metrics->requested("web");
  }
  ~Use() {
    --door_.running_;
    door_.last_used_ = door_.world_.parts.loop.now();
    --door_.world_.running->count;
    door_.world_.running->changed.notify();
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  WebDoor& door_;
};

WebDoor::WebDoor(World world, Place place, bool is_confined)
    : world_(std::move(world)),
      place_(place),
      origin_{.id = to_hex(net::random_bytes(kIdBytes)), .port = place.port, .is_confined = is_confined},
      secret_(to_hex(net::random_bytes(kSecretBytes))),
      last_used_(world_.parts.loop.now()) {}

Result<std::shared_ptr<WebDoor>> WebDoor::open(World world, Place place, bool is_confined, std::uint16_t at) {
  std::shared_ptr<WebDoor> door(new WebDoor(std::move(world), place, is_confined));
  const Parts& parts = door->world_.parts;
  auto server = net::Server::listen(parts.loop,
                                    {.address = parts.options.address,
                                     .port = at,
                                     .max_connections = kMaxConnections,
                                     .max_connections_per_address = kMaxConnectionsPerAddress,
                                     .paths = net::PathRule::kAsSent},
                                    door->world_.tls, [known = std::weak_ptr(door)](net::Exchange& exchange) {
                                      return serve(known.lock(), exchange);
                                    });
  if (!server) return std::unexpected(server.error());
  door->server_ = std::move(*server);
  return door;
}

std::string WebDoor::new_path(Time now) {
  if (tickets_.size() >= kMaxTickets) tickets_.erase(tickets_.begin());
  tickets_.emplace_back(to_hex(net::random_bytes(kSecretBytes)), now + kTicketLife);
  last_used_ = now;
  return fmt::format("{}?ticket={}", kEntry, tickets_.back().first);
}

bool WebDoor::take_ticket(const std::string& ticket, Time now) {
  const auto found =
      std::ranges::find_if(tickets_, [&](const auto& known) { return equal_constant_time(known.first, ticket); });
  if (found == tickets_.end()) return false;
  const bool is_good = now < found->second;
  tickets_.erase(found);
  return is_good;
}

void WebDoor::close() {
  closed_ = true;
  for (WebTalk* talk : talks_) talk->end();
  server_.reset();
}

bool WebDoor::has_entered(const net::RequestHead& head) const {
  return equal_constant_time(net::cookie_value(head.headers.get("Cookie"), entry_cookie(origin_)), secret_);
}

net::Async<void> WebDoor::refuse(net::Exchange& exchange, unsigned status, std::string_view title,
                                 std::string_view text) const {
  const std::string link =
      fmt::format("<p><a href=\"https://{}:{}/#/web/{}\">Open it from Hearth</a></p>",
                  without_port(exchange.head().headers.get("Host")), world_.parts.port, place_.task.job.value);
  co_await exchange.reply(own_page(status, title, as_html(text), link));
}

net::Async<void> WebDoor::serve(std::shared_ptr<WebDoor> self, net::Exchange& exchange) {
  if (!self || self->closed_) co_return exchange.connection().cut();
  const Use use(*self);
  const net::RequestHead& head = exchange.head();
  if (!is_plain_host(head.headers.get("Host"))) {
    co_return (void) co_await exchange.reply(net::text_response(400, "Host is to be a name or an address, and a port"));
  }
  if (head.path == kEntry) co_return co_await self->enter(exchange);
  if (!self->has_entered(head)) {
    co_return co_await self->refuse(exchange, 401, "This browser has not been let in",
                                    "The way to this program has closed, or was never open here.");
  }
  if (!is_asked_from_here(head)) {
    co_return co_await self->refuse(exchange, 403, "Another page asked for this",
                                    "A program's pages may be asked for by themselves alone, and by browsers that say "
                                    "which page asks.");
  }
  // One would stay at this port, between its next program and the browser.
  if (head.headers.has("Service-Worker")) {
    co_return (void) co_await exchange.reply(net::text_response(403, "a web program may have no service worker"));
  }
  const Result<net::Caller> caller = standing_of(self->world_.parts, self->place_.device, exchange.peer_address());
  if (!caller || caller->level < net::AccessLevel::kMember) {
    co_return co_await self->refuse(exchange, 401, "This device is not in the pool any more", "");
  }
  const Entered entered(self->world_.parts.sessions, self->place_.device, exchange.connection());
  co_await self->relay(exchange, *caller);
}

// By a page of the door's own rather than a redirect: what it asks for next, it asks for itself.
net::Async<void> WebDoor::enter(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const bool knows_it = has_entered(head);
  const std::string ticket = net::query_value(head.query, "ticket").value_or("");
  const bool is_good = head.method == "GET" && take_ticket(ticket, world_.parts.loop.now());
  if (!is_good && !knows_it) {
    co_return co_await refuse(exchange, 403, "This link was good once, and for half a minute",
                              "Open the program again where you opened it.");
  }
  net::Response page = own_page(200, "Opening", "", "<meta http-equiv=\"refresh\" content=\"0;url=/\">");
  for (std::string& end : ends_of_stale_cookies(head.headers.get("Cookie"), world_.living())) {
    page.headers.add("Set-Cookie", std::move(end));
  }
  page.headers.add("Set-Cookie",
                   fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite=Strict", entry_cookie(origin_), secret_));
  // What an earlier program has left at this port is no business of this one's.
  if (!knows_it) page.headers.add("Clear-Site-Data", "\"storage\"");
  co_await exchange.reply(std::move(page));
}

net::Async<void> WebDoor::relay(net::Exchange& exchange, const net::Caller& caller) {
  const net::RequestHead& head = exchange.head();
  const bool has_body = head.content_length.value_or(1) > 0;
  const bool is_chunked = !head.content_length;
  std::string request = net::format_request_head(head.method, head.path + (head.query.empty() ? "" : "?" + head.query),
                                                 request_for_program(origin_, head));
  std::string piece;
  if (has_body) {
    piece.assign(kPiece, '\0');
    const Result<std::size_t> count = co_await exchange.read_body(piece);
    if (!count) co_return exchange.connection().cut();
    piece.resize(*count);
  }
  Result<std::unique_ptr<HubEnd>> way = co_await world_.tunnels.open(world_.parts, place_.task, place_.port, caller);
  if (closed_) co_return exchange.connection().cut();
  if (!way) {
    const bool is_busy = way.error().code == Code::kResourceExhausted;
    co_return co_await refuse(exchange, is_busy ? 503 : 502, "The program cannot be reached", way.error().message);
  }
  WebTalk talk(std::move(*way), [&exchange] { return exchange.gone(); });
  talks_.insert(&talk);
  Side upload;
  if (co_await talk.send(std::move(request))) {
    if (has_body) start(world_.parts.loop, send_body(exchange, talk, std::move(piece), is_chunked), upload);
    co_await answer(exchange, talk);
  } else {
    co_await refuse(exchange, 502, "The program cannot be reached", "It closed the connection.");
  }
  talk.end();
  co_await upload.wait();
  talks_.erase(&talk);
}

net::Async<void> WebDoor::answer(net::Exchange& exchange, WebTalk& talk) {
  const std::string host(exchange.head().headers.get("Host"));
  const bool upgrades = asks_for_websocket(exchange.head());
  const bool is_head = exchange.head().method == "HEAD";
  const Result<net::ParsedResponse> head = co_await talk.read_head(is_head);
  if (!head) co_return co_await refuse(exchange, 502, "The program does not answer", head.error().message);
  net::Headers headers = answer_for_browser(origin_, head->headers, host);
  if (upgrades && head->status == 101) co_return co_await splice(exchange, talk, std::move(headers));
  if (head->status < 200 || head->status > 599) {
    co_return co_await refuse(exchange, 502, "The program does not answer",
                              fmt::format("Its answer has the status {}.", head->status));
  }
  if (!co_await exchange.start(head->status, std::move(headers), announced_length(*head, is_head))) co_return;
  co_await talk.give_body(exchange);
}

net::Async<void> WebDoor::splice(net::Exchange& exchange, WebTalk& talk, net::Headers headers) {
  headers.add("Connection", "Upgrade");
  headers.add("Upgrade", "websocket");
  const Result<std::unique_ptr<net::Upgraded>> browser = co_await exchange.upgrade(std::move(headers));
  if (!browser) co_return;
  Side down;
  start(world_.parts.loop, send_down(talk, **browser), down);
  co_await send_up(**browser, talk);
  co_await down.wait();
}

}  // namespace hearth::hub
