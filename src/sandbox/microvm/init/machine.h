// Makes a bare kernel into a machine for one program: modules, disks, encrypted scratch, the root that the program
// sees. Runs as process 1; whatever fails is said on the console and ends the machine.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::sandbox::init {

constexpr const char* kRoot = "/new";     // what the program sees as /
constexpr const char* kJob = "/new/job";  // its working directory
constexpr unsigned kGuest = 65534;

// /proc, /sys and /dev of process 1 itself, then the modules of /modules/order.
Result<void> start_devices();

// The device node of the disk or port that the monitor gave this name; waits up to 30 s for it.
Result<std::string> find_disk(const std::string& name);
Result<std::string> find_port(const std::string& name);

// Makes the disk the machine's swap space, encrypted with a key that exists in the kernel's memory only. So all of the
// program's files live in memory, and what does not fit goes to the disk unreadable.
Result<void> encrypt_as_swap(const std::string& disk);

// Fills kRoot from the image's top directories, with /proc, /dev, /tmp and /job of its own. An image that holds no
// squashfs gives a root with an idle /bin/sh, for trials.
Result<void> build_root(const std::string& image, std::uint64_t scratch_bytes);

// Makes the file one that nobody can change, replace or remove.
Result<void> seal(const std::string& path);

// Memory that processes have taken, wherever it lies: the program's, its shared memory without a file's name, and a few
// megabytes of this program's own. The program's files are not in it: those may fill the scratch disk.
std::uint64_t memory_of_processes();

// Whether the kernel has ended a process for want of memory.
bool ran_out_of_memory();

[[noreturn]] void power_off();

}  // namespace hearth::sandbox::init
