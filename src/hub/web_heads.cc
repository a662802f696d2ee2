#include "hub/web_heads.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "net/http_message.h"

namespace hearth::hub {
namespace {

// In the names of cookies. Both prefixes keep them from being set by what is no HTTPS.
constexpr std::string_view kEntry = "__Host-hearth-door-";
constexpr std::string_view kHidden = "__Secure-hearth-door-";
constexpr std::array<std::string_view, 2> kOurs = {"__host-hearth", "__secure-hearth"};  // all of the hub's, in small
constexpr std::size_t kIdDigits = 32;

constexpr std::array<std::string_view, 8> kHopByHop = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
    "trailer",    "upgrade"};
constexpr std::array<std::string_view, 4> kOfBody = {"content-length", "transfer-encoding", "expect", "host"};

// What a proxy says of others; the program sees none.
constexpr std::array<std::string_view, 6> kOfProxies = {"forwarded",         "x-forwarded-for",  "x-forwarded-host",
                                                        "x-forwarded-proto", "x-forwarded-port", "x-real-ip"};

// What acts on the whole host, or outlives the door at its port, which is another program's next.
constexpr std::array<std::string_view, 16> kBeyondTheDoor = {"strict-transport-security",
                                                             "public-key-pins",
                                                             "public-key-pins-report-only",
                                                             "expect-ct",
                                                             "alt-svc",
                                                             "clear-site-data",
                                                             "nel",
                                                             "report-to",
                                                             "reporting-endpoints",
                                                             "service-worker-allowed",
                                                             "set-login",
                                                             "permissions-policy",
                                                             "cache-control",
                                                             "expires",
                                                             "pragma",
                                                             "age"};

// Permissions are kept for an origin, and so would be the next program's.
constexpr std::string_view kPermissions =
    "camera=(), microphone=(), geolocation=(), display-capture=(), midi=(), usb=(), serial=(), hid=(), bluetooth=(), "
    "payment=(), publickey-credentials-get=(), publickey-credentials-create=(), identity-credentials-get=(), "
    "storage-access=(), local-fonts=(), idle-detection=()";

std::string in_small(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return small;
}

template <std::size_t n>
bool is_one_of(const std::array<std::string_view, n>& names, std::string_view small) {
  return std::ranges::find(names, small) != names.end();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes what stands before the next `mark` off the front.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t end = std::min(text.find(mark), text.size());
  const std::string_view item = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return item;
}

bool is_ours(std::string_view cookie_name) {
  const std::string small = in_small(cookie_name);
  return std::ranges::any_of(kOurs, [&](std::string_view ours) { return small.starts_with(ours); });
}

std::string hidden_prefix(const WebOrigin& origin) { return fmt::format("{}{}-", kHidden, origin.id); }

// "a=1; b=2" without what is the hub's or another door's.
std::string cookies_for_program(const WebOrigin& origin, std::string_view cookies) {
  const std::string prefix = hidden_prefix(origin);
  std::string kept;
  while (!cookies.empty()) {
    std::string_view cookie = trimmed(take_until(cookies, ';'));
    if (cookie.starts_with(prefix)) cookie.remove_prefix(prefix.size());
    if (cookie.empty() || is_ours(cookie)) continue;
    kept += kept.empty() ? "" : "; ";
    kept += cookie;
  }
  return kept;
}

struct SetCookie {
  std::string name;
  std::string value;
  std::string path;        // "; Path=/a", or empty
  std::string attributes;  // "; Path=/a; Max-Age=5": without Domain, Secure and HttpOnly
  bool is_hidden = false;  // from scripts
};

// Nothing for what no program is to set.
std::optional<SetCookie> parse_set_cookie(std::string_view text) {
  SetCookie cookie;
  std::string_view pair = take_until(text, ';');
  const bool has_value = pair.contains('=');
  cookie.name = trimmed(take_until(pair, '='));
  cookie.value = trimmed(pair);
  // A browser sends one without a name as its value alone, which may read as another's name.
  if (!has_value || cookie.name.empty() || is_ours(cookie.name)) return {};
  while (!text.empty()) {
    const std::string_view attribute = trimmed(take_until(text, ';'));
    const std::string name = in_small(trimmed(attribute.substr(0, attribute.find('='))));
    if (name == "httponly") cookie.is_hidden = true;
    if (name.empty() || name == "httponly" || name == "domain" || name == "secure") continue;
    if (name == "path") cookie.path = fmt::format("; {}", attribute);
    cookie.attributes += fmt::format("; {}", attribute);
  }
  return cookie;
}

void add_set_cookie(const WebOrigin& origin, std::string_view text, net::Headers& answer) {
  const std::optional<SetCookie> cookie = parse_set_cookie(text);
  if (!cookie) return;
  const std::string hidden = hidden_prefix(origin) + cookie->name;
  if (cookie->is_hidden) {
    answer.add("Set-Cookie", fmt::format("{}={}{}; Secure; HttpOnly", hidden, cookie->value, cookie->attributes));
    return;
  }
  answer.add("Set-Cookie", fmt::format("{}={}{}; Secure", cookie->name, cookie->value, cookie->attributes));
  // It takes the place of a hidden one of that name; so is a hidden one ended by programs that end it without saying
  // that it was.
  answer.add("Set-Cookie", fmt::format("{}={}; Max-Age=0; Secure; HttpOnly", hidden, cookie->path));
}

// "http://localhost:8888/a" as "/a", for every way to say that it is the program itself; else as it is.
std::string location_for_browser(const WebOrigin& origin, std::string_view location) {
  const std::string small = in_small(location);
  for (const std::string_view scheme : {"http:", "https:", ""}) {
    for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]", "0.0.0.0"}) {
      const bool is_standard = origin.port == (scheme == "https:" ? 443 : 80) && !scheme.empty();
      for (const std::string& port : {fmt::format(":{}", origin.port), std::string()}) {
        if (port.empty() && !is_standard) continue;
        const std::string base = fmt::format("{}//{}{}", scheme, host, port);
        if (!small.starts_with(base)) continue;
        const std::string_view rest = location.substr(base.size());
        if (rest.empty() || rest.starts_with('?') || rest.starts_with('#')) return "/" + std::string(rest);
        if (rest.starts_with('/')) return std::string(rest);
      }
    }
  }
  return std::string(location);
}

