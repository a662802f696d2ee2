// What is asked of descriptors, and small files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::sandbox {

struct Pipe {
  Fd read_end;
  Fd write_end;
};
Result<Pipe> make_pipe(int flags);

// Whether the process of a pidfd has.
bool has_ended(const Fd& process);

// At most `limit` bytes from the start; empty if it cannot be read. For files of /proc and /sys.
std::string read_text(const std::string& path, std::size_t limit = 1 << 20);

// One write() to a file that exists. Errors: of open and write.
Result<void> write_text(const std::string& path, std::string_view text);

// A new file for everybody to read, of which nobody is the writer. Errors: of open and write.
Result<void> make_file(const std::string& path, std::string_view content, unsigned mode = 0444);

// A file without a name, in memory, to be read from its start. Errors: of the kernel.
Result<Fd> memory_file(std::string_view content);

// openat2: a descriptor of something beneath `directory`, reached through no link of any kind. -1 and errno.
int open_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);

// The same, by symbolic links too, as long as each leads to something beneath `directory`, of the same file system.
int open_beneath_by_links(int directory, const std::string& path, int flags);

}  // namespace hearth::sandbox
