// Level L1, the fence: the program runs in bubblewrap itself, under every namespace and the list of allowed system
// calls, and bubblewrap's status file tells its exit code.
#pragma once

#include <string>

#include "sandbox/bwrap.h"
#include "sandbox/launcher.h"

namespace hearth::sandbox {

class Fence final : public Launcher {
 public:
  explicit Fence(const Bubblewrap& bubblewrap) : bubblewrap_(bubblewrap) {}

  Result<void> check(const Setup& setup) const override;
  Setup trial_setup() const override { return {.level = Level::kFence}; }
  Result<Bubble> enclose(const LaunchOrder& order) const override;

 private:
  Bubblewrap bubblewrap_;
};

// Keeps apart what the program says on stderr and what bubblewrap does when it cannot start it.
class FenceListener final : public Listener {
 public:
  void hear(Stream pipe, std::string_view piece, const Print& print) override;
  void conclude(const Ending& ending, const Print& print, Exit& exit) override;

 private:
  std::string held_back_;  // the beginning of stderr while it may be bubblewrap's own complaint
  bool holds_back_ = true;
};

// The sentence for a person about what bubblewrap wrote to stderr before it gave up.
std::string explain_complaint(std::string_view said, bool kill_wanted);

}  // namespace hearth::sandbox
