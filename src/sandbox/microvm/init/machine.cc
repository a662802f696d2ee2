#include "sandbox/microvm/init/machine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/entries.h"
#include "sandbox/fd.h"

namespace hearth::sandbox::init {
namespace {

constexpr int kPatienceMillis = 30'000;
constexpr const char* kMapped = "/dev/dm-0";
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kSectorBytes = 512;
constexpr std::size_t kKeyBytes = 64;  // AES-256 in XTS mode

Result<void> mount_on(const std::string& where, const char* type, const std::string& options, unsigned long flags = 0) {
  if (::mkdir(where.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(errno, "making " + where);
  if (::mount(type, where.c_str(), type, flags, options.c_str()) != 0) return fail_errno(errno, "mounting " + where);
  return {};
}

// What the processor at hand does not support fails, and is not missed.
void load_module(const std::string& name) {
  Fd file(::open(("/modules/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (file) ::syscall(SYS_finit_module, file.get(), "", 0);
}

// The entry of a directory of /sys whose file `key` says `value`.
Result<std::string> find_by(const std::string& directory, const char* key, const std::string& value) {
  for (int waited = 0; waited < kPatienceMillis; waited += 10) {
    std::error_code error;
    for (const auto& entry : Entries(directory, error)) {
      std::string text = read_text(entry.path() / key, 64);
      while (text.ends_with('\n')) text.pop_back();
      std::string node = "/dev/" + entry.path().filename().string();
      if (text == value && ::access(node.c_str(), F_OK) == 0) return node;
    }
    timespec span{.tv_sec = 0, .tv_nsec = 10'000'000};
    ::nanosleep(&span, nullptr);
  }
  return fail(Code::kNotFound, "the machine has no " + value);
}

// One command of the device mapper on the one device that there is.
struct MapperCommand {
  dm_ioctl head{};
  dm_target_spec target{};
  std::array<char, 512> parameters{};
};

Result<void> map(int control, unsigned long command, MapperCommand& order) {
  order.head.version[0] = 4;
  order.head.data_size = sizeof order;
  order.head.data_start = offsetof(MapperCommand, target);
  std::strcpy(order.head.name, "scratch");
  if (::ioctl(control, command, &order) != 0) return fail_errno(errno, "encrypting the scratch disk");
  return {};
}

Result<std::string> make_key() {
  std::array<unsigned char, kKeyBytes> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno(errno, "making a key");
  }
  std::string text;
  for (unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  ::explicit_bzero(bytes.data(), bytes.size());
  return text;
}

// The disk as /dev/dm-0, encrypted.
Result<void> map_encrypted(const std::string& disk, std::uint64_t sectors) {
  Fd control(::open("/dev/mapper/control", O_RDWR | O_CLOEXEC));
  if (!control) return fail_errno(errno, "opening the device mapper");
  MapperCommand create;
  if (Result<void> done = map(control.get(), DM_DEV_CREATE, create); !done) return done;
  Result<std::string> key = make_key();
  if (!key) return std::unexpected(key.error());
  MapperCommand table;
  table.head.target_count = 1;
  table.target.length = sectors;
  std::strcpy(table.target.target_type, "crypt");
  std::snprintf(table.parameters.data(), table.parameters.size(), "aes-xts-plain64 %s 0 %s 0", key->c_str(),
                disk.c_str());
  ::explicit_bzero(key->data(), key->size());
  Result<void> done = map(control.get(), DM_TABLE_LOAD, table);
  ::explicit_bzero(table.parameters.data(), table.parameters.size());
  if (!done) return done;
  MapperCommand resume;
  return map(control.get(), DM_DEV_SUSPEND, resume);
}

// The first page of a swap space: version 1, the number of its last page, its mark at the end.
Result<void> write_swap_header(int device, std::uint64_t pages) {
  std::array<char, kPageBytes> page{};
  auto put = [&page](std::size_t at, std::uint32_t number) { std::memcpy(&page[at], &number, sizeof number); };
  put(1024, 1);
  put(1028, static_cast<std::uint32_t>(pages - 1));
  constexpr std::string_view kMark = "SWAPSPACE2";
  std::memcpy(&page[kPageBytes - kMark.size()], kMark.data(), kMark.size());
  if (::pwrite(device, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size())) {
    return fail_errno(errno, "preparing the scratch disk");
  }
  return {};
}

Result<void> make_dev(const std::string& dev, const std::string& scratch) {
  struct Node {
    const char* name;
    unsigned minor;
  };
  constexpr std::array kNodes = {Node{"null", 3}, Node{"zero", 5}, Node{"full", 7}, Node{"random", 8},
                                 Node{"urandom", 9}};
  Result<void> done = mount_on(dev, "tmpfs", "size=64k,mode=755");
  for (const Node& node : kNodes) {
    std::string path = dev + "/" + node.name;
    if (done &&
        (::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, node.minor)) != 0 || ::chmod(path.c_str(), 0666) != 0)) {
      done = fail_errno(errno, "making " + path);
    }
  }
  std::error_code error;
  std::filesystem::create_symlink("/proc/self/fd", dev + "/fd", error);
  std::filesystem::create_symlink("/proc/self/fd/0", dev + "/stdin", error);
  std::filesystem::create_symlink("/proc/self/fd/1", dev + "/stdout", error);
  std::filesystem::create_symlink("/proc/self/fd/2", dev + "/stderr", error);
  if (done) done = mount_on(dev + "/shm", "tmpfs", scratch + ",mode=1777", MS_NOSUID | MS_NODEV);
  return done;
}

// The image's top directories, and its links; what the machine has of its own is left out.
Result<void> show_image() {
  std::error_code error;
  for (const auto& entry : Entries("/image", error)) {
    std::filesystem::path to = std::filesystem::path(kRoot) / entry.path().filename();
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::symlink_status(to, ignored))) continue;
    if (entry.is_symlink()) {
      std::filesystem::copy_symlink(entry.path(), to, ignored);
    } else if (entry.is_directory()) {
      std::filesystem::create_directory(to, ignored);
      if (::mount(entry.path().c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0) {
        return fail_errno(errno, "showing " + to.string());
      }
    }
  }
  return {};
}

// Process 1's own program does nothing when it is not process 1.
Result<void> make_idle_shell() {
  std::error_code error;
  std::filesystem::create_directory(std::string(kRoot) + "/bin", error);
  std::filesystem::copy_file("/init", std::string(kRoot) + "/bin/sh", error);
  if (error) return fail_errno(error.value(), "making the trial's program");
  return {};
}

void raise_loopback() {
  Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (any) ::ioctl(any.get(), SIOCSIFFLAGS, &request);
}

}  // namespace

Result<void> start_devices() {
  Result<void> done = mount_on("/proc", "proc", "");
  if (done) done = mount_on("/sys", "sysfs", "");
  if (done) done = mount_on("/dev", "devtmpfs", "");
  if (!done) return done;
  int console = ::open("/dev/console", O_RDWR);
  for (int fd = 0; console >= 0 && fd < 3; ++fd) ::dup2(console, fd);
  std::istringstream order(read_text("/modules/order"));
  for (std::string name; std::getline(order, name);) load_module(name);
  raise_loopback();
  ::sethostname("job", 3);
  return {};
}

Result<std::string> find_disk(const std::string& name) { return find_by("/sys/block", "serial", name); }

Result<std::string> find_port(const std::string& name) { return find_by("/sys/class/virtio-ports", "name", name); }

Result<void> encrypt_as_swap(const std::string& disk) {
  std::string block = "/sys/block/" + disk.substr(disk.rfind('/') + 1);
  std::uint64_t sectors = std::strtoull(read_text(block + "/size").c_str(), nullptr, 10);
  std::uint64_t pages = sectors * kSectorBytes / kPageBytes;
  constexpr std::uint64_t kFewestPages = 16;
  if (pages < kFewestPages) return {};
  if (Result<void> done = map_encrypted(disk, sectors); !done) return done;
  for (int waited = 0; ::access(kMapped, F_OK) != 0 && waited < 1000; ++waited) ::usleep(1000);
  Fd device(::open(kMapped, O_RDWR | O_CLOEXEC));
  if (!device) return fail_errno(errno, "opening the scratch disk");
  if (Result<void> done = write_swap_header(device.get(), pages); !done) return done;
  device.reset();
  if (::swapon(kMapped, 0) != 0) return fail_errno(errno, "using the scratch disk");
  return {};
}

Result<void> build_root(const std::string& image, std::uint64_t scratch_bytes) {
  std::string scratch = "size=" + std::to_string(scratch_bytes);
  std::string root = kRoot;
  Result<void> done = mount_on(root, "tmpfs", "size=8m,mode=755");
  if (done) done = mount_on(root + "/proc", "proc", "hidepid=invisible", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if (done) done = make_dev(root + "/dev", scratch);
  if (done) done = mount_on(root + "/tmp", "tmpfs", scratch + ",mode=1777", MS_NOSUID | MS_NODEV);
  if (done) done = mount_on(root + "/job", "tmpfs", scratch + ",mode=700,uid=65534,gid=65534", MS_NOSUID | MS_NODEV);
  if (!done) return done;
  ::mkdir("/image", 0755);
  bool is_image = ::mount(image.c_str(), "/image", "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID, nullptr) == 0;
  done = is_image ? show_image() : make_idle_shell();
  if (done && ::mount(nullptr, kRoot, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    return fail_errno(errno, "closing the root");
  }
  return done;
}

Result<void> seal(const std::string& path) {
  constexpr unsigned long kFlags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
  if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
      ::mount(nullptr, path.c_str(), nullptr, kFlags, nullptr) != 0) {
    return fail_errno(errno, "showing " + path);
  }
  return {};
}

std::uint64_t memory_of_processes() {
  const std::string info = read_text("/proc/meminfo");
  const auto bytes = [&info](const std::string& key) {
    std::size_t at = info.find("\n" + key + ":");
    return at == std::string::npos ? 0 : std::strtoull(info.c_str() + at + key.size() + 2, nullptr, 10) * 1024;
  };
  // What was read back from the disk has its place there still, and is counted as memory already.
  std::uint64_t taken = bytes("AnonPages") + bytes("Shmem") + bytes("SwapTotal");
  std::uint64_t not_theirs = bytes("SwapFree") + bytes("SwapCached");
  for (const char* place : {"/job", "/tmp", "/dev/shm"}) {
    struct statvfs files{};
    if (::statvfs((std::string(kRoot) + place).c_str(), &files) == 0) {
      not_theirs += (files.f_blocks - files.f_bfree) * files.f_frsize;
    }
  }
  return taken - std::min(taken, not_theirs);
}

bool ran_out_of_memory() {
  std::string text = read_text("/proc/vmstat");
  constexpr std::string_view kKey = "\noom_kill ";
  std::size_t at = text.find(kKey);
  return at != std::string::npos && std::strtoull(text.c_str() + at + kKey.size(), nullptr, 10) > 0;
}

void power_off() {
  ::reboot(RB_AUTOBOOT);  // the monitor ends with it
  for (;;) ::pause();
}

}  // namespace hearth::sandbox::init
