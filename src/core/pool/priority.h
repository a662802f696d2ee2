// Classes of jobs: a higher one goes first, whoever's it is, and may take the room of some that lie below it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hearth::pool {

// As hearth.v1.PriorityClass.
enum class PriorityClass : std::uint8_t { kScavenger = 1, kBatch, kNormal, kUrgent };

constexpr std::string_view name_of(PriorityClass priority) {
  constexpr std::array<std::string_view, 4> kNames = {"scavenger", "batch", "normal", "urgent"};
  return kNames[static_cast<std::size_t>(priority) - 1];
}

// Whose room counts as free: nobody's, scavengers', or scavengers' and batch tasks'. A number, for tables.
using Reach = std::size_t;
inline constexpr Reach kFreeRoom = 0;
inline constexpr Reach kReaches = 3;

// How far a task of this class may reach. Normal and urgent tasks are never ended for others.
constexpr Reach reach_of(PriorityClass priority) {
  constexpr std::array<Reach, 4> kReach = {0, 1, 1, 2};
  return kReach[static_cast<std::size_t>(priority) - 1];
}

// From which reach on a task of this class may be ended for another; kReaches: from none.
constexpr Reach ended_from(PriorityClass priority) {
  constexpr std::array<Reach, 4> kEnded = {1, 2, kReaches, kReaches};
  return kEnded[static_cast<std::size_t>(priority) - 1];
}

}  // namespace hearth::pool
