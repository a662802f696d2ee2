// Since when nobody touched anything in a Wayland session, by its compositor's idle notifications: ext-idle-notify-v1
// (KWin from 5.27, sway from 1.8, Hyprland, COSMIC, labwc, Wayfire, Phoc) or KDE's older protocol (sway 1.7, which is
// Debian 12's). GNOME's compositor and Weston have neither; for GNOME see desktop.h.
//
// A compositor tells no span: it says that nobody touched anything for a second, and that somebody does again. The span
// is counted here from then on, so it is short by what passed before this PC was asked, never too long. A program that
// keeps the screen awake counts as a touch, as both protocols want it.
//
// Nothing here waits longer than kCompositorLimit, whatever the compositor does.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace hearth::presence {

inline constexpr std::chrono::milliseconds kCompositorLimit{1'000};

class Compositor {
 public:
  // The path of its socket. Errors: kNotFound (nobody listens there), kUnimplemented (it has no such protocol),
  // kUnavailable (it does not answer, or has no seat).
  static Result<std::unique_ptr<Compositor>> open(const std::string& socket);
  ~Compositor();
  Compositor(const Compositor&) = delete;
  Compositor& operator=(const Compositor&) = delete;

  // Of the seat that was touched last; zero within a second of a touch. Errors: kUnavailable (it is gone, or hangs).
  Result<Duration> idle();

 private:
  struct State;
  explicit Compositor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The compositors that listen in a user's runtime directory ("/run/user/1000"), kept open. One thread.
class Compositors {
 public:
  // The least of their spans. One that says nothing silences all: a compositor that runs as a window of another sees
  // only part of the input, and nothing tells which of them that is. What failed is asked anew after 5 s. Errors:
  // kNotFound (nobody listens), else those of Compositor.
  Result<Duration> idle(const std::filesystem::path& directory);

 private:
  struct Failure {
    std::chrono::steady_clock::time_point until;
    Error error;
  };

  Result<Duration> idle_of(const std::string& socket);

  std::map<std::string, std::unique_ptr<Compositor>> open_;
  std::map<std::string, Failure> failed_;
};

}  // namespace hearth::presence
