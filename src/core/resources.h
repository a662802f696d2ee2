// What a task needs and what a node offers: whole cores, bytes of memory and of disk, whole GPUs.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

namespace hearth {

struct Resources {
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::uint32_t gpus = 0;
  std::uint64_t gpu_memory_bytes =
      0;                         // what each GPU is to have, or what the smallest has; not used up but with its GPU
  std::uint64_t disk_bytes = 0;  // for files while the task runs, beyond those in its memory

  constexpr bool operator==(const Resources&) const = default;

  constexpr bool fits_in(const Resources& room) const {
    return cores <= room.cores && memory_bytes <= room.memory_bytes && gpus <= room.gpus &&
           gpu_memory_bytes <= room.gpu_memory_bytes && disk_bytes <= room.disk_bytes;
  }
  constexpr Resources operator+(const Resources& other) const {
    return {cores + other.cores, memory_bytes + other.memory_bytes, gpus + other.gpus,
            std::max(gpu_memory_bytes, other.gpu_memory_bytes), disk_bytes + other.disk_bytes};
  }
  constexpr Resources operator*(std::uint32_t times) const {
    return {cores * times, memory_bytes * times, gpus * times, gpu_memory_bytes, disk_bytes * times};
  }
  // How often it fits into the room.
  constexpr std::uint32_t times_in(const Resources& room) const {
    if (!fits_in(room)) return 0;
    std::uint64_t times = cores > 0 ? room.cores / cores : UINT32_MAX;
    if (memory_bytes > 0) times = std::min(times, room.memory_bytes / memory_bytes);
    if (gpus > 0) times = std::min<std::uint64_t>(times, room.gpus / gpus);
    if (disk_bytes > 0) times = std::min(times, room.disk_bytes / disk_bytes);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(times, UINT32_MAX));
  }
  // Never below zero in any part.
  constexpr Resources operator-(const Resources& other) const {
    return {cores - std::min(cores, other.cores), memory_bytes - std::min(memory_bytes, other.memory_bytes),
            gpus - std::min(gpus, other.gpus), gpu_memory_bytes, disk_bytes - std::min(disk_bytes, other.disk_bytes)};
  }
};

}  // namespace hearth
