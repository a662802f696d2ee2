// Since when nobody touched anything at an X display, by its screen saver extension. Speaks xcb, which leaves the
// program alone when the X server dies.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace hearth::presence {

class Display {
 public:
  // ":0", and the file with its cookies (may be empty: none). Errors: kUnavailable (nobody listens, the cookie is
  // refused, it has no such extension), kNotFound (nobody listens at its socket: the display is gone), kUnimplemented
  // (it is XWayland, which sees only part of the input).
  static Result<std::unique_ptr<Display>> open(const std::string& name, const std::string& authority);
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  // Errors: kUnavailable (the server is gone).
  Result<Duration> idle();

 private:
  struct State;
  explicit Display(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The cookie (MIT-MAGIC-COOKIE-1) for display number `display` in the bytes of an Xauthority file; empty if there is
// none or the bytes are no such file.
std::string find_cookie(const std::string& authority_bytes, const std::string& display_number);

}  // namespace hearth::presence
