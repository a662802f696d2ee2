#include "hub/share_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::int64_t> shown(const std::deque<ShareSample>& samples, std::int64_t since, std::size_t most) {
  std::vector<std::int64_t> moments;
  for (const ShareSample* sample : thinned(samples, {since}, most)) moments.push_back(sample->at.unix_millis);
  return moments;
}

TEST(ShareHistory, ShowsSamplesThatAreSpreadEvenlyAndEndWithTheLast) {
  std::deque<ShareSample> samples;
  for (std::int64_t at = 1; at <= 10; ++at) samples.push_back({{at}, {}});
  EXPECT_THAT(shown(samples, 8, 100), ElementsAre(8, 9, 10));
  EXPECT_THAT(shown(samples, 0, 5), ElementsAre(2, 4, 6, 8, 10));
  EXPECT_THAT(shown(samples, 0, 4), ElementsAre(1, 4, 7, 10));
  EXPECT_THAT(shown(samples, 11, 4), IsEmpty());
  EXPECT_THAT(shown({}, 0, 4), IsEmpty());
}

}  // namespace
}  // namespace hearth::hub
