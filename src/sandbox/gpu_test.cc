// On recorded specifications and device trees: no GPU is needed.
#include "sandbox/gpu.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "sandbox/cdi.h"
#include "sandbox/doctor.h"
#include "sandbox/levels_testing.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

// As `nvidia-ctk cdi generate` 1.17 writes it for a PC with two cards, shortened.
constexpr const char* kNvidiaSpec = R"(---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/dri/card1
    - path: /dev/dri/renderD128
    hooks:
    - hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, create-symlinks, --link, ../card1::/dev/dri/by-path/pci-0000:3b:00.0-card]
- name: "1"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
- name: GPU-955ef018-3bd9-5f27-80b3-fa20ee8d19c5
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/nvidia1
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  - LD_PRELOAD=/tmp/evil.so
  deviceNodes:
  - path: /dev/nvidiactl
  - path: /dev/nvidia-uvm
  hooks:
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args:
    - nvidia-cdi-hook
    - create-symlinks
    - --link
    - libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so
  - hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
    args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib/x86_64-linux-gnu]
  mounts:
  - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05
    containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05
    options: [ro, nosuid, nodev, bind]
  - hostPath: /usr/bin/nvidia-smi
    containerPath: /usr/bin/nvidia-smi
  - hostPath: /lib/firmware/nvidia/535.104.05/gsp_ga10x.bin
    containerPath: /lib/firmware/nvidia/535.104.05/gsp_ga10x.bin
)";

using Pairs = std::vector<std::pair<std::string, std::string>>;

// A PC's files, as far as they matter.
class Pc {
 public:
  void file(const std::string& path, const std::string& content = "") const {
    fs::create_directories(at(path).parent_path());
    std::ofstream(at(path)) << content;
  }
  void link(const std::string& target, const std::string& path) const {
    fs::create_directories(at(path).parent_path());
    fs::create_symlink(target, at(path));
  }
  fs::path at(const std::string& path) const { return directory_.path() / path.substr(1); }
  std::vector<Gpu> gpus() const { return find_gpus(directory_.path()); }

 private:
  TemporaryDirectory directory_;
};

void put_nvidia_driver(const Pc& pc) {
  for (const char* node : {"/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"}) pc.file(node);
  pc.file("/usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05");
  pc.link("libcuda.so.535.104.05", "/usr/lib/x86_64-linux-gnu/libcuda.so.1");
  pc.file("/usr/bin/nvidia-smi");
  pc.file("/proc/driver/nvidia/version",
          "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.104.05  Release Build\nGCC version: 12.2\n");
  pc.file("/proc/driver/nvidia/gpus/0000:3b:00.0/information",
          "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 120\nDevice Minor: \t 0\n");
}

TEST(Cdi, ReadsWhatTheVendorsToolWrites) {
  Result<CdiSpec> spec = parse_cdi(kNvidiaSpec);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->kind, "nvidia.com/gpu");
  ASSERT_EQ(spec->devices.size(), 4U);
  EXPECT_EQ(spec->devices[0].edits.device_nodes,
            (std::vector<std::string>{"/dev/nvidia0", "/dev/dri/card1", "/dev/dri/renderD128"}));
  EXPECT_EQ(spec->edits.mounts.size(), 3U);
  EXPECT_EQ(spec->edits.links, (Pairs{{"libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so"}}));
}

TEST(Cdi, ReadsJsonAndLinksWithAnEqualsSign) {
  Result<CdiSpec> spec = parse_cdi(R"({"cdiVersion": "0.5.0", "kind": "amd.com/gpu", "devices": [{"name": "0",
    "containerEdits": {"deviceNodes": [{"path": "/dev/kfd", "hostPath": "/dev/kfd0"}],
    "hooks": [{"args": ["hook", "create-symlinks", "--link=a::/b"]}]}}]})");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->devices[0].edits.device_nodes, (std::vector<std::string>{"/dev/kfd0"}));
  EXPECT_EQ(spec->devices[0].edits.links, (Pairs{{"a", "/b"}}));
}

TEST(Cdi, NamesWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> broken = {
      {"[", "no YAML"},
      {"just words", "must be an object"},
      {"kind: gpu", "\"kind\""},
      {"{kind: a/b, devices: 3}", "\"devices\""},
      {"{kind: a/b, devices: [{name: x, containerEdits: {deviceNodes: [{path: dev/x}]}}]}", "absolute"},
      {"{kind: a/b, devices: [{name: x, containerEdits: {deviceNodes: [{path: /dev/../etc}]}}]}", "'..'"},
      {"{kind: a/b, devices: [{name: ''}]}", "\"devices.name\""},
      {"{kind: a/b, containerEdits: {env: [X]}}", "NAME=VALUE"},
  };
  for (const auto& [text, word] : broken) {
    Result<CdiSpec> spec = parse_cdi(text);
    ASSERT_FALSE(spec) << text;
    EXPECT_TRUE(spec.error().message.contains(word)) << text << ": " << spec.error().message;
  }
  EXPECT_EQ(parse_cdi(std::string(kMaxCdiBytes + 1, ' ')).error().code, Code::kResourceExhausted);
}

