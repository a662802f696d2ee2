// The windows of an app: what it opens fills the part of the display that is watched; dialogs and windows of a fixed
// size stand in its middle. Who was opened or touched last has the keyboard.
#pragma once

#include <vector>

#include <X11/Xlib.h>

#include "display/planes.h"

namespace hearth::display {

class Windows {
 public:
  Windows(Display* display, Size size);

  void watch(Size size);
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
  void place(const Managed& one);
  void forget(Window window);
  void configure(const XConfigureRequestEvent& wish);
  void focus(Window window);
  bool fills_the_screen(Window window) const;

  Display* display_;
  Size size_;
  std::vector<Managed> managed_;  // the one in front last
};

}  // namespace hearth::display
