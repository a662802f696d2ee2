// Before X11, whose macros have names of its own.
#include "screen/frames.h"

#include "display/windows.h"

#include <algorithm>

#include <X11/Xatom.h>
#include <X11/Xutil.h>

namespace hearth::display {
namespace {

// Whether `window` says that it is a dialog or the like.
bool says_it_is_small(Display* display, Window window) {
  const Atom kind = ::XInternAtom(display, "_NET_WM_WINDOW_TYPE", False);
  const Atom normal = ::XInternAtom(display, "_NET_WM_WINDOW_TYPE_NORMAL", False);
  Atom type = 0;
  int format = 0;
  unsigned long count = 0;
  unsigned long rest = 0;
  unsigned char* data = nullptr;
  if (::XGetWindowProperty(display, window, kind, 0, 1, False, XA_ATOM, &type, &format, &count, &rest, &data) !=
          Success ||
      data == nullptr) {
    return false;
  }
  const bool small = count > 0 && format == 32 && *reinterpret_cast<Atom*>(data) != normal;
  ::XFree(data);
  return small;
}

std::uint32_t even_side(std::uint64_t side) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(side + side % 2, screen::kMostSide));
}

}  // namespace

Size with_room_for(Size wished, Size needed) {
  const std::uint64_t width = wished.width;
  const std::uint64_t height = wished.height;
  const std::uint64_t wide = std::max<std::uint64_t>(width, needed.width);
  const std::uint64_t high = std::max<std::uint64_t>(height, needed.height);
  // Grown by the larger of both ratios.
  if (wide * height >= high * width) return {even_side(wide), even_side((height * wide + width - 1) / width)};
  return {even_side((width * high + height - 1) / height), even_side(high)};
}

Windows::Windows(Display* display, Size wished) : display_(display), wished_(wished), size_(wished) {
  ::XSelectInput(display_, DefaultRootWindow(display_), SubstructureRedirectMask | SubstructureNotifyMask);
  Window root = 0;
  Window parent = 0;
  Window* children = nullptr;
  unsigned int count = 0;
  // Those from before, if this program has begun anew.
  if (::XQueryTree(display_, DefaultRootWindow(display_), &root, &parent, &children, &count) == 0) return;
  for (unsigned int i = 0; i < count; ++i) {
    XWindowAttributes attributes{};
    const bool known = ::XGetWindowAttributes(display_, children[i], &attributes) != 0;
    if (known && attributes.override_redirect == False && attributes.map_state == IsViewable) manage(children[i]);
  }
  if (children != nullptr) ::XFree(children);
}

bool Windows::fills_the_screen(Window window) const {
  Window owner = 0;
  if (::XGetTransientForHint(display_, window, &owner) != 0 && owner != 0) return false;
  XSizeHints hints{};
  long given = 0;
  const bool hinted = ::XGetWMNormalHints(display_, window, &hints, &given) != 0;
  const bool fixed = hinted && (hints.flags & PMinSize) != 0 && (hints.flags & PMaxSize) != 0 &&
                     hints.min_width == hints.max_width && hints.min_height == hints.max_height;
  return !fixed && !says_it_is_small(display_, window);
}

void Windows::place(const Managed& one) {
  const int width = static_cast<int>(size_.width);
  const int height = static_cast<int>(size_.height);
  if (one.fills) {
    ::XSetWindowBorderWidth(display_, one.window, 0);
    ::XMoveResizeWindow(display_, one.window, 0, 0, size_.width, size_.height);
    return;
  }
  XWindowAttributes now{};
  if (::XGetWindowAttributes(display_, one.window, &now) == 0) return;
  ::XMoveWindow(display_, one.window, std::max(0, (width - now.width) / 2), std::max(0, (height - now.height) / 2));
}

// Of one that fills: as small as it says that it can be.
Size Windows::least_size(const Managed& one) const {
  XWindowAttributes now{};
  if (!one.fills && ::XGetWindowAttributes(display_, one.window, &now) != 0) {
    return {static_cast<std::uint32_t>(now.width), static_cast<std::uint32_t>(now.height)};
  }
  XSizeHints hints{};
  long given = 0;
  const bool hinted = one.fills && ::XGetWMNormalHints(display_, one.window, &hints, &given) != 0;
  if (!hinted || (hints.flags & PMinSize) == 0) return {};
  return {static_cast<std::uint32_t>(std::max(0, hints.min_width)),
          static_cast<std::uint32_t>(std::max(0, hints.min_height))};
}

// Makes room for the windows there are, or takes back what none needs.
void Windows::fit() {
  Size needed;
  for (const Managed& one : managed_) {
    const Size least = least_size(one);
    needed = {std::max(needed.width, least.width), std::max(needed.height, least.height)};
  }
  const Size size = with_room_for(wished_, needed);
  if (size == size_) return;
  size_ = size;
  for (const Managed& one : managed_) place(one);
}

void Windows::manage(Window window) {
  forget(window);
  managed_.push_back({window, fills_the_screen(window)});
  fit();
  place(managed_.back());
  ::XMapRaised(display_, window);
  focus(window);
}

void Windows::focus(Window window) { ::XSetInputFocus(display_, window, RevertToPointerRoot, CurrentTime); }

void Windows::forget(Window window) {
  const bool had = std::erase_if(managed_, [&](const Managed& one) { return one.window == window; }) > 0;
  if (had && !managed_.empty()) focus(managed_.back().window);
  if (had) fit();
}

void Windows::configure(const XConfigureRequestEvent& wish) {
  const auto found = std::ranges::find(managed_, wish.window, &Managed::window);
  if (found != managed_.end() && found->fills) {
    place(*found);
    return;
  }
  XWindowChanges changes{.x = std::max(0, wish.x),
                         .y = std::max(0, wish.y),
                         .width = wish.width,
                         .height = wish.height,
                         .border_width = wish.border_width,
                         .sibling = wish.above,
                         .stack_mode = wish.detail};
  ::XConfigureWindow(display_, wish.window, static_cast<unsigned>(wish.value_mask), &changes);
  if (found != managed_.end()) fit();
}

void Windows::take(const XEvent& event) {
  switch (event.type) {
    case MapRequest:
      manage(event.xmaprequest.window);
      break;
    case UnmapNotify:
      forget(event.xunmap.window);
      break;
    case DestroyNotify:
      forget(event.xdestroywindow.window);
      break;
    case ConfigureRequest:
      configure(event.xconfigurerequest);
      break;
    default:
      break;
  }
}

void Windows::watch(Size wished) {
  wished_ = wished;
  fit();
}

void Windows::touch(int x, int y) {
  Window child = 0;
  int ignored = 0;
  const Window root = DefaultRootWindow(display_);
  if (::XTranslateCoordinates(display_, root, root, x, y, &ignored, &ignored, &child) == 0) return;
  const auto found = std::ranges::find(managed_, child, &Managed::window);
  if (found == managed_.end() || found == managed_.end() - 1) return;
  std::rotate(found, found + 1, managed_.end());
  ::XRaiseWindow(display_, child);
  focus(child);
}

}  // namespace hearth::display
