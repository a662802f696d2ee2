// Who watches an app, as the page does: with a window of 400 x 300, and through a tunnel.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "harness/api.h"
#include "net/tunnel.h"
#include "screen/frames.h"

namespace hearth::e2e {

// Of the newest picture of H.264 (Annex B) in a place of it, as "RRGGBB" in the rough: each part is 0 or f.
std::string colour_in(const std::string& stream, const std::filesystem::path& directory, int width, int height, int x,
                      int y);

class Viewing {
 public:
  static constexpr int kWidth = 400;
  static constexpr int kHeight = 300;

  Viewing(Api& api, std::uint64_t job, std::uint16_t port = screen::kPort);

  // Errors: of the hub and node; an app that starts does not listen yet.
  Result<void> open();
  void send(const v1::FromViewer& message);
  void type(const std::string& text);

  // Takes in what comes within a moment; whether the way is still there.
  bool listen(milliseconds moment = milliseconds(300));

  // Of the newest picture's middle, or of another place in it, as "RRGGBB" in the rough: each part is 0 or f.
  std::string colour(const std::filesystem::path& directory, int x = kWidth / 2, int y = kHeight / 2) const;
  bool becomes(const std::string& colour_wanted, const std::filesystem::path& directory, int x = kWidth / 2,
               int y = kHeight / 2);

  const std::string& problem() const { return problem_; }
  const std::string& copied() const { return all_copied_; }  // the newest that was copied in the app
  // All that was said of files, the later over the earlier.
  const v1::FileProgress& file() const { return file_; }
  template <class Condition>
  bool hears(Condition condition) {
    return eventually(seconds(60), [&] { return condition() || (listen() && condition()); });
  }

 private:
  Api& api_;
  std::string way_;
  std::shared_ptr<net::WebSocket> socket_;
  screen::FrameReader reader_{screen::kMaxToViewer};
  std::string stream_;
  std::string problem_;
  std::string copied_;
  std::string all_copied_;
  v1::FileProgress file_;
  bool heard_ = false;
};

// Everything that whoever may only watch may not say, and then asks for a picture: once that is there, and blue, the
// rest was read.
void say_all_that_is_forbidden(Viewing& viewing, const std::filesystem::path& directory);

}  // namespace hearth::e2e
