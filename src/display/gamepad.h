// The gamepad that an app's programs see (device/gamepad.cc): what viewers hold goes to each program that reads it,
// what a program wants of its motors to the viewers.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <linux/input.h>
#include <poll.h>

#include "base/fd.h"
#include "base/result.h"
#include "hearth/v1/screen.pb.h"

namespace hearth::display {

// What a device of evdev would tell of the change; nothing, if there is none.
std::vector<input_event> events_between(const v1::Pad& before, const v1::Pad& after);

// What any of them holds is held, and sticks add up.
v1::Pad merged(const v1::Pad& one, const v1::Pad& other);

// Where programs find it. Errors: of the system.
Result<Fd> listen_for_programs(const std::string& path);

class Gamepad {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Gamepad(int listener) : listener_(listener) {}

  std::vector<pollfd> files() const;  // for which look() waits
  // Takes in what programs have done, and gives them what they have not taken yet.
  void look(Clock::time_point now);
  void hold(const v1::Pad& pad);

  // For a viewer who comes; for all, if it has changed.
  v1::Gamepad told(Clock::time_point now) const;
  std::optional<v1::Gamepad> take_told(Clock::time_point now);

 private:
  struct Effect {
    std::uint32_t strong = 0;
    std::uint32_t weak = 0;
    std::chrono::milliseconds length{0};
  };
  struct Reader {
    Fd socket;
    v1::Pad told;
    std::string said;  // less than a whole event
    std::map<std::uint16_t, Effect> effects;
  };
  void admit();
  bool hear(Reader& reader, Clock::time_point now);
  void heed(Reader& reader, const input_event& event, Clock::time_point now);
  bool tell(Reader& reader) const;
  void drop(std::list<Reader>::iterator reader);

  int listener_;
  std::list<Reader> readers_;
  v1::Pad held_;
  const Reader* player_ = nullptr;  // whose effect is played
  Effect playing_;
  Clock::time_point until_{};
  bool changed_ = false;
};

}  // namespace hearth::display
