#include "egress/request.h"

#include <algorithm>
#include <array>

#include "net/destination.h"

namespace hearth::egress {
namespace {

constexpr std::string_view kPlainScheme = "http://";

std::unexpected<net::HttpFault> refuse(unsigned status, std::string message) {
  return std::unexpected(net::HttpFault{status, std::move(message)});
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  std::string_view version;
  std::string_view fields;  // the rest of the head
};

bool is_visible(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

std::expected<RequestLine, net::HttpFault> split_head(std::string_view head) {
  std::size_t end = head.find("\r\n");
  std::string_view line = head.substr(0, end);
  std::size_t first = line.find(' ');
  std::size_t last = line.rfind(' ');
  if (end == std::string_view::npos || first == std::string_view::npos || first == last) {
    return refuse(400, "the request line is malformed");
  }
  RequestLine parts{.method = line.substr(0, first),
                    .target = line.substr(first + 1, last - first - 1),
                    .version = line.substr(last + 1),
                    .fields = head.substr(end + 2)};
  if (!is_visible(parts.method) || !is_visible(parts.target)) return refuse(400, "the request line is malformed");
  return parts;
}

// The fields that are the proxy's, or speak of this one connection (RFC 9110, 7.6.1).
bool is_sent_on(std::string_view name, std::string_view connection) {
  constexpr std::array kOurs = {
      "Connection", "Proxy-Connection", "Proxy-Authorization", "Keep-Alive", "Upgrade", "Proxy-Authenticate", "TE",
      "Host"};
  // Where the body ends is told whoever claims that to be this connection's own affair.
  constexpr std::array kFraming = {"Content-Length", "Transfer-Encoding"};
  auto same = [name](std::string_view other) {
    return std::ranges::equal(name, other, [](char a, char b) { return (a | 0x20) == (b | 0x20); });
  };
  if (std::ranges::any_of(kFraming, same)) return true;
  return std::ranges::none_of(kOurs, same) && !net::has_token(connection, name);
}

// "a.example", "a.example:8080"; the port of plain HTTP is 80.
Result<net::Endpoint> destination_of(std::string_view authority) {
  std::size_t colon = authority.rfind(':');
  bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return net::parse_destination(has_port ? std::string(authority) : std::string(authority) + ":80");
}

std::string head_to_send(const RequestLine& line, std::string_view origin, const net::Endpoint& destination,
                         const net::Headers& headers) {
  net::Headers sent;
  bool bracketed = destination.host.contains(':');
  std::string host = bracketed ? "[" + destination.host + "]" : destination.host;
  sent.add("Host", destination.port == 80 ? host : host + ":" + std::to_string(destination.port));
  for (const auto& [name, value] : headers.fields()) {
    if (is_sent_on(name, headers.get("Connection"))) sent.add(name, value);
  }
  sent.add("Connection", "close");
  return net::format_request_head(line.method, origin, sent);
}

std::expected<ProxyRequest, net::HttpFault> forward(const RequestLine& line, net::ParsedRequest parsed) {
  std::string_view rest = line.target.substr(kPlainScheme.size());
  std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  Result<net::Endpoint> destination = destination_of(rest.substr(0, path));
  if (!destination) return refuse(400, destination.error().message);
  std::string origin(rest.substr(path));
  if (!origin.starts_with('/')) origin.insert(0, "/");
  if (origin.contains('#')) return refuse(400, "a request's target has no fragment");
  return ProxyRequest{.tunnel = false,
                      .destination = *destination,
                      .head = head_to_send(line, origin, *destination, parsed.head.headers),
                      .body = parsed.body};
}

}  // namespace

std::expected<ProxyRequest, net::HttpFault> parse_proxy_request(std::string_view head) {
  auto line = split_head(head);
  if (!line) return std::unexpected(line.error());
  // The net's own parser judges the fields and the framing; it knows no targets but paths.
  bool tunnel = line->method == "CONNECT";
  std::string plain = std::string(tunnel ? "GET" : line->method) + " / " + std::string(line->version) + "\r\n";
  auto parsed = net::parse_request_head(plain.append(line->fields));
  if (!parsed) return std::unexpected(parsed.error());
  if (tunnel) {
    Result<net::Endpoint> destination = net::parse_destination(line->target);
    if (!destination) return refuse(400, destination.error().message);
    return ProxyRequest{.tunnel = true, .destination = *destination, .head = {}, .body = {}};
  }
  std::string scheme(line->target.substr(0, kPlainScheme.size()));
  std::ranges::transform(scheme, scheme.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (scheme != kPlainScheme) {
    return refuse(400, "this is a proxy: it takes CONNECT host:port, and http:// requests in absolute form");
  }
  return forward(*line, std::move(*parsed));
}

bool is_allowed(const net::Endpoint& destination, const std::vector<net::Endpoint>& allowed) {
  return std::ranges::find(allowed, destination) != allowed.end();
}

}  // namespace hearth::egress
