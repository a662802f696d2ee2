// What a guest's program asks its proxy, read from the head of its request: CONNECT for a tunnel (RFC 9110, 9.3.6), the
// absolute form for plain HTTP (RFC 9112, 3.2.2). Pure; a stranger wrote these bytes.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/client.h"
#include "net/http_message.h"

namespace hearth::egress {

struct ProxyRequest {
  bool tunnel = false;
  net::Endpoint destination;
  // Without a tunnel: the head to send on, in origin form, without what was meant for the proxy, with "Connection:
  // close" so that one connection carries one request; and where the body ends that follows it.
  std::string head;
  net::BodyFraming body;
};

// `head` is whole, with its blank line. Errors: the status to answer with, and a sentence for the guest.
std::expected<ProxyRequest, net::HttpFault> parse_proxy_request(std::string_view head);

// Whether the destination is on the list, by name and port.
bool is_allowed(const net::Endpoint& destination, const std::vector<net::Endpoint>& allowed);

}  // namespace hearth::egress
