// Swap space that a guest's memory could reach in clear.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hearth::sandbox {

// The swap spaces in use that are neither in memory (zram) nor on an encrypted device (dm-crypt, below whatever else).
// `root`: where /proc and /sys are looked for; for tests.
std::vector<std::string> plain_swap(const std::filesystem::path& root = "/");

}  // namespace hearth::sandbox
