#include "sandbox/microvm/microvm.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/microvm/initramfs.h"
#include "sandbox/microvm/machine_listener.h"
#include "sandbox/microvm/parcel.h"
#include "sandbox/microvm/wire.h"
#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kMebibyte = 1ULL << 20;
constexpr std::uint64_t kKernelBytes = 96 * kMebibyte;    // the guest's kernel and page tables, beside its programs
constexpr std::uint64_t kMonitorBytes = 256 * kMebibyte;  // QEMU itself
constexpr std::uint64_t kMonitorTmpBytes = 16 * kMebibyte;
constexpr const char* kKvm = "/dev/kvm";

// Numbers of QEMU's sets of descriptors, and the descriptors in them.
constexpr int kImageFd = kFirstFreeFd;
constexpr int kParcelFd = kFirstFreeFd + 1;
constexpr int kScratchFd = kFirstFreeFd + 2;

// On the owner's disk, but without a name there: it goes with its last descriptor, whatever happens.
Result<Fd> make_scratch(const std::filesystem::path& directory, std::uint64_t bytes) {
  Fd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  constexpr std::uint64_t kBlock = 4096;
  auto size = static_cast<off_t>((bytes + kBlock - 1) / kBlock * kBlock);
  if (!file || ::ftruncate(file.get(), size) != 0) return fail_errno(errno, "making a scratch disk");
  return file;
}

std::string disk(const char* name, int fd, bool writable) {
  return std::string("driver=file,node-name=") + name + ",locking=off,filename=/dev/fdset/" + std::to_string(fd) +
         (writable ? ",cache.no-flush=on" : ",read-only=on");
}

}  // namespace

MicroVm::MicroVm(World world) : world_(std::move(world)), ready_(install()) {}

Result<void> MicroVm::install() {
  if (world_.options.directory.empty()) {
    return fail(Code::kFailedPrecondition, "microVMs are not set up here; set them up with: hearth microvm fetch");
  }
  Result<Kernel> kernel = find_kernel(world_.options.directory);
  if (!kernel) return std::unexpected(kernel.error());
  qemu_ = find_program(world_.options.qemu);
  if (qemu_.empty()) {
    return fail(Code::kFailedPrecondition,
                "QEMU ('" + world_.options.qemu + "') was not found; install it with: apt install qemu-system-x86");
  }
  Result<std::string> initramfs = build_initramfs(*kernel);
  if (!initramfs) return std::unexpected(initramfs.error());
  std::string folder = world_.place + "/microvm";
  if (::mkdir(folder.c_str(), 0755) != 0 || ::chmod(folder.c_str(), 0755) != 0) {
    return fail_errno(errno, "making " + folder);
  }
  constexpr std::size_t kMaxKernelBytes = 32 << 20;
  Result<void> done = make_file(folder + "/kernel", read_text(kernel->image, kMaxKernelBytes));
  if (done) done = make_file(folder + "/initramfs", *initramfs);
  if (done) done = make_file(empty_image(), std::string(4096, '\0'));
  return done;
}

std::filesystem::path MicroVm::empty_image() const { return world_.place + "/microvm/empty"; }

Setup MicroVm::trial_setup() const { return {.level = Level::kMicroVm, .image = empty_image()}; }

Result<void> MicroVm::check(const Setup& setup) const {
  if (!ready_) return ready_;
  if (setup.image.empty()) {
    return fail(Code::kFailedPrecondition,
                "a microVM shows an environment and not this PC's own programs; name one with: hearth run --env NAME");
  }
  if (setup.network.kind != Network::Kind::kNone) {
    return fail(Code::kFailedPrecondition, "a microVM has no network; run the task without one");
  }
  if (world_.options.insecure_tcg_for_tests) return {};
  Fd kvm(::open(kKvm, O_RDWR | O_CLOEXEC));
  if (kvm) return {};
  return fail(Code::kFailedPrecondition,
              errno == ENOENT
                  ? "this PC's kernel gives no virtual machines (there is no /dev/kvm); switch virtualization "
                    "on in the firmware's settings (VT-x, AMD-V), then: modprobe kvm_intel or kvm_amd"
                  : "this user may not use /dev/kvm; allow it with: adduser USER kvm");
}

