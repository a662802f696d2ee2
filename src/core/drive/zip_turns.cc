#include "core/drive/zip_turns.h"

#include <string>

#include "base/check.h"

namespace hearth::drive {

Result<void> ZipTurns::take(DeviceId who) {
  const auto found = taken_.find(who);
  if (found != taken_.end() && found->second == kMostOfOne) {
    return fail(Code::kResourceExhausted,
                std::to_string(kMostOfOne) +
                    " archives are on their way to you already, which is as many as there may "
                    "be: wait for one of them, or end it");
  }
  if (in_all_ == kMostInAll) {
    return fail(Code::kUnavailable, std::to_string(kMostInAll) +
                                        " archives are on their way already, which is as many as this PC makes at a "
                                        "time: try again in a while");
  }
  ++taken_[who];
  ++in_all_;
  return {};
}

void ZipTurns::give_back(DeviceId who) {
  const auto found = taken_.find(who);
  CHECK(found != taken_.end());
  if (--found->second == 0) taken_.erase(found);
  --in_all_;
}

}  // namespace hearth::drive
