// What another device asks of its space: only names that lead nowhere else come through.
#include "base/check.h"
#include "core/drive/space.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace hearth::drive;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_space_grant(text);
  for (const std::string& asked :
       {std::string(text), "/space/" + std::string(text), "/space/data/" + std::string(text)}) {
    const auto path = parse_space_path(asked);
    if (!path) continue;
    CHECK(!path->name.contains('/') && !path->name.contains('.') && !path->folder.contains('/'));
    CHECK(path->name.empty() || path->is_config() || path->name.size() == 64);
    CHECK(!path->is_file() || asked.ends_with(path->name));
  }
  return 0;
}
