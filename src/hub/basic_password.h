// The password of HTTP's Basic authentication (RFC 7617), whatever the user name; empty: there is none.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace hearth::hub {

inline std::string basic_password(std::string_view authorization) {
  constexpr std::string_view kBasic = "Basic ";
  if (!authorization.starts_with(kBasic)) return {};
  const std::string pair = from_base64(authorization.substr(kBasic.size())).value_or("");
  const std::size_t colon = pair.find(':');
  return colon == std::string::npos ? "" : pair.substr(colon + 1);
}

}  // namespace hearth::hub
