#include "base/result.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Result, CodeNamesRoundTrip) {
  for (int i = 1; i <= 16; ++i) {
    const auto code = static_cast<Code>(i);
    EXPECT_EQ(code_from_name(code_name(code)), code);
  }
  EXPECT_EQ(code_from_name("nonsense"), Code::kUnknown);
}

TEST(Result, ContextGrowsOnTheWayUpAndTheCodeStays) {
  const Result<int> failed = fail_errno(ENOSPC, "writing /x");
  const Result<int> seen_above = fail(failed, "storing a blob");
  EXPECT_EQ(seen_above.error().code, Code::kResourceExhausted);
  EXPECT_EQ(seen_above.error().message, "storing a blob: writing /x: No space left on device");
}

}  // namespace
}  // namespace hearth
