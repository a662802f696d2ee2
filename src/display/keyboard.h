// Keysyms held down or typed, by XTest. What the keyboard's map lacks gets one of its spare keys, which keeps its
// meaning for a moment: a program looks up what a key means only when it comes to read that it was pressed. So a text
// with many such characters takes a while; what is held after it waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include <X11/Xlib.h>

namespace hearth::display {

using Clock = std::chrono::steady_clock;

class Keyboard {
 public:
  explicit Keyboard(Display* display);
  ~Keyboard();  // releases what is held, and takes back what it lent
  Keyboard(const Keyboard&) = delete;
  Keyboard& operator=(const Keyboard&) = delete;

  // Presses and releases what differs from what is held.
  void hold(const std::vector<KeySym>& keys, Clock::time_point now);
  // At most 4,096 characters wait to be typed; what comes beyond is lost.
  void type(std::string_view utf8, Clock::time_point now);
  // With what waits. due(): when there is something to be done again.
  void go_on(Clock::time_point now);
  std::optional<Clock::time_point> due() const { return due_; }
  // Somebody changed the map.
  void read_map();

 private:
  struct Place {
    KeyCode code = 0;
    bool shifted = false;
  };
  struct Spare {
    KeyCode code = 0;
    Clock::time_point used{};
  };
  // One key typed, or what is held from then on.
  struct Deed {
    KeySym typed = 0;
    std::vector<KeySym> held;
  };
  Place find(KeySym key);
  Place lend_spare(KeySym key);
  void hold_now(const std::vector<KeySym>& keys, Clock::time_point now);
  bool shift_is_held() const;
  void press(KeySym key, Clock::time_point now);
  void release(KeySym key);

  Display* display_;
  std::map<KeySym, Place> places_;
  std::vector<Spare> spare_;
  std::size_t next_spare_ = 0;
  std::deque<Deed> waiting_;
  std::optional<Clock::time_point> due_;
  std::vector<std::pair<KeySym, KeyCode>> held_;
};

}  // namespace hearth::display
