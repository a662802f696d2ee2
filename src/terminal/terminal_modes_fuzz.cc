// A program's output, which may be anything: what is said of it is the same however it is cut, and a terminal that is
// given the prelude is in the same modes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "terminal/modes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hearth::terminal::Modes;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Modes whole;
  whole.feed(bytes);
  Modes pieces;
  for (const char byte : bytes) pieces.feed(std::string_view(&byte, 1));
  CHECK(whole.prelude() == pieces.prelude() && whole.at_boundary() == pieces.at_boundary());
  Modes later;
  later.feed(whole.prelude());
  CHECK(later.at_boundary() && later.prelude() == whole.prelude());
  whole.feed(whole.epilogue());
  CHECK(whole.prelude().empty() && !whole.on_alternate_screen());
  return 0;
}