std::uint64_t MicroVm::overhead_bytes() const { return kKernelBytes + kMonitorBytes; }

std::vector<std::string> MicroVm::arguments(const LaunchOrder& order) const {
  std::uint64_t memory = (order.limits.memory_bytes + kKernelBytes) / kMebibyte;
  bool tcg = world_.options.insecure_tcg_for_tests;
  std::vector<std::string> words = {qemu_, "-M", "q35", "-accel", tcg ? "tcg" : "kvm", "-cpu", tcg ? "max" : "host"};
  auto add = [&words](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
  add({"-smp", std::to_string(std::max(1U, order.limits.cores)), "-m", std::to_string(memory)});
  add({"-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot", "-nic", "none"});
  add({"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  add({"-kernel", "/job/kernel", "-initrd", "/job/initramfs"});
  add({"-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on"});
  add({"-chardev", "file,id=console,path=/dev/stderr", "-serial", "chardev:console"});
  for (int fd : {kImageFd, kParcelFd, kScratchFd}) {
    add({"-add-fd", "fd=" + std::to_string(fd) + ",set=" + std::to_string(fd)});
  }
  add({"-blockdev", disk(wire::kImageDisk, kImageFd, false)});
  add({"-blockdev", disk(wire::kParcelDisk, kParcelFd, false)});
  add({"-blockdev", disk(wire::kScratchDisk, kScratchFd, true)});
  for (const char* name : {wire::kImageDisk, wire::kParcelDisk, wire::kScratchDisk}) {
    add({"-device", std::string("virtio-blk-pci,drive=") + name + ",serial=" + name});
  }
  add({"-device", "virtio-serial-pci", "-chardev", "file,id=port,path=/dev/stdout"});
  add({"-device", std::string("virtserialport,chardev=port,name=") + wire::kPort});
  return words;
}

Result<Bubble> MicroVm::enclose(const LaunchOrder& order) const {
  if (!order.command.gpus.empty()) {
    return fail(Code::kFailedPrecondition, "a microVM has no GPU; run the task without one");
  }
  Bubble bubble;
  Limits limits{.scratch_bytes = kMonitorTmpBytes};
  if (!world_.options.insecure_tcg_for_tests) {
    struct stat info{};
    if (::stat(kKvm, &info) == 0) bubble.group = info.st_gid;
  }
  Layout layout{.root = world_.place + "/root", .working_directory = world_.place + "/microvm"};
  if (!world_.options.insecure_tcg_for_tests) layout.devices = {kKvm};
  bubble.options = bubblewrap_options(world_.bubblewrap, layout, limits, Command{});
  add_options(bubble.options, {"--remount-ro", "/job"});
  bubble.argv = arguments(order);

  Fd image(::open(order.setup.image.c_str(), O_RDONLY | O_CLOEXEC));
  if (!image) return fail_errno(errno, "opening the environment " + order.setup.image.string());
  Result<Fd> parcel = pack_parcel(order, world_.place + "/filter");
  if (!parcel) return std::unexpected(parcel.error());
  std::uint64_t scratch =
      order.limits.scratch_bytes + order.limits.disk_bytes + size_of_inputs(order.directory.inputs());
  Result<Fd> scratch_disk = make_scratch(world_.state_directory, scratch);
  if (!scratch_disk) return std::unexpected(scratch_disk.error());
  bubble.files.push_back(std::move(image));
  bubble.files.push_back(std::move(*parcel));
  bubble.files.push_back(std::move(*scratch_disk));
  bubble.listener = std::make_unique<MachineListener>(order.directory, order.command.argv[0]);
  return bubble;
}

}  // namespace hearth::sandbox
