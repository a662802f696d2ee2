// How the disk is waited for when several files are to be on it at the same time. Pure.
//
//   switch (wait_for(files.size())) ...
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::drive {

enum class Wait : std::uint8_t {
  kNone,      // there is nothing to wait for
  kOne,       // for the one file
  kTogether,  // for each of them, at the same time: one commit of the file system's journal does for all
  kAll,       // for all that the file system has not written yet, what others have just written there too
};

// A disk takes its time for every flush, whether much is left to write or not: eight files one after another take eight
// times as long as one, together hardly longer. So many are asked for at once at most.
inline constexpr std::size_t kMostTogether = 256;

constexpr Wait wait_for(std::size_t files) {
  if (files == 0) return Wait::kNone;
  if (files == 1) return Wait::kOne;
  return files <= kMostTogether ? Wait::kTogether : Wait::kAll;
}

}  // namespace hearth::drive
