// Where in a task its viewers are spoken with (proto/hearth/v1/screen.proto, terminal.proto).
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::screen {

inline constexpr std::uint16_t kPort = 7440;            // of the loopback of an app's sandbox
inline constexpr std::uint16_t kMediaPort = 7441;       // where its node itself answers, with hearth-media
inline constexpr std::uint16_t kWatchPort = 7442;       // as kPort, for those who may only watch
inline constexpr std::uint16_t kWatchMediaPort = 7443;  // as kMediaPort, for them
inline constexpr std::size_t kMaxViewers = 8;           // of one app, or one terminal
inline constexpr std::size_t kMaxWatchers = 6;          // of them at one app: so nobody keeps out whose app it is

// Does not block, nor outlive an exec. -1: the port is taken.
int listen_on_loopback(std::uint16_t port);

}  // namespace hearth::screen
