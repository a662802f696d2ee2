// Level L3, the microVM: the program runs under a kernel of its own. QEMU is what runs in the fence, with no network
// card and no folder of the host: a read-only image as root, a read-only disk with the inputs, a scratch disk that the
// guest encrypts with a key of its own making, and one serial port through which output and results come back.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "sandbox/bwrap.h"
#include "sandbox/launcher.h"
#include "sandbox/mounts.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

class MicroVm final : public Launcher {
 public:
  struct World {
    Bubblewrap bubblewrap;
    std::string place;                      // see mounts.h
    std::filesystem::path state_directory;  // for scratch disks, which have no name there
    MicroVmOptions options;
  };

  // Puts the kernel and the first files where the fence can show them. What is missing is told by check().
  explicit MicroVm(World world);

  Result<void> check(const Setup& setup) const override;
  std::uint64_t overhead_bytes() const override;
  Setup trial_setup() const override;
  Result<Bubble> enclose(const LaunchOrder& order) const override;

 private:
  // An image with nothing in it: /bin/sh is there and does nothing.
  std::filesystem::path empty_image() const;
  Result<void> install();
  std::vector<std::string> arguments(const LaunchOrder& order) const;

  World world_;
  std::string qemu_;
  Result<void> ready_;
};

}  // namespace hearth::sandbox
