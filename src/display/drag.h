// Files dropped onto a window of the app, as another program would do it: the source's side of XDND 3 to 5
// (freedesktop.org), for files that lie in the app's folder. One drop at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "display/answers.h"
#include "display/connection.h"

namespace hearth::display {

// "file:///job/a%20b.txt".
std::string address_of(const std::string& path);

class Drag {
 public:
  // Errors: kUnavailable (no X server answers).
  static Result<std::unique_ptr<Drag>> open();
  Drag(const Drag&) = delete;
  Drag& operator=(const Drag&) = delete;

  int file() const { return ConnectionNumber(display_.get()); }  // readable when something has happened
  void look(Clock::time_point now);
  // When to look() although nothing has happened.
  std::optional<Clock::time_point> due() const;

  bool busy() const { return step_ != Step::kNone || taken_.has_value(); }
  // Drops the files at `paths`, which are absolute, onto the window at a point of the display. Only if not busy().
  void drop(const std::vector<std::string>& paths, int x, int y, Clock::time_point now);
  // Once: whether the window took them. None does that lies not there, takes no drops or does not answer in time.
  std::optional<bool> take_outcome() { return std::exchange(taken_, std::nullopt); }

 private:
  enum class Step { kNone, kAsking, kRefused, kDropped };
  // Whom messages go to may be another window than the one that they speak of (XdndProxy).
  struct Target {
    Window window = 0;
    Window listener = 0;
    long version = 0;
  };
  explicit Drag(Connection display);
  std::optional<Target> target_at(int x, int y) const;
  std::optional<Target> target_in(Window window) const;
  std::optional<long> property(Window window, Atom name, Atom type) const;
  void take(const XEvent& event, Clock::time_point now);
  void on_message(const XClientMessageEvent& event, Clock::time_point now);
  void on_status(bool accepts, Clock::time_point now);
  void tell(Atom kind, long first, long second, long third, long fourth);
  void point(Clock::time_point now);
  void end(bool taken);
  void expire(Clock::time_point now);

  Connection display_;
  Window window_ = 0;
  Atom aware_, proxy_, enter_, position_, status_, leave_, drop_, finished_, selection_, copy_, list_;
  Answers answers_;
  Answers::Offer offer_;
  Step step_ = Step::kNone;
  Target target_;
  int x_ = 0;
  int y_ = 0;
  int tries_ = 0;
  bool asked_for_ = false;
  Clock::time_point until_{};
  std::optional<bool> taken_;
};

}  // namespace hearth::display
