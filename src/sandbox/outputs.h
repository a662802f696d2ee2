// What a finished program left in its working directory, read as what it is: a stranger's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// How an input looked when the program started.
struct InputState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
};
using Inputs = std::map<std::string, InputState>;

InputState state_of(const struct stat& info);

// See Sandbox::collect(). `directory` is an open descriptor of the working directory.
Result<std::vector<Output>> collect_outputs(int directory, const std::vector<std::string>& patterns,
                                            const CollectLimits& limits, const Inputs& inputs);

// See Sandbox::open_output().
Result<int> open_output_beneath(int directory, std::string_view path);

}  // namespace hearth::sandbox