TEST(Gpus, AreNoneWithoutADriver) { EXPECT_TRUE(Pc().gpus().empty()); }

TEST(Gpus, ComeFromACdiSpecification) {
  Pc pc;
  put_nvidia_driver(pc);
  pc.file("/dev/dri/renderD128");
  pc.file("/etc/cdi/nvidia.yaml", kNvidiaSpec);
  std::vector<Gpu> gpus = pc.gpus();
  // The second card of the specification is not there, and one card has several names.
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].device, "/dev/nvidia0");
  EXPECT_EQ(gpus[0].name, "NVIDIA GeForce RTX 4090");
  EXPECT_EQ(gpus[0].files,
            (Pairs{{"/usr/bin/nvidia-smi", "/run/gpu/bin/nvidia-smi"},
                   {"/usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05", "/run/gpu/lib/libcuda.so.535.104.05"}}));
  EXPECT_EQ(gpus[0].links, (Pairs{{"libcuda.so.535.104.05", "/run/gpu/lib/libcuda.so.1"},
                                  {"libcuda.so.1", "/run/gpu/lib/libcuda.so"}}));
  EXPECT_EQ(gpus[0].variables, (Pairs{{"NVIDIA_VISIBLE_DEVICES", "void"}}));
}

TEST(Gpus, OfNvidiaComeFromTheDriversOwnFiles) {
  Pc pc;
  put_nvidia_driver(pc);
  std::vector<Gpu> gpus = pc.gpus();
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].name, "NVIDIA GeForce RTX 4090");
  EXPECT_EQ(gpus[0].device_nodes, (std::vector<std::string>{"/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl"}));
  EXPECT_EQ(gpus[0].links, (Pairs{{"libcuda.so.535.104.05", "/run/gpu/lib/libcuda.so.1"}}));
}

TEST(Gpus, OfNvidiaDrawToo) {
  Pc pc;
  put_nvidia_driver(pc);
  // A driver that lies apart, as ld.so.conf.d says; what is there for 32-bit programs comes later.
  pc.file("/etc/ld.so.conf.d/nvidia.conf",
          "# the driver\n/usr/local/nvidia/lib64 \n/usr/local/nvidia/lib\nnot/absolute\n");
  for (const char* folder : {"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib32"}) {
    pc.file(std::string(folder) + "/libGLX_nvidia.so.535.104.05");
  }
  pc.link("libGLX_nvidia.so.535.104.05", "/usr/local/nvidia/lib64/libGLX_nvidia.so.0");
  pc.file("/usr/local/nvidia/share/glvnd/egl_vendor.d/10_nvidia.json");
  pc.file("/etc/vulkan/icd.d/nvidia_icd.json");
  pc.file("/sys/bus/pci/devices/0000:3b:00.0/drm/renderD128/dev");
  pc.file("/sys/bus/pci/devices/0000:3b:00.0/drm/card1/dev");
  for (const char* node : {"/dev/dri/renderD128", "/dev/dri/card1"}) pc.file(node);
  std::vector<Gpu> gpus = pc.gpus();
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].device_nodes,
            (std::vector<std::string>{"/dev/dri/renderD128", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl"}));
  EXPECT_EQ(gpus[0].files,
            (Pairs{{"/etc/vulkan/icd.d/nvidia_icd.json", "/run/gpu/vulkan/icd.d/nvidia_icd.json"},
                   {"/usr/bin/nvidia-smi", "/run/gpu/bin/nvidia-smi"},
                   {"/usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05", "/run/gpu/lib/libcuda.so.535.104.05"},
                   {"/usr/local/nvidia/lib64/libGLX_nvidia.so.535.104.05", "/run/gpu/lib/libGLX_nvidia.so.535.104.05"},
                   {"/usr/local/nvidia/share/glvnd/egl_vendor.d/10_nvidia.json",
                    "/run/gpu/glvnd/egl_vendor.d/10_nvidia.json"}}));
  EXPECT_EQ(gpus[0].links, (Pairs{{"libcuda.so.535.104.05", "/run/gpu/lib/libcuda.so.1"},
                                  {"libGLX_nvidia.so.535.104.05", "/run/gpu/lib/libGLX_nvidia.so.0"}}));
  EXPECT_EQ(gpus[0].variables,
            (Pairs{{"__EGL_VENDOR_LIBRARY_DIRS",
                    "/run/gpu/glvnd/egl_vendor.d:/etc/glvnd/egl_vendor.d:/usr/share/glvnd/egl_vendor.d"},
                   {"VK_ADD_DRIVER_FILES", "/run/gpu/vulkan/icd.d/nvidia_icd.json"}}));
}

TEST(Gpus, AreToldOfByTheDoctor) {
  const Check none = check_gpus({});
  EXPECT_FALSE(none.ok || none.required);
  EXPECT_TRUE(none.remedy.contains("driver"));
  const Check two =
      check_gpus({{.name = "one", .memory_bytes = 8ULL << 30, .files = {{"/x", "/run/gpu/lib/libGLX_nvidia.so.1"}}},
                  {.name = "other"}});
  EXPECT_TRUE(two.ok);
  EXPECT_EQ(two.detail,
            "one (8 GiB): computes, and draws the windows of programs by OpenGL; other (memory unknown): computes; 3D "
            "windows are the processor's");
}

TEST(Gpus, OfAmdComeFromTheDriversOwnFiles) {
  Pc pc;
  for (const char* node : {"/dev/dri/renderD128", "/dev/dri/renderD129", "/dev/kfd"}) pc.file(node);
  pc.file("/sys/class/drm/renderD128/device/vendor", "0x8086\n");
  pc.file("/sys/class/drm/renderD129/device/vendor", "0x1002\n");
  pc.file("/sys/class/drm/renderD129/device/mem_info_vram_total", "17163091968\n");
  std::vector<Gpu> gpus = pc.gpus();
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].device_nodes, (std::vector<std::string>{"/dev/dri/renderD129", "/dev/kfd"}));
  EXPECT_EQ(gpus[0].memory_bytes, 17'163'091'968ULL);
}

