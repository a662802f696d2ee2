#include "sandbox/gpu.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include <unistd.h>

#include "base/entries.h"
#include "base/log.h"
#include "sandbox/cdi.h"
#include "sandbox/fd.h"
#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostGpus = 16;
constexpr std::array kCdiFolders = {"/etc/cdi", "/var/run/cdi"};
constexpr std::array kLibraryFolders = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu/nvidia/current",
                                        "/usr/lib64", "/usr/lib/aarch64-linux-gnu", "/usr/lib"};
// What CUDA, OpenCL, NVML, OpenGL, Vulkan and the video engines load of a driver; each bears the driver's version.
constexpr std::array kNvidiaLibraries = {"libcuda",
                                         "libnvidia-ml",
                                         "libnvidia-ptxjitcompiler",
                                         "libnvidia-nvvm",
                                         "libnvidia-cfg",
                                         "libnvidia-gpucomp",
                                         "libnvidia-opencl",
                                         "libcudadebugger",
                                         "libGLX_nvidia",
                                         "libEGL_nvidia",
                                         "libGLESv2_nvidia",
                                         "libGLESv1_CM_nvidia",
                                         "libnvidia-glcore",
                                         "libnvidia-eglcore",
                                         "libnvidia-glsi",
                                         "libnvidia-tls",
                                         "libnvidia-glvkspirv",
                                         "libnvidia-rtcore",
                                         "libnvidia-allocator",
                                         "libnvoptix",
                                         "libnvidia-encode",
                                         "libnvidia-opticalflow",
                                         "libnvcuvid"};
// Where glvnd and Vulkan's loader look for what tells them of a vendor's library, below a folder share/ or /etc.
constexpr const char* kEglVendors = "glvnd/egl_vendor.d";
constexpr const char* kVulkanDrivers = "vulkan/icd.d";

// Where this PC's files are looked for.
class Tree {
 public:
  explicit Tree(fs::path root) : root_(std::move(root)) {}

  fs::path at(const std::string& path) const { return root_ / fs::path(path).relative_path(); }
  std::string read(const std::string& path) const { return read_text(at(path)); }
  bool has(const std::string& path) const { return ::access(at(path).c_str(), F_OK) == 0; }
  bool is_usable(const std::string& node) const { return ::access(at(node).c_str(), R_OK | W_OK) == 0; }
  bool is_this_pc() const { return root_ == "/"; }

  // Where the loader looks (ld.so.conf(5)): the usual folders, and those that files of /etc/ld.so.conf.d name.
  std::vector<std::string> library_folders() const {
    std::vector<std::string> folders(kLibraryFolders.begin(), kLibraryFolders.end());
    for (const std::string& name : names("/etc/ld.so.conf.d")) {
      std::istringstream lines(read("/etc/ld.so.conf.d/" + name));
      for (std::string line; std::getline(lines, line);) {
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (line.starts_with('/') && std::ranges::find(folders, line) == folders.end()) folders.push_back(line);
      }
    }
    return folders;
  }

  // Names, sorted; empty if there is no such folder.
  std::vector<std::string> names(const std::string& folder) const {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : Entries(at(folder), error)) {
      found.push_back(entry.path().filename());
    }
    std::ranges::sort(found);
    return found;
  }

 private:
  fs::path root_;
};

// The rest of the first line that begins with the key, without outer blanks.
std::string line_after(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t first = line.find_first_not_of(" \t", key.size());
    return first == std::string::npos ? "" : line.substr(first, line.find_last_not_of(" \t") + 1 - first);
  }
  return {};
}

bool is_library(const std::string& path) { return fs::path(path).filename().string().contains(".so"); }

