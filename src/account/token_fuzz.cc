// A token has one spelling: whatever is accepted is what format_token() makes of it.
#include <cstdint>
#include <string_view>

#include "account/account.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = hearth::account::parse_token(text);
  if (!token) {
    CHECK(token.error().code == hearth::Code::kInvalidArgument);
    return 0;
  }
  CHECK(token->secret.size() == 32);
  CHECK(token->hub_identity.size() == 32);
  CHECK(token->device.value != 0);
  CHECK(hearth::account::format_token(*token) == text);
  return 0;
}
