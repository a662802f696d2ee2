// The display of one app, as its only window manager sees it: windows fill the part that is watched, what is there is
// read, pointer and keyboard are moved. Or somebody's desktop, which is seen and used as it is. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "display/planes.h"
#include "hearth/v1/screen.pb.h"

namespace hearth::display {

using Clock = std::chrono::steady_clock;

class Screen {
 public:
  // Errors: kUnavailable (no X server answers at DISPLAY), kFailedPrecondition (it lacks an extension).
  static Result<std::unique_ptr<Screen>> open(Size size);
  // The desktop that somebody sits at, as it is: its windows are its own window manager's, its size its own. Errors:
  // also kFailedPrecondition (its pixels are of another kind, or too many).
  static Result<std::unique_ptr<Screen>> attach();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  int file() const;  // readable when something has happened

  // Takes in what has happened. What is told afterwards is as of then.
  void look(Clock::time_point now);
  // Until look() although nothing has happened; a long time, if there is nothing to be done.
  Clock::duration until_due(Clock::time_point now) const;
  bool changed() const;                     // since the last capture()
  std::optional<v1::Cursor> take_cursor();  // if it has changed
  v1::Cursor cursor() const;

  // Which part is watched, from the top left corner; windows are made to fill it, and it is larger than is wished where
  // one cannot be so small. Nothing, of a desktop.
  void watch(Size wished);
  Size size() const;
  // Whether what is watched has another size than before: a window has come or gone, or the owner of a desktop has
  // turned a screen or taken one away. Errors: kFailedPrecondition (a desktop has too many pixels now).
  Result<bool> follow_size();

  struct Pixels {
    const std::uint8_t* bgrx = nullptr;
    std::size_t stride = 0;
  };
  // Until the next call. Errors: kUnavailable.
  Result<Pixels> capture();

  void move_pointer(int x, int y);
  // From where it is; it stays within the part that is watched.
  void push_pointer(int right, int down);
  void hold_buttons(std::uint32_t buttons);  // bits: 1 left, 2 middle, 4 right
  void turn_wheel(int right, int down);
  void hold_keys(const std::vector<std::uint32_t>& keysyms, Clock::time_point now);
  // May go on during later calls of look().
  void type(std::string_view utf8, Clock::time_point now);

 private:
  struct State;
  explicit Screen(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::display
