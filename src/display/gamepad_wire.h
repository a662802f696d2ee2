// Between the gamepad that a program of an app sees (device/gamepad.cc) and hearth-screen: struct input_event both ways
// through a connection to the Unix socket at kGamepadPath. The program gets what a device of evdev would give it;
// hearth-screen gets what the program writes (EV_FF: play, or stop, an effect), and what it uploads and erases.
#pragma once

#include <cstdint>

namespace hearth::display {

inline constexpr char kGamepadPath[] = "/tmp/session/gamepad";

// Types of events that no device has. The code is the effect's number.
inline constexpr std::uint16_t kUploadEffect =
    0xff00;  // value: strong << 16 | weak; time.tv_sec: milliseconds, 0: till it is stopped
inline constexpr std::uint16_t kEraseEffect = 0xff01;
inline constexpr int kMaxEffects = 16;

}  // namespace hearth::display