// Shows a file in the folder for its kind. Others (firmware, sockets) are the host's, or no business of a program.
void show(const Tree& tree, const std::string& host_path, Gpu& gpu) {
  const fs::path path(host_path);
  std::string folder;
  if (is_library(host_path)) folder = kGpuLibraries;
  if (path.parent_path().filename() == "bin") folder = kGpuPrograms;
  for (const char* drivers : {kEglVendors, kVulkanDrivers}) {
    if (path.extension() == ".json" && path.parent_path().string().ends_with(drivers)) {
      folder = std::string(kGpuFiles) + "/" + drivers;
    }
  }
  std::error_code error;
  if (folder.empty() || !fs::is_regular_file(tree.at(host_path), error)) return;
  std::string place = folder + "/" + path.filename().string();
  // The first folder counts: those of 32-bit programs come later.
  if (std::ranges::any_of(gpu.files, [&](const auto& file) { return file.second == place; })) return;
  gpu.files.emplace_back(host_path, std::move(place));
  if (folder != kGpuLibraries) return;
  // The names by which programs load it, "libcuda.so.1", are links beside it, made by the host's ldconfig.
  const std::string stem = path.filename().string().substr(0, path.filename().string().find(".so")) + ".so";
  for (const std::string& name : tree.names(path.parent_path())) {
    if (!name.starts_with(stem) || name == path.filename()) continue;
    if (fs::equivalent(tree.at(path.parent_path() / name), tree.at(host_path), error)) {
      gpu.links.emplace_back(path.filename(), folder + "/" + name);
    }
  }
}

// --- CDI

// "/dev/nvidia0" for the stem "nvidia".
bool is_numbered(const std::string& node, std::string_view stem) {
  const std::string_view name = std::string_view(node).substr(node.rfind('/') + 1);
  return name.size() > stem.size() && name.starts_with(stem) &&
         name.find_first_not_of("0123456789", stem.size()) == std::string_view::npos;
}

void add_edits(const Tree& tree, const CdiEdits& edits, Gpu& gpu) {
  for (const std::string& node : edits.device_nodes) {
    // "card" nodes drive the owner's screen.
    if (tree.has(node) && !is_numbered(node, "card")) gpu.device_nodes.push_back(node);
  }
  for (const CdiMount& mount : edits.mounts) show(tree, mount.host_path, gpu);
  for (const auto& [target, path] : edits.links) {
    if (is_library(path)) {
      gpu.links.emplace_back(fs::path(target).filename(), kGpuLibraries + ("/" + fs::path(path).filename().string()));
    }
  }
  for (const auto& [name, value] : edits.variables) {
    // What steers the loader is not for a file to say.
    if (!name.starts_with("LD_") && name != "PATH") gpu.variables.emplace_back(name, value);
  }
}

// Beside what the environment has of its own, not in its place: what draws without a GPU is to be found still.
void name_graphics(Gpu& gpu) {
  const std::string vendors = std::string(kGpuFiles) + "/" + kEglVendors;
  std::string drivers;
  bool has_vendor = false;
  for (const auto& [from, to] : gpu.files) {
    const std::string folder = fs::path(to).parent_path();
    has_vendor = has_vendor || folder == vendors;
    if (folder.ends_with(kVulkanDrivers)) drivers += (drivers.empty() ? "" : ":") + to;
  }
  if (has_vendor) {
    gpu.variables.emplace_back("__EGL_VENDOR_LIBRARY_DIRS",
                               vendors + ":/etc/glvnd/egl_vendor.d:/usr/share/glvnd/egl_vendor.d");
  }
  if (!drivers.empty()) gpu.variables.emplace_back("VK_ADD_DRIVER_FILES", drivers);
}

void tidy(Gpu& gpu) {
  auto unique = [](auto& list) {
    std::ranges::sort(list);
    auto [first, last] = std::ranges::unique(list);
    list.erase(first, last);
  };
  unique(gpu.device_nodes);
  unique(gpu.files);
  // A link that a file or another link has the place of is no use.
  std::set<std::string> taken;
  for (const auto& [from, to] : gpu.files) taken.insert(to);
  std::erase_if(gpu.links, [&taken](const auto& link) { return !taken.insert(link.second).second; });
  name_graphics(gpu);
}

