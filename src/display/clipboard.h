// The app's clipboard (the selection CLIPBOARD, as text): what is copied in the app is told, and what a viewer sends is
// what the app pastes. Nothing here waits for a program: one that does not answer is forgotten.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "display/answers.h"
#include "display/connection.h"

namespace hearth::display {

class Clipboard {
 public:
  // Errors: kUnavailable (no X server answers), kFailedPrecondition (it lacks XFIXES).
  static Result<std::unique_ptr<Clipboard>> open();
  Clipboard(const Clipboard&) = delete;
  Clipboard& operator=(const Clipboard&) = delete;

  int file() const { return ConnectionNumber(display_.get()); }  // readable when something has happened
  void look(Clock::time_point now);
  // When to look() although nothing has happened.
  std::optional<Clock::time_point> due() const;

  struct Copied {
    std::string text;     // UTF-8, at most 1 MiB
    std::string problem;  // in its place: why it does not come
  };
  // The newest that was copied in the app, once. Fetched five times a second at most.
  std::optional<Copied> take_copied();

  // `text`, UTF-8, becomes what CLIPBOARD and PRIMARY hold, before any input that is given to the app later.
  void offer(std::string text);

 private:
  // One that was asked for what it has. Its window goes when it is over, so an answer that comes too late finds nobody.
  struct Fetch {
    Window window = 0;
    ::Time time = 0;
    bool as_latin = false;  // it has no UTF8_STRING
    bool by_pieces = false;
    std::string bytes;
    Clock::time_point until;
  };
  explicit Clipboard(Connection display);
  Result<void> begin();
  void take(const XEvent& event, Clock::time_point now);
  void on_owner(const XEvent& event, Clock::time_point now);
  void begin_fetch(Clock::time_point now);
  void ask();
  void on_answer(const XSelectionEvent& event);
  void on_piece(const XPropertyEvent& event);
  void read_whole();
  void finish(bool complete);
  void drop_fetch();
  void refuse(std::string problem);

  Connection display_;
  int fixes_event_ = 0;
  Window window_ = 0;
  Atom clipboard_;
  Atom utf8_;
  Atom incr_;
  Atom property_;
  Answers answers_;
  Answers::Offer offer_;
  Fetch fetch_;
  std::optional<::Time> wanted_;  // somebody copied something then
  Clock::time_point may_fetch_{};
  std::string last_;
  std::optional<Copied> copied_;
};

}  // namespace hearth::display
