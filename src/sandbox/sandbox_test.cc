#include "sandbox/sandbox.h"

#include <gtest/gtest.h>

#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

TEST(Smoke, RunsTrue) {
  TestHost host;
  Ran ran = host.run(
      {"/bin/sh", "-c", "echo hello; echo bad >&2; ls -la / /proc/self/fd /dev; cat /proc/self/status; exit 3"});
  std::cout << ran.out << "\n"
            << ran.err << "\n"
            << ran.exit.message << ran.exit.exit_code << " wall " << ran.exit.wall_micros << " cpu "
            << ran.exit.cpu_micros << " mem " << ran.exit.peak_memory_bytes << "\n";
  for (const Check& check : host->self_test())
    std::cout << check.ok << " " << check.name << ": " << check.detail << " " << check.remedy << "\n";
  std::cout << host->description() << "\n";
  EXPECT_EQ(ran.exit.exit_code, 3);
}

}  // namespace
}  // namespace hearth::sandbox
