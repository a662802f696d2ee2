// Heads that a guest sends to its proxy: whatever is accepted names one destination in its canonical form, and what is
// sent on is one well-formed head for that destination.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "egress/request.h"
#include "net/destination.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace net = hearth::net;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  net::HeadEnd end;
  std::string_view head = bytes.substr(0, end.find(bytes).value_or(size));
  auto request = hearth::egress::parse_proxy_request(head);
  if (!request) {
    CHECK(request.error().status >= 400 && !request.error().message.empty());
    return 0;
  }
  hearth::Result<net::Endpoint> again = net::parse_destination(request->destination.text());
  CHECK(again && *again == request->destination);
  if (request->tunnel) return 0;
  net::HeadEnd sent_end;
  CHECK(sent_end.find(request->head) == request->head.size());
  std::string_view line = std::string_view(request->head).substr(0, request->head.find("\r\n"));
  CHECK(line.find(" /") != std::string_view::npos && line.ends_with(" HTTP/1.1"));
  // With a path that the parser takes, the head is one that a server reads the same way.
  std::string plain = std::string(line.substr(0, line.find(' '))) + " / HTTP/1.1" + request->head.substr(line.size());
  auto parsed = net::parse_request_head(plain);
  CHECK(parsed && parsed->body.kind == request->body.kind && parsed->body.length == request->body.length);
  return 0;
}
