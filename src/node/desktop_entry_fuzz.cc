// Desktop entries, which any package of the PC brings, and apps.json: whatever they hold, what comes out can be shown.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "node/apps.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string& whole :
       {std::string(text), "[Desktop Entry]\nType=Application\nName=a\n" + std::string(text)}) {
    const std::optional<node::DesktopEntry> entry = node::parse_desktop_entry(whole);
    if (!entry) continue;
    CHECK(!entry->argv.empty() && is_plain_utf8(entry->name));
  }
  CHECK(node::parse_added_apps(text).apps.size() <= 200);
  return 0;
}
