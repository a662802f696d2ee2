// The small texts of HTTP: queries, cookies, ranges, endpoints.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "net/client.h"
#include "net/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::net;  // NOLINT(google-build-using-namespace): a program of its own
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view name = text.substr(0, size / 8);
  if (auto value = query_value(text, name)) CHECK(value->size() <= size);
  CHECK(cookie_value(text, name).size() <= size);
  bool unsatisfiable = false;
  for (std::uint64_t total : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX}) {
    auto range = parse_range(text, total, unsatisfiable);
    CHECK(!range || !unsatisfiable);
    CHECK(!range || (range->count > 0 && range->first < total && range->count <= total - range->first));
  }
  if (auto endpoint = parse_endpoint(text)) CHECK(parse_endpoint(endpoint->text()) == *endpoint);
  return 0;
}
