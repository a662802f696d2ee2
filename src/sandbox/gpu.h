// The GPUs of this PC, and what a program must be shown to use one. Found through the driver's own files and the CDI
// specifications that the vendor's tools left; nothing of a vendor is run but nvidia-smi, to ask for the memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace hearth::sandbox {

// In a sandbox a GPU's user-mode files lie together, so that they can be shown over any environment, read-only as that
// is: libraries in kGpuLibraries, which LD_LIBRARY_PATH names, programs in kGpuPrograms.
constexpr const char* kGpuFiles = "/run/gpu";
constexpr const char* kGpuLibraries = "/run/gpu/lib";
constexpr const char* kGpuPrograms = "/run/gpu/bin";

struct Gpu {
  std::string name;                       // "NVIDIA H100 80GB HBM3"
  std::string device;                     // the node that is this GPU's alone: "/dev/nvidia0", "/dev/dri/renderD128"
  std::uint64_t memory_bytes = 0;         // 0: unknown
  std::vector<std::string> device_nodes;  // all that it needs, `device` included
  std::vector<std::pair<std::string, std::string>> files;  // of the host, where in the sandbox
  std::vector<std::pair<std::string, std::string>> links;  // what the link says, where in the sandbox
  std::vector<std::pair<std::string, std::string>> variables;
};

// In the order of their numbers, at most 16. A CDI specification, where there is one (/etc/cdi, /var/run/cdi), counts
// before the driver's own files. A GPU whose nodes this process may not open is left out. `root`: where /dev, /proc,
// /sys, /etc and /usr are looked for; for tests.
std::vector<Gpu> find_gpus(const std::filesystem::path& root = "/");

}  // namespace hearth::sandbox
