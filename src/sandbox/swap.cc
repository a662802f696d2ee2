#include "sandbox/swap.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <sstream>

#include "base/entries.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTableBytes = 1 << 20;
constexpr int kMaxDepth = 16;  // of devices upon devices

// Whether the block device, or each of those that it lies on, is encrypted or is memory. `device`: its directory in
// /sys.
bool is_safe(const fs::path& device, int depth) {
  std::error_code error;
  const std::string name = fs::canonical(device, error).filename();
  if (error || depth == kMaxDepth) return false;
  if (name.starts_with("zram") || name.starts_with("ram")) return true;
  if (read_text(device / "dm/uuid", kMaxTableBytes).starts_with("CRYPT-")) return true;
  bool any = false;
  for (const auto& below : Entries(device / "slaves", error)) {
    if (!is_safe(below.path(), depth + 1)) return false;
    any = true;
  }
  return any;
}

// The directory in /sys of the device that a swap space is, or that its file lies on.
fs::path device_of(const fs::path& root, const std::string& space) {
  struct stat status{};
  if (::stat(space.c_str(), &status) != 0) return {};
  const dev_t device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
  return root / "sys/dev/block" / (std::to_string(major(device)) + ":" + std::to_string(minor(device)));
}

}  // namespace

std::vector<std::string> plain_swap(const fs::path& root) {
  std::vector<std::string> found;
  std::istringstream table(read_text(root / "proc/swaps", kMaxTableBytes));
  std::string line;
  std::getline(table, line);  // the heading
  while (std::getline(table, line)) {
    const std::string space = line.substr(0, line.find_first_of(" \t"));
    if (!space.empty() && !is_safe(device_of(root, (root / fs::path(space).relative_path()).string()), 0)) {
      found.push_back(space);
    }
  }
  return found;
}

}  // namespace hearth::sandbox
