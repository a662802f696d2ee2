#include "node/status.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace hearth::node {
namespace {

TEST(Status, IsWrittenWhole) {
  std::filesystem::path file = std::filesystem::temp_directory_path() / ("hearth-status-" + std::to_string(::getpid()));
  Status status{.connected = true, .hub = "a:1", .running = 2, .held = 3, .closed_reason = "open again at 22:00"};
  ASSERT_TRUE(write_status(file, status));
  status.drained = true;
  ASSERT_TRUE(write_status(file, status));
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_EQ(text.str(), format_status(status));
  EXPECT_NE(text.str().find("\"drained\": true"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".new"));
  std::filesystem::remove(file);
}

TEST(Status, SaysThatTheDiskRefuses) { EXPECT_FALSE(write_status("/proc/no-such-place/status.json", {})); }

}  // namespace
}  // namespace hearth::node
