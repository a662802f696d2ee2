// What WebDAV's clients send, and paths: taken or refused, and a path that was taken is taken again as it is spelt.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "drive/path.h"
#include "drive/xml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto path = hearth::drive::Path::parse(text)) {
    CHECK(hearth::drive::Path::parse(path->text()) == *path);
  }
  if (const auto asked = hearth::drive::parse_propfind(text))
    CHECK(asked->names.size() <= hearth::drive::kMaxProperties);
  (void)hearth::drive::parse_proppatch(text);
  (void)hearth::drive::xml_text(text);
  return 0;
}
