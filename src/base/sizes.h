// Sizes in bytes, of the type that sizes have: 64 * kKiB.
#pragma once

#include <cstdint>

namespace hearth {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;
inline constexpr std::uint64_t kTiB = 1024 * kGiB;

}  // namespace hearth
