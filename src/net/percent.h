// Percent-encoding of URLs (RFC 3986), as percent_decoded() of http.h reads it.
#pragma once

#include <string>
#include <string_view>

namespace hearth::net {

// All but letters, digits and "-._~": of one segment of a path, a value of a query.
std::string percent_encoded(std::string_view text);

}  // namespace hearth::net