// The names that Connection says are for one hop alone, in small.
std::vector<std::string> named_by_connection(const net::Headers& headers) {
  std::vector<std::string> names;
  for (const auto& [name, value] : headers.fields()) {
    if (in_small(name) != "connection") continue;
    std::string_view list = value;
    while (!list.empty()) names.push_back(in_small(trimmed(take_until(list, ','))));
  }
  return names;
}

// What its pages may load and reach, by the browser. A job without the Internet must not have it by way of the person
// who looks at it; and no page of a program is to be framed by another's.
std::string content_policy(const WebOrigin& origin, std::string_view host) {
  if (!origin.is_confined) return "frame-ancestors 'self'";
  return fmt::format(
      "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' wss://{} data: blob:; "
      "form-action 'self'; base-uri 'self'; frame-ancestors 'self'",
      host);
}

}  // namespace

std::string entry_cookie(const WebOrigin& origin) { return fmt::format("{}{}", kEntry, origin.id); }

bool is_plain_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]_").contains(c);
  });
}

bool asks_for_websocket(const net::RequestHead& head) {
  return head.method == "GET" && net::has_token(head.headers.get("Connection"), "upgrade") &&
         net::has_token(head.headers.get("Upgrade"), "websocket");
}

net::Headers request_for_program(const WebOrigin& origin, const net::RequestHead& head) {
  const std::string local = fmt::format("http://localhost:{}", origin.port);
  const std::string own = fmt::format("https://{}", head.headers.get("Host"));
  const std::vector<std::string> named = named_by_connection(head.headers);
  net::Headers asked;
  asked.add("Host", fmt::format("localhost:{}", origin.port));
  std::string cookies;
  for (const auto& [name, value] : head.headers.fields()) {
    const std::string small = in_small(name);
    if (is_one_of(kHopByHop, small) || is_one_of(kOfBody, small) || is_one_of(kOfProxies, small)) continue;
    if (std::ranges::find(named, small) != named.end()) continue;
    if (small == "cookie") {
      const std::string kept = cookies_for_program(origin, value);
      if (!kept.empty()) cookies += (cookies.empty() ? "" : "; ") + kept;
    } else if (small == "origin") {
      asked.add(name, value == own ? local : value);
    } else if (small == "referer") {
      const bool is_own = value == own || value.starts_with(own + "/");
      if (is_own) asked.add(name, local + value.substr(own.size()));
    } else {
      asked.add(name, value);
    }
  }
  if (!cookies.empty()) asked.add("Cookie", cookies);
  if (asks_for_websocket(head)) {
    asked.add("Connection", "Upgrade");
    asked.add("Upgrade", "websocket");
    return asked;
  }
  asked.add("Connection", "close");
  const bool has_body = head.headers.has("Content-Length") || !head.content_length;
  if (!head.content_length) asked.add("Transfer-Encoding", "chunked");
  if (has_body && head.content_length) asked.add("Content-Length", std::to_string(*head.content_length));
  return asked;
}

net::Headers answer_for_browser(const WebOrigin& origin, const net::Headers& headers, std::string_view host) {
  const std::vector<std::string> named = named_by_connection(headers);
  net::Headers answer;
  for (const auto& [name, value] : headers.fields()) {
    const std::string small = in_small(name);
    if (is_one_of(kHopByHop, small) || is_one_of(kOfBody, small) || is_one_of(kBeyondTheDoor, small)) continue;
    if (std::ranges::find(named, small) != named.end()) continue;
    if (small == "set-cookie") {
      add_set_cookie(origin, value, answer);
    } else if (small == "location" || small == "content-location") {
      answer.add(name, location_for_browser(origin, value));
    } else {
      answer.add(name, value);
    }
  }
  answer.add("Cache-Control", "no-store");
  answer.add("Permissions-Policy", std::string(kPermissions));
  answer.add("Content-Security-Policy", content_policy(origin, host));
  return answer;
}

std::vector<std::string> ends_of_stale_cookies(std::string_view cookies, const std::vector<std::string>& living) {
  constexpr std::size_t kMost = 32;
  std::vector<std::string> ends;
  while (!cookies.empty() && ends.size() < kMost) {
    const std::string_view cookie = trimmed(take_until(cookies, ';'));
    const std::string_view name = trimmed(cookie.substr(0, cookie.find('=')));
    const std::string_view prefix = name.starts_with(kEntry) ? kEntry : kHidden;
    if (!name.starts_with(prefix)) continue;
    const std::string_view id = name.substr(prefix.size(), kIdDigits);
    const bool lives = std::ranges::find(living, id) != living.end();
    if (!lives) ends.push_back(fmt::format("{}=; Path=/; Max-Age=0; Secure; HttpOnly", name));
  }
  return ends;
}

}  // namespace hearth::hub
