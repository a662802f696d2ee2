// The first files of a microVM: our own process 1 and the kernel modules that it loads, as a cpio archive ("newc").
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::sandbox {

struct Kernel {
  std::filesystem::path image;    // vmlinuz-VERSION
  std::filesystem::path modules;  // lib/modules/VERSION
  std::string version;
};

// In a directory into which a Debian kernel package was unpacked. Errors: kFailedPrecondition with the remedy.
Result<Kernel> find_kernel(const std::filesystem::path& directory);

// Errors: kFailedPrecondition if a module is missing.
Result<std::string> build_initramfs(const Kernel& kernel);

// The modules that `module`'s file says it needs.
std::vector<std::string> dependencies_in(std::string_view module);

}  // namespace hearth::sandbox
