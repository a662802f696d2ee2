// What viewers and the app give each other besides pictures and input: what was copied, and files. Knows viewers by a
// number, and gives each what is for it piece by piece, whenever it can be sent something: so what waits for a viewer
// that takes nothing has a bound, and pictures go in between.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "display/inbox.h"
#include "hearth/v1/screen.pb.h"

namespace hearth::display {

using Clock = std::chrono::steady_clock;

class Clipboard;
class Drag;

class Exchange {
 public:
  // `folder`: the app's, absolute. Errors: kUnavailable, kFailedPrecondition (of the display).
  static Result<std::unique_ptr<Exchange>> open(const std::string& folder);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Readable when something has happened in the display.
  std::array<int, 2> files() const;
  // Takes in what has happened. After hear() as well, since that may have found more than it looked for.
  void look(Clock::time_point now);
  // Until look() although nothing has happened; a long time, if there is nothing to be done.
  Clock::duration until_due(Clock::time_point now) const;

  void welcome(int viewer);
  void forget(int viewer);
  void hear(int viewer, const v1::FromViewer& message, Clock::time_point now);
  // The next for that viewer.
  std::optional<v1::ToViewer> next_for(int viewer);

 private:
  struct Copied {
    std::string text;
    std::string problem;  // in its place
  };
  struct Side {
    std::unique_ptr<Inbox> inbox;
    std::vector<std::string> saved;         // of a drop that is not complete
    std::deque<v1::FileProgress> progress;  // to be told
    std::string pasted;                     // what has come of it
    bool refuses_paste = false;             // it was too long; until the next one begins
    std::shared_ptr<const Copied> copied;   // to be told
    std::size_t told = 0;                   // bytes of it
  };
  struct Drop {
    int viewer;
    std::uint32_t number;
    std::vector<std::string> paths;
    int x;
    int y;
  };
  Exchange(std::unique_ptr<Clipboard> clipboard, std::unique_ptr<Drag> drag, std::string folder);
  void hear_clipboard(Side& side, const v1::Clipboard& piece);
  static void refuse_paste(Side& side);
  void hear_file(int viewer, Side& side, const v1::FilePiece& piece);
  void start_drop(Clock::time_point now);
  static void note(Side& side, v1::FileProgress progress);
  static v1::Clipboard next_piece(Side& side);

  std::unique_ptr<Clipboard> clipboard_;
  std::unique_ptr<Drag> drag_;
  std::string folder_;
  std::map<int, Side> sides_;
  std::deque<Drop> drops_;  // the first is being done, if drag_ is busy
};

}  // namespace hearth::display
