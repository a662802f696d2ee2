// OpenGL by the GPU that was lent to a task, in the display of its own. NVIDIA's driver draws windows of Xvfb by GLX
// (seen with 580.159: it makes the picture on the GPU and puts it into the window like any program does); by Vulkan or
// EGL it does not, so that these are Mesa's there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::display {

// "nvidia", for libGLX_nvidia.so.0 in the folder: what glvnd calls a vendor. Empty: there is none.
std::string glx_vendor_in(const std::filesystem::path& libraries);

// What draws a window of the display by this vendor's GLX, "NVIDIA H200/PCIe/SSE2"; nothing, where none can be drawn.
// Tried in a process of its own, for some seconds at most: drivers have been seen to end the program that asks.
// glvnd takes Mesa's where it does not find the vendor's.
std::optional<std::string> glx_renderer(const std::string& display, const std::string& vendor);

// Whether that is a program instead of a GPU: Mesa's llvmpipe or softpipe.
bool is_processor(std::string_view renderer);

// Lets the programs that this one starts be drawn so, where a GPU was lent and that works; says so where it does not.
void draw_by_gpu(const std::string& display);

}  // namespace hearth::display
