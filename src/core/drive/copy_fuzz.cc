// What the hub that holds the pool tells of its drive: no path leads out of what is copied.
#include "base/check.h"
#include "core/drive/copy.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace hearth::drive;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto mark = decode_copy_mark(text)) CHECK(encode(*mark) == text);
  for (const std::string& path : {std::string(text), ".hearth/" + std::string(text)}) {
    if (!check_copy_path(path)) continue;
    CHECK(!path.starts_with('/') && !path.contains("//") && !path.contains('\0') && !path.ends_with('/'));
    CHECK(path != ".." && !path.starts_with("../") && !path.contains("/../") && !path.ends_with("/.."));
    CHECK(!path.starts_with(".hearth/new") && !path.starts_with(".hearth/id") && !path.starts_with(".hearth/aside"));
  }
  return 0;
}
