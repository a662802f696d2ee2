#include "core/drive/allowance.h"

namespace hearth::drive {

Allowance::Verdict Allowance::judge(std::uint64_t bytes, Time now) const {
  if (!counted_at || now - *counted_at > kCountKept) return Verdict::kCountFirst;
  if (bytes <= left()) return Verdict::kFits;
  return now - *counted_at > kCountAgain ? Verdict::kCountFirst : Verdict::kFull;
}

}  // namespace hearth::drive
