// How many archives are made at a time: so many for one device or link, and so many in all, since each takes its turns
// at the disk and keeps files open for as long as whoever fetches it takes. Pure.
//
//   if (Result<void> taken = turns.take(device); !taken) ...   // it says what to do
//   turns.give_back(device);                                   // after each that was taken
#pragma once

#include <cstddef>
#include <map>

#include "base/ids.h"
#include "base/result.h"

namespace hearth::drive {

class ZipTurns {
 public:
  static constexpr std::size_t kMostOfOne = 4;
  static constexpr std::size_t kMostInAll = 16;

  // Errors: kResourceExhausted (this one has all that it may have), kUnavailable (all are taken).
  Result<void> take(DeviceId who);
  void give_back(DeviceId who);

 private:
  std::map<DeviceId, std::size_t> taken_;
  std::size_t in_all_ = 0;
};

}  // namespace hearth::drive
