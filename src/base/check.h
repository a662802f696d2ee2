// CHECK: what must hold if the program is right. On in release builds too; a failed one prints and aborts.
// What a user, a disk or a network can cause is not a CHECK but an Error, see result.h.
#pragma once

namespace hearth {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace hearth

#define CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::hearth::check_failed(#expression, __FILE__, __LINE__))
