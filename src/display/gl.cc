#include "display/gl.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/entries.h"

namespace hearth::display {
namespace {

constexpr int kPatienceMillis = 5'000;  // a driver's first start compiles and maps much
constexpr const char* kGpuLibraries = "/run/gpu/lib";
constexpr std::string_view kPrefix = "libGLX_";
constexpr std::string_view kEnding = ".so.0";

// The few functions of libGL.so.1 (glvnd) that are needed: no program is to need OpenGL because hearth-screen does.
struct Glx {
  XVisualInfo* (*choose_visual)(Display*, int, int*);
  void* (*create_context)(Display*, XVisualInfo*, void*, int);
  int (*make_current)(Display*, Window, void*);
  const unsigned char* (*get_string)(unsigned);
};

bool load(Glx& glx) {
  void* library = ::dlopen("libGL.so.1", RTLD_NOW);
  if (library == nullptr) return false;
  const auto find = [library](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    return function != nullptr;
  };
  return find(glx.choose_visual, "glXChooseVisual") && find(glx.create_context, "glXCreateContext") &&
         find(glx.make_current, "glXMakeCurrent") && find(glx.get_string, "glGetString");
}

// Null: no.
const char* ask_renderer(const char* name) {
  constexpr unsigned kRenderer = 0x1F01;  // GL_RENDERER
  std::array<int, 3> wanted = {4 /*GLX_RGBA*/, 5 /*GLX_DOUBLEBUFFER*/, 0};
  ::XSetErrorHandler([](Display* /*display*/, XErrorEvent* /*event*/) -> int { ::_exit(1); });
  Glx glx{};
  Display* display = load(glx) ? ::XOpenDisplay(name) : nullptr;
  if (display == nullptr) return nullptr;
  XVisualInfo* visual = glx.choose_visual(display, DefaultScreen(display), wanted.data());
  void* context = visual == nullptr ? nullptr : glx.create_context(display, visual, nullptr, 1);
  if (context == nullptr) return nullptr;
  const Window root = DefaultRootWindow(display);
  XSetWindowAttributes attributes{};
  attributes.colormap = ::XCreateColormap(display, root, visual->visual, AllocNone);
  const Window window = ::XCreateWindow(display, root, 0, 0, 16, 16, 0, visual->depth, InputOutput, visual->visual,
                                        CWColormap | CWBorderPixel, &attributes);
  if (glx.make_current(display, window, context) == 0) return nullptr;
  return reinterpret_cast<const char*>(glx.get_string(kRenderer));
}

}  // namespace

std::string glx_vendor_in(const std::filesystem::path& libraries) {
  std::error_code error;
  for (const auto& entry : Entries(libraries, error)) {
    const std::string name = entry.path().filename();
    if (name.size() <= kPrefix.size() + kEnding.size() || !name.starts_with(kPrefix) || !name.ends_with(kEnding))
      continue;
    return name.substr(kPrefix.size(), name.size() - kPrefix.size() - kEnding.size());
  }
  return {};
}

std::optional<std::string> glx_renderer(const std::string& display, const std::string& vendor) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("__GLX_VENDOR_LIBRARY_NAME", vendor.c_str(), 1);
    const char* renderer = ask_renderer(display.c_str());
    if (renderer != nullptr) (void)!::write(pipe[1], renderer, std::strlen(renderer));
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::array<char, 256> text{};
  pollfd told{.fd = pipe[0], .events = POLLIN, .revents = 0};
  const bool answered = child > 0 && ::poll(&told, 1, kPatienceMillis) > 0;
  const ssize_t count = answered ? ::read(pipe[0], text.data(), text.size()) : 0;
  ::close(pipe[0]);
  if (child > 0) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  if (count <= 0) return {};
  return std::string(text.data(), static_cast<std::size_t>(count));
}

bool is_processor(std::string_view renderer) { return renderer.contains("llvmpipe") || renderer.contains("softpipe"); }

void draw_by_gpu(const std::string& display) {
  const std::string vendor = glx_vendor_in(kGpuLibraries);
  if (vendor.empty()) return;
  ::unsetenv("VK_ADD_DRIVER_FILES");
  const std::optional<std::string> renderer = glx_renderer(display, vendor);
  if (renderer && !is_processor(*renderer)) {
    ::setenv("__GLX_VENDOR_LIBRARY_NAME", vendor.c_str(), 1);
  } else {
    std::fprintf(stderr,
                 "hearth-screen: the GPU computes here, but its driver draws no window: 3D is the processor's\n");
  }
}

}  // namespace hearth::display
