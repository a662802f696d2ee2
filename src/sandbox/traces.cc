#include "sandbox/traces.h"

#include <array>
#include <filesystem>
#include <sstream>

#include "base/entries.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMostTraces = 16;
constexpr std::array kFolders = {"/boxes", "/shown", "/networks", "/vault/boxes"};

// "17-3-1" and "17-3-1-root", but not "17-3-10".
bool bears(const std::string& file, const std::string& name) {
  return file == name || file.starts_with(name + "-") || file.starts_with(name + "/");
}

}  // namespace

std::vector<std::string> find_traces(const Shared& shared, const std::string& name) {
  std::vector<std::string> found = shared.cgroups->groups_named(name);
  for (const char* folder : kFolders) {
    std::error_code error;
    const std::string directory = shared.place + folder;
    for (const auto& entry : Entries(directory, error)) {
      if (bears(entry.path().filename(), name)) found.push_back(entry.path());
    }
  }
  std::istringstream mounts(read_text("/proc/self/mountinfo", 16 << 20));
  for (std::string line; std::getline(mounts, line);) {
    // "36 35 98:0 /root /mount/point options..."
    std::istringstream words(line);
    std::string word;
    for (int column = 0; column < 5; ++column) words >> word;
    for (const char* folder : kFolders) {
      const std::string beneath = shared.place + folder + "/";
      if (word.starts_with(beneath) && bears(word.substr(beneath.size()), name)) found.push_back("mount " + word);
    }
  }
  if (found.size() > kMostTraces) found.resize(kMostTraces);
  return found;
}

}  // namespace hearth::sandbox
