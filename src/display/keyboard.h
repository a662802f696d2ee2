// Keysyms held down or typed, by XTest. What the keyboard's map lacks gets one of its spare keys.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include <X11/Xlib.h>

namespace hearth::display {

class Keyboard {
 public:
  explicit Keyboard(Display* display);

  // Presses and releases what differs from what is held.
  void hold(const std::vector<KeySym>& keys);
  void type(std::string_view utf8);
  // Somebody changed the map.
  void read_map();

 private:
  struct Place {
    KeyCode code = 0;
    bool shifted = false;
  };
  Place find(KeySym key);
  Place lend_spare(KeySym key);
  bool shift_is_held() const;
  void press(KeySym key);
  void release(KeySym key);

  Display* display_;
  std::map<KeySym, Place> places_;
  std::vector<KeyCode> spare_;
  std::size_t next_spare_ = 0;
  std::vector<std::pair<KeySym, KeyCode>> held_;
};

}  // namespace hearth::display
