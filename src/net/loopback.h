// Whether an address is this PC's own for itself.
#pragma once

#include <string>

namespace hearth::net {

// 127.0.0.0/8, also as IPv6 writes it, and ::1. Not of a name: that is anything else's.
bool is_loopback(const std::string& address);

}  // namespace hearth::net
