// Whatever a viewer calls a file, its name in the app's folder is one plain part of a path.
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "screen/file_name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string said(reinterpret_cast<const char*>(data), size);
  const std::string name = screen::plain_name(said);
  CHECK(!name.empty() && name.size() <= screen::kMaxPlainName);
  CHECK(name.find('/') == std::string::npos && name.find('\0') == std::string::npos);
  CHECK(!name.starts_with('.') && !name.starts_with('-'));
  if (is_utf8(said)) CHECK(is_utf8(name));
  return 0;
}
