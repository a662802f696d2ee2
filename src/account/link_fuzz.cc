// A link has one spelling: whatever is accepted is what format_link() makes of it.
#include <cstdint>
#include <string_view>

#include "account/account.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto link = hearth::account::parse_link(text);
  if (!link) {
    CHECK(link.error().code == hearth::Code::kInvalidArgument);
    return 0;
  }
  CHECK(link->secret.size() == 16);
  CHECK(link->identity_fingerprint.size() == 10);
  CHECK(!link->endpoint.host.empty());
  CHECK(link->endpoint.port != 0);
  CHECK(hearth::account::format_link(*link) == text);
  return 0;
}
