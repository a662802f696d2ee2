// parse_cdi(): whatever it accepts names only absolute paths that lead upwards nowhere.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "sandbox/cdi.h"

namespace {

void check_path(std::string_view path) {
  CHECK(path.starts_with('/'));
  CHECK(!path.contains("/../") && !path.ends_with("/.."));
}

void check_edits(const hearth::sandbox::CdiEdits& edits) {
  for (const std::string& node : edits.device_nodes) check_path(node);
  for (const hearth::sandbox::CdiMount& mount : edits.mounts) {
    check_path(mount.host_path);
    check_path(mount.container_path);
  }
  for (const auto& [target, path] : edits.links) check_path(path);
  for (const auto& [name, value] : edits.variables) CHECK(!name.empty() && !name.contains('='));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto spec = hearth::sandbox::parse_cdi({reinterpret_cast<const char*>(data), size});
  if (!spec) return 0;
  check_edits(spec->edits);
  for (const hearth::sandbox::CdiDevice& device : spec->devices) check_edits(device.edits);
  return 0;
}
