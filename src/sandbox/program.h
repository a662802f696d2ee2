// Other programs of this PC: finding one and asking it something.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::sandbox {

// Where guests and, without a PATH of its own, this process look for programs.
constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/games";

// The absolute path of an executable of that name in PATH or, where not everybody looks, in /usr/sbin and /sbin; or the
// name itself if it holds a '/'. Empty if there is none.
std::string find_program(const std::string& name);

// What the program prints on stdout, up to 1 MiB. Blocks until its end. Errors: kFailedPrecondition if it fails, with
// its name; of starting it.
Result<std::string> ask_program(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace hearth::sandbox
