// The windows of an app: what it opens fills the part of the display that is watched; dialogs and windows of a fixed
// size stand in its middle. Who was opened or touched last has the keyboard. More is watched than was wished where a
// window cannot be so small: whoever watches sees it whole, and smaller.
#pragma once

#include <vector>

#include <X11/Xlib.h>

#include "display/planes.h"

namespace hearth::display {

// The least size with the proportions of `wished`, and no smaller, that has room for `needed`; its sides are even and
// at most screen::kMostSide.
Size with_room_for(Size wished, Size needed);

class Windows {
 public:
  Windows(Display* display, Size wished);

  void watch(Size wished);
  // What is watched.
  Size size() const { return size_; }
  // Of the root window's.
  void take(const XEvent& event);
  // The pointer has been pressed there.
  void touch(int x, int y);

 private:
  struct Managed {
    Window window = 0;
    bool fills = false;
  };
  void manage(Window window);
  void fit();
  Size least_size(const Managed& one) const;
  void place(const Managed& one);
  void forget(Window window);
  void configure(const XConfigureRequestEvent& wish);
  void focus(Window window);
  bool fills_the_screen(Window window) const;

  Display* display_;
  Size wished_;
  Size size_;
  std::vector<Managed> managed_;  // the one in front last
};

}  // namespace hearth::display