// The one node that is a GPU's alone; empty if it is not one GPU. NVIDIA's have a render node besides.
std::string own_node(const CdiEdits& edits) {
  for (const char* stem : {"nvidia", "renderD"}) {
    std::vector<std::string> own;
    std::ranges::copy_if(edits.device_nodes, std::back_inserter(own),
                         [stem](const std::string& node) { return is_numbered(node, stem); });
    if (own.size() == 1) return own.front();
    if (!own.empty()) return {};
  }
  return {};
}

// The devices of a specification that are one GPU each; several names stand for the same one, and "all" for all.
void add_cdi_gpus(const Tree& tree, const CdiSpec& spec, std::map<std::string, Gpu>& found) {
  for (const CdiDevice& device : spec.devices) {
    Gpu gpu{.name = spec.kind + "=" + device.name};
    gpu.device = own_node(device.edits);
    if (gpu.device.empty() || !tree.is_usable(gpu.device) || found.contains(gpu.device)) continue;
    add_edits(tree, device.edits, gpu);
    add_edits(tree, spec.edits, gpu);
    tidy(gpu);
    found.emplace(gpu.device, std::move(gpu));
  }
}

std::map<std::string, Gpu> cdi_gpus(const Tree& tree) {
  std::map<std::string, Gpu> found;
  for (const char* folder : kCdiFolders) {
    for (const std::string& name : tree.names(folder)) {
      if (!name.ends_with(".yaml") && !name.ends_with(".json")) continue;
      const std::string file = std::string(folder) + "/" + name;
      Result<CdiSpec> spec = parse_cdi(read_text(tree.at(file), kMaxCdiBytes + 1));
      if (!spec) {
        log_warning("the GPU specification " + file + " is passed over: " + spec.error().message);
      } else if (spec->kind.ends_with("/gpu")) {
        add_cdi_gpus(tree, *spec, found);
      }
    }
  }
  return found;
}

// --- the drivers' own files

// "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.02  Release Build": the first word of digits and
// dots.
std::string nvidia_version(const Tree& tree) {
  std::istringstream words(line_after(tree.read("/proc/driver/nvidia/version"), "NVRM version:"));
  for (std::string word; words >> word;) {
    if (word.contains('.') && word.find_first_not_of("0123456789.") == std::string::npos) return word;
  }
  return {};
}

