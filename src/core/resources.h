// What a task needs and what a node offers: whole cores, bytes of memory, whole GPUs.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

namespace hearth {

struct Resources {
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint32_t gpus = 0;

  constexpr bool operator==(const Resources&) const = default;

  constexpr bool fits_in(const Resources& room) const {
    return cores <= room.cores && memory_bytes <= room.memory_bytes && gpus <= room.gpus;
  }
  constexpr Resources operator+(const Resources& other) const {
    return {cores + other.cores, memory_bytes + other.memory_bytes, gpus + other.gpus};
  }
  // Never below zero in any part.
  constexpr Resources operator-(const Resources& other) const {
    return {cores - std::min(cores, other.cores), memory_bytes - std::min(memory_bytes, other.memory_bytes),
            gpus - std::min(gpus, other.gpus)};
  }
};

}  // namespace hearth
