// Without a GPU: Mesa's GLX stands for a vendor's.
#include "display/gl.h"

#include <fstream>

#include <gtest/gtest.h>

#include "display/test_display.h"

namespace hearth::display {
namespace {

TEST(GlxVendor, IsNamedByItsLibrary) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "hearth-gl-test";
  std::filesystem::create_directories(folder);
  EXPECT_EQ(glx_vendor_in(folder), "");
  EXPECT_EQ(glx_vendor_in(folder / "none"), "");
  for (const char* name : {"libGLX_.so.0", "libGLX_nvidia.so", "libGLX.so.0", "libEGL_nvidia.so.0"}) {
    std::ofstream(folder / name).put('x');
  }
  EXPECT_EQ(glx_vendor_in(folder), "");
  std::ofstream(folder / "libGLX_nvidia.so.0").put('x');
  EXPECT_EQ(glx_vendor_in(folder), "nvidia");
  std::filesystem::remove_all(folder);
}

TEST(GlxRenderer, IsAskedOfTheVendor) {
  TestServer server;
  if (!server.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
  const std::optional<std::string> renderer = glx_renderer(std::getenv("DISPLAY"), "mesa");
  ASSERT_TRUE(renderer);
  EXPECT_TRUE(is_processor(*renderer)) << *renderer;
  EXPECT_FALSE(is_processor("NVIDIA H200/PCIe/SSE2"));
  EXPECT_TRUE(is_processor(glx_renderer(std::getenv("DISPLAY"), "nobody").value_or("llvmpipe")));
  EXPECT_FALSE(glx_renderer(":none", "mesa"));
}

}  // namespace
}  // namespace hearth::display
