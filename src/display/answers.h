// What the owner of a selection gives to those who ask for it (ICCCM 2): the kinds that there are, and the bytes of
// each; long ones piece by piece (INCR). Used for what is pasted and for what is dropped.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <X11/Xlib.h>

namespace hearth::display {

using Clock = std::chrono::steady_clock;

class Answers {
 public:
  struct Value {
    Atom type = 0;
    std::shared_ptr<const std::string> bytes;
  };
  struct Offer {
    ::Time since = 0;              // the server's time from which on the selection is ours
    std::map<Atom, Value> values;  // by what it is asked for as
  };

  explicit Answers(Display* display);

  // At most 16 long answers are on their way at once, each for 10 s at most without a step; a further one is refused.
  void give(const XSelectionRequestEvent& request, const Offer& offer, Clock::time_point now);
  // Of a window that takes a long answer.
  void take(const XPropertyEvent& event, Clock::time_point now);
  void expire(Clock::time_point now);
  std::optional<Clock::time_point> due() const;

 private:
  struct Transfer {
    Window window;
    Atom property;
    Value value;
    std::size_t at;
    Clock::time_point until;
  };
  bool put(Window window, Atom target, Atom property, const Offer& offer, Clock::time_point now);
  bool put_many(Window window, Atom property, const Offer& offer, Clock::time_point now);
  bool begin_long(Window window, Atom property, const Value& value, Clock::time_point now);

  Display* display_;
  Atom targets_;
  Atom timestamp_;
  Atom multiple_;
  Atom pair_;
  Atom incr_;
  std::vector<Transfer> transfers_;
};

}  // namespace hearth::display