void show_nvidia_driver(const Tree& tree, Gpu& gpu) {
  for (const char* node : {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"}) {
    if (tree.has(node)) gpu.device_nodes.emplace_back(node);
  }
  const std::string version = nvidia_version(tree);
  std::set<std::string> prefixes = {"/usr"};
  for (const std::string& folder : tree.library_folders()) {
    const std::size_t before = gpu.files.size();
    for (const char* library : kNvidiaLibraries) show(tree, folder + "/" + library + ".so." + version, gpu);
    if (gpu.files.size() > before) prefixes.insert(fs::path(folder).parent_path());
  }
  for (const std::string& prefix : prefixes) {
    show(tree, prefix + "/bin/nvidia-smi", gpu);
    show(tree, prefix + "/share/" + kEglVendors + "/10_nvidia.json", gpu);
    show(tree, prefix + "/share/" + kVulkanDrivers + "/nvidia_icd.json", gpu);
  }
  show(tree, std::string("/etc/") + kVulkanDrivers + "/nvidia_icd.json", gpu);
  tidy(gpu);
}

struct NvidiaCard {
  std::string address;  // "0000:3b:00.0"
  std::string device;
  std::string model;
};

std::vector<NvidiaCard> nvidia_cards(const Tree& tree) {
  const std::string folder = "/proc/driver/nvidia/gpus";
  std::vector<NvidiaCard> cards;
  for (const std::string& address : tree.names(folder)) {
    const std::string text = tree.read(folder + "/" + address + "/information");
    const std::string minor = line_after(text, "Device Minor:");
    if (!minor.empty()) cards.push_back({address, "/dev/nvidia" + minor, line_after(text, "Model:")});
  }
  return cards;
}

// "00000000:3B:00.0, 81559": PCI address and MiB, a line for each.
void ask_nvidia_memory(const std::vector<NvidiaCard>& cards, std::map<std::string, Gpu>& gpus) {
  std::string program = find_program("nvidia-smi");
  for (const auto& [device, gpu] : gpus) {
    for (const auto& [from, to] : gpu.files) {
      if (program.empty() && to == std::string(kGpuPrograms) + "/nvidia-smi") program = from;
    }
  }
  if (program.empty()) return;
  Result<std::string> answer =
      ask_program(program, {"--query-gpu=pci.bus_id,memory.total", "--format=csv,noheader,nounits"});
  if (!answer) return;
  std::istringstream lines(*answer);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t comma = line.find(", ");
    if (comma == std::string::npos) continue;
    std::string address = line.substr(0, comma);
    std::ranges::transform(address, address.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    std::uint64_t mebibytes = 0;
    std::from_chars(line.data() + comma + 2, line.data() + line.size(), mebibytes);
    for (const NvidiaCard& card : cards) {
      if (address.ends_with(card.address) && gpus.contains(card.device))
        gpus[card.device].memory_bytes = mebibytes << 20;
    }
  }
}

void add_nvidia(const Tree& tree, std::map<std::string, Gpu>& gpus) {
  const std::vector<NvidiaCard> cards = nvidia_cards(tree);
  for (const NvidiaCard& card : cards) {
    if (!gpus.contains(card.device) && tree.is_usable(card.device)) {
      Gpu gpu{.device = card.device, .device_nodes = {card.device}};
      for (const std::string& name : tree.names("/sys/bus/pci/devices/" + card.address + "/drm")) {
        if (name.starts_with("renderD") && tree.is_usable("/dev/dri/" + name)) {
          gpu.device_nodes.push_back("/dev/dri/" + name);
        }
      }
      show_nvidia_driver(tree, gpu);
      gpus.emplace(card.device, std::move(gpu));
    }
    if (gpus.contains(card.device) && !card.model.empty()) gpus[card.device].name = card.model;
  }
  if (!cards.empty() && tree.is_this_pc()) ask_nvidia_memory(cards, gpus);
}

// AMD's user-mode libraries do not depend on the driver's version: they are part of the environment.
void add_amd(const Tree& tree, std::map<std::string, Gpu>& gpus) {
  for (const std::string& name : tree.names("/sys/class/drm")) {
    const std::string sysfs = "/sys/class/drm/" + name + "/device/";
    const std::string device = "/dev/dri/" + name;
    if (!name.starts_with("renderD") || !tree.read(sysfs + "vendor").starts_with("0x1002")) continue;
    if (!gpus.contains(device)) {
      if (!tree.is_usable(device)) continue;
      Gpu gpu{.name = "AMD GPU", .device = device, .device_nodes = {device}};
      if (tree.is_usable("/dev/kfd")) gpu.device_nodes.emplace_back("/dev/kfd");
      gpus.emplace(device, std::move(gpu));
    }
    Gpu& gpu = gpus[device];
    std::string product = tree.read(sysfs + "product_name");
    product.erase(product.find_last_not_of(" \n") + 1);
    if (!product.empty()) gpu.name = product;
    gpu.memory_bytes = std::strtoull(tree.read(sysfs + "mem_info_vram_total").c_str(), nullptr, 10);
  }
}

}  // namespace

std::vector<Gpu> find_gpus(const std::filesystem::path& root) {
  const Tree tree(root);
  std::map<std::string, Gpu> gpus = cdi_gpus(tree);
  add_nvidia(tree, gpus);
  add_amd(tree, gpus);
  std::vector<Gpu> found;
  for (auto& [device, gpu] : gpus) found.push_back(std::move(gpu));
  // "/dev/nvidia10" comes after "/dev/nvidia2".
  std::ranges::sort(found, {}, [](const Gpu& gpu) { return std::pair(gpu.device.size(), gpu.device); });
  if (found.size() > kMostGpus) found.resize(kMostGpus);
  return found;
}

}  // namespace hearth::sandbox
