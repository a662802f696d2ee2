// Heads of browsers and of web programs, whatever they hold: neither gets what is the hub's, and both get heads that
// parse to what they were.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "hub/web_heads.h"
#include "net/http_message.h"

namespace hearth::hub {
namespace {

const WebOrigin kOrigin{.id = std::string(32, 'd'), .port = 80, .is_confined = true};

void check_request(const net::RequestHead& head) {
  const net::Headers asked = request_for_program(kOrigin, head);
  const auto again =
      net::parse_request_head(net::format_request_head(head.method, head.path, asked), net::PathRule::kAsSent);
  CHECK(!again || again->head.headers.get("Host") == "localhost:80");
  CHECK(!asked.get("Cookie").starts_with("__Host-hearth") && !asked.get("Cookie").contains("; __Host-hearth"));
  for (const std::string& end : ends_of_stale_cookies(head.headers.get("Cookie"), {kOrigin.id})) {
    CHECK(end.starts_with("__") && end.find_first_of("\r\n") == std::string::npos);
  }
}

void check_answer(const net::ParsedResponse& response) {
  const net::Headers told = answer_for_browser(kOrigin, response.headers, "pc:1");
  CHECK(!told.has("Strict-Transport-Security") && !told.has("Clear-Site-Data") && !told.has("Transfer-Encoding"));
  CHECK(told.get("Cache-Control") == "no-store");
  for (const auto& [name, value] : told.fields()) {
    if (name != "Set-Cookie") continue;
    CHECK(!value.starts_with("=") && !value.starts_with("__Host-hearth"));
    CHECK(!value.starts_with("__Secure-hearth") || value.starts_with("__Secure-hearth-door-" + kOrigin.id + "-"));
  }
}

}  // namespace
}  // namespace hearth::hub

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = net::parse_request_head(bytes, net::PathRule::kAsSent)) hub::check_request(request->head);
  if (const auto response = net::parse_response_head(bytes, false)) hub::check_answer(*response);
  return 0;
}
