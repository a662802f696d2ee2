#include "sandbox/microvm/initramfs.h"

#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>

#include <sys/stat.h>

#include "base/embed.h"
#include "base/entries.h"
#include "sandbox/fd.h"

// The program that init/init.cc became.
HEARTH_EMBED(hearth_microvm_init, HEARTH_MICROVM_INIT);

namespace hearth::sandbox {
namespace {

// In this order, each after what it needs. Those that the kernel has built in, or that no file is there for and the
// guest can do without, are left out.
constexpr std::array kNeeded = {"virtio_pci", "virtio_blk", "virtio_console", "squashfs", "dm-crypt", "xts", "ecb"};
constexpr std::array kWelcome = {"aesni-intel"};
constexpr std::size_t kMaxModuleBytes = 16 << 20;

// Module names are written with either sign.
std::string normal(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

class Archive {
 public:
  void add(const std::string& name, unsigned mode, std::string_view content) {
    std::array<char, 112> head{};
    std::snprintf(head.data(), head.size(), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode_,
                  mode, 0U, 0U, 1U, 0U, static_cast<unsigned>(content.size()), 0U, 0U, 0U, 0U,
                  static_cast<unsigned>(name.size() + 1), 0U);
    text_ += head.data();
    text_.append(name).push_back('\0');
    pad();
    text_ += content;
    pad();
  }
  std::string finish() {
    add("TRAILER!!!", 0, "");
    return std::move(text_);
  }

 private:
  void pad() { text_.append((4 - text_.size() % 4) % 4, '\0'); }

  std::string text_;
  unsigned inode_ = 0;
};

class Modules {
 public:
  explicit Modules(const std::filesystem::path& directory) {
    std::error_code error;
    using Walk = std::filesystem::recursive_directory_iterator;
    for (Walk at(directory / "kernel", error), end; !error && at != end; at.increment(error)) {
      if (at->path().extension() == ".ko") files_.emplace(normal(at->path().stem()), at->path());
    }
  }

  // With what it needs, those first.
  void take(const std::string& name) {
    auto file = files_.find(normal(name));
    if (file == files_.end() || !taken_.insert(file->first).second) return;
    std::string bytes = read_text(file->second, kMaxModuleBytes);
    for (const std::string& needed : dependencies_in(bytes)) take(needed);
    order_ += file->first + ".ko\n";
    contents_.emplace_back(file->first + ".ko", std::move(bytes));
  }
  bool empty() const { return files_.empty(); }

  void pack(Archive& archive) const {
    archive.add("modules", S_IFDIR | 0755, "");
    archive.add("modules/order", S_IFREG | 0644, order_);
    for (const auto& [name, bytes] : contents_) archive.add("modules/" + name, S_IFREG | 0644, bytes);
  }

 private:
  std::map<std::string, std::filesystem::path> files_;
  std::set<std::string> taken_;
  std::string order_;
  std::vector<std::pair<std::string, std::string>> contents_;
};

}  // namespace

std::vector<std::string> dependencies_in(std::string_view module) {
  // In the section .modinfo: strings that each end with a NUL.
  using namespace std::string_view_literals;
  constexpr std::string_view kMark = "\0depends="sv;
  std::size_t at = module.find(kMark);
  std::vector<std::string> names;
  if (at == std::string_view::npos) return names;
  at += kMark.size();
  std::istringstream list(std::string(module.substr(at, module.find('\0', at) - at)));
  for (std::string name; std::getline(list, name, ',');) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

Result<Kernel> find_kernel(const std::filesystem::path& directory) {
  std::error_code error;
  for (const auto& entry : Entries(directory / "boot", error)) {
    std::string name = entry.path().filename();
    constexpr std::string_view kPrefix = "vmlinuz-";
    if (!name.starts_with(kPrefix)) continue;
    std::string version = name.substr(kPrefix.size());
    for (const char* parent : {"usr/lib/modules", "lib/modules"}) {
      std::filesystem::path modules = directory / parent / version;
      if (std::filesystem::is_directory(modules, error)) return Kernel{entry.path(), modules, version};
    }
  }
  return fail(Code::kFailedPrecondition,
              "there is no kernel for microVMs in " + directory.string() + "; fetch one with: hearth microvm fetch");
}

Result<std::string> build_initramfs(const Kernel& kernel) {
  Modules modules(kernel.modules);
  if (modules.empty()) {
    return fail(Code::kFailedPrecondition,
                "the kernel in " + kernel.modules.string() +
                    " has no modules that can be read; fetch it again with: hearth microvm fetch");
  }
  for (const char* name : kNeeded) modules.take(name);
  for (const char* name : kWelcome) modules.take(name);
  Archive archive;
  archive.add("init", S_IFREG | 0755, HEARTH_EMBEDDED(hearth_microvm_init));
  modules.pack(archive);
  return archive.finish();
}

}  // namespace hearth::sandbox
