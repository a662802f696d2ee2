#include "drive/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include "base/fd.h"

namespace hearth::drive {
namespace {

// Memory is a file system of its own, to which and from which the kernel copies nothing.
TEST(Files, AreCopiedFromAnotherFileSystemToo) {
  const Fd from(::memfd_create("from", MFD_CLOEXEC));
  const Fd to(::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(from && to);
  std::string bytes(200'000, 'x');
  for (std::size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>(i);
  ASSERT_EQ(::write(from.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const Result<void> copied = append_bytes(from.get(), to.get(), "a file");
  ASSERT_TRUE(copied) << copied.error().message;
  std::string there(bytes.size() + 1, '\0');
  EXPECT_EQ(::pread(to.get(), there.data(), there.size(), 0), static_cast<ssize_t>(bytes.size()));
  there.pop_back();
  EXPECT_EQ(there, bytes);
  EXPECT_EQ(copy_some(from.get(), bytes.size(), to.get(), 10).value_or(1), 0U) << "at the end";
}

}  // namespace
}  // namespace hearth::drive
