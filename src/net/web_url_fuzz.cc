// URLs that members give: whatever is accepted reads the same when it is written again, and breaks no request's head.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "net/http_message.h"
#include "net/web_url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace net = hearth::net;
  const auto url = net::parse_web_url({reinterpret_cast<const char*>(data), size});
  if (!url) {
    CHECK(!url.error().message.empty());
    return 0;
  }
  const auto again = net::parse_web_url(url->text());
  CHECK(again && again->endpoint == url->endpoint && again->target == url->target && again->tls == url->tls);
  net::Headers headers;
  headers.add("Host", url->host());
  const std::string head = net::format_request_head("POST", url->target, headers);
  net::HeadEnd end;
  CHECK(end.find(head) == head.size());
  CHECK(head.find("\r\n") == std::string("POST  HTTP/1.1").size() + url->target.size());
  return 0;
}