TEST(Gpus, ABrokenSpecificationIsPassedOver) {
  Pc pc;
  put_nvidia_driver(pc);
  pc.file("/etc/cdi/broken.yaml", "kind: [");
  EXPECT_EQ(pc.gpus().size(), 1U);
}

class LentGpus : public HostAtLevel {};

TEST_P(LentGpus, AreShownToTheProgramTheyAreLentTo) {
  const Gpu gpu{.name = "fake",
                .device = "/dev/tty",
                .device_nodes = {"/dev/tty"},
                .files = {{"/usr/bin/true", "/run/gpu/lib/libfake.so.1.2"}, {"/usr/bin/true", "/run/gpu/bin/fake-smi"}},
                .links = {{"libfake.so.1.2", "/run/gpu/lib/libfake.so.1"}},
                .variables = {{"FAKE_DEVICES", "0"}}};
  const std::string look =
      "echo $LD_LIBRARY_PATH $FAKE_DEVICES; /run/gpu/lib/libfake.so.1 && fake-smi && test -c /dev/tty && echo works;"
      "touch /run/gpu/x 2>/dev/null || echo read-only";
  auto box = host().prepare();
  Ran ran = Running(*box, {.argv = {"/bin/sh", "-c", look}, .gpus = {gpu, gpu}}).wait();
  EXPECT_EQ(ran.out, "/run/gpu/lib 0\nworks\nread-only\n") << ran.err << ran.exit.message;
  EXPECT_EQ(host().shell("ls /run/gpu; echo $LD_LIBRARY_PATH").out, "\n");
}

TEST_P(LentGpus, OfThisPcAnswer) {
  const std::vector<Gpu> gpus = find_gpus();
  if (gpus.empty() || !gpus.front().device.starts_with("/dev/nvidia")) {
    GTEST_SKIP() << "SKIPPED: this PC has no GPU of NVIDIA's that can be used";
  }
  EXPECT_GT(gpus.front().memory_bytes, 0U);
  auto box = host().prepare();
  const Ran ran = Running(*box, {.argv = {"nvidia-smi", "-L"}, .gpus = {gpus.front()}}).wait();
  EXPECT_TRUE(ran.out.starts_with("GPU 0: " + gpus.front().name)) << ran.out << ran.err << ran.exit.message;
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 1) << ran.out;
}

INSTANTIATE_TEST_SUITE_P(Levels, LentGpus, testing::Values(Level::kFence, Level::kOci), &AtLevel::name);

}  // namespace
}  // namespace hearth::sandbox
