// Reads specifications of the Container Device Interface (github.com/cncf-tags/container-device-interface, SPEC.md):
// what a vendor says a container needs to use its device. YAML, or JSON, which is YAML too.
//
// A specification may order hooks: programs to be run by the container runtime as root. They have been the way out of
// containers (CVE-2024-0132, CVE-2025-23266), so none is ever run; the two that matter are read for what they would do:
// the links of create-symlinks and the folders of update-ldcache.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::sandbox {

struct CdiMount {
  std::string host_path;
  std::string container_path;
};

// `containerEdits`. All paths are absolute and without "..".
struct CdiEdits {
  std::vector<std::string> device_nodes;  // of the host
  std::vector<CdiMount> mounts;
  std::vector<std::pair<std::string, std::string>> links;  // what the link says, where it lies
  std::vector<std::pair<std::string, std::string>> variables;
};

struct CdiDevice {
  std::string name;  // "0", "GPU-955ef018-...", "all"
  CdiEdits edits;
};

struct CdiSpec {
  std::string kind;  // "nvidia.com/gpu"
  std::vector<CdiDevice> devices;
  CdiEdits edits;  // for whichever device
};

constexpr std::size_t kMaxCdiBytes = 1 << 20;

// Unknown fields are passed over, as the specification wants it. Errors: kInvalidArgument, with the field; too large,
// more than 256 devices, or more than 1024 entries of a list: kResourceExhausted.
Result<CdiSpec> parse_cdi(std::string_view text);

}  // namespace hearth::sandbox
