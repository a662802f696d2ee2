// The envelope reader, however its input is cut into pieces, and the messages of a stream's end.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "net/connect_codec.h"

namespace {

using hearth::net::EnvelopeReader;

constexpr std::size_t kLimit = 1000;

// The envelopes up to the first error.
std::string read(std::string_view input, std::size_t piece_bytes) {
  EnvelopeReader reader(kLimit);
  std::string seen;
  for (std::size_t begin = 0; begin < input.size(); begin += piece_bytes) {
    reader.feed(input.substr(begin, piece_bytes));
    for (;;) {
      auto envelope = reader.next();
      if (!envelope) return seen + "!" + envelope.error().message;
      if (!*envelope) break;
      CHECK((**envelope).message.size() <= kLimit);
      hearth::net::append_envelope(seen, (**envelope).flags, (**envelope).message);
      CHECK(input.starts_with(seen));
    }
  }
  return seen + (reader.in_the_middle() ? "..." : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(input, std::max<std::size_t>(size, 1));
  CHECK(read(input, 1) == whole);
  CHECK(read(input, 6) == whole);
  (void)hearth::net::parse_end_stream(input);
  (void)hearth::net::parse_error(500, input);
  (void)hearth::net::parse_timeout(input);
  return 0;
}
