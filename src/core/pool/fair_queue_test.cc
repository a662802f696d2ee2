#include "core/pool/fair_queue.h"

#include <deque>

#include <gtest/gtest.h>

namespace hearth::pool {
namespace {

constexpr Time kNow{1'000};

class FairQueueTest : public testing::Test {
 protected:
  void SetUp() override { queue_.set_capacity({100, 0, 0}); }
  Job& job(std::uint64_t id, std::uint64_t owner, std::uint32_t cores = 1) {
    Job& made = jobs_.emplace_back();
    made.request = {JobId{id}, DeviceId{owner}, 10, {cores, 0, 0}, 0, {}};
    queue_.add(made, kNow);
    return made;
  }
  void unblock(std::uint32_t cores) {
    std::array<Terms, kReaches> rooms;
    rooms.fill({{cores, 0, 0}, {}});
    queue_.unblock_fitting(rooms);
  }
  std::uint64_t first() const {
    const auto head = queue_.first_open();
    return head ? head->job->request.id.value : 0;
  }

  FairQueue queue_{Options{}};
  std::deque<Job> jobs_;
};

TEST_F(FairQueueTest, FewestCoresThenOldestJob) {
  job(1, 7);
  job(2, 7);
  job(3, 8);
  EXPECT_EQ(first(), 1u);
  queue_.charge(AccountId{7}, {.cores = 4});
  EXPECT_EQ(first(), 3u);
  queue_.charge(AccountId{8}, {.cores = 5});
  EXPECT_EQ(first(), 1u);
  queue_.remove(jobs_[0]);
  queue_.remove(jobs_[0]);
  EXPECT_EQ(first(), 2u);
  queue_.refund(AccountId{8}, {.cores = 5});
  EXPECT_EQ(first(), 3u);
}

TEST_F(FairQueueTest, ABlockedShapeStepsAsideUntilItFits) {
  job(1, 7, 4);
  job(2, 8, 4);
  job(3, 7, 1);
  queue_.block(*queue_.first_open()->queue->shape, kNow);
  EXPECT_EQ(first(), 3u);
  job(4, 9, 4);
  EXPECT_EQ(first(), 3u) << "the newcomer has the same shape";
  unblock(3);
  EXPECT_EQ(first(), 3u);
  unblock(4);
  EXPECT_EQ(first(), 1u);
}

TEST_F(FairQueueTest, HeadsComeInOrderOfTurnBlockedOnesIncluded) {
  job(1, 7, 4);
  job(2, 8, 1);
  queue_.charge(AccountId{8}, {.cores = 1});
  queue_.block(*queue_.first_open()->queue->shape, kNow);
  std::vector<std::uint64_t> seen;
  queue_.visit_heads([&](const Head& head) {
    seen.push_back(head.job->request.id.value);
    return true;
  });
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(FairQueueTest, TheClockOfABlockedQueueRunsUntilItIsPlaced) {
  job(1, 7);
  Queue& queue = *queue_.first_open()->queue;
  EXPECT_FALSE(queue_.next_deadline());
  queue_.block(*queue.shape, kNow);
  EXPECT_EQ(queue_.next_deadline(), kNow + seconds(60));
  unblock(1);
  queue_.block(*queue.shape, kNow + seconds(30));
  EXPECT_EQ(queue_.next_deadline(), kNow + seconds(60)) << "blocked again, but never placed";
  EXPECT_EQ(queue_.take_alarm(kNow + seconds(59)), nullptr);
  EXPECT_EQ(queue_.take_alarm(kNow + seconds(60)), &queue);
  EXPECT_FALSE(queue_.next_deadline());
  queue_.set_alarm(queue, kNow);
  queue_.placed(queue, kNow + seconds(5));
  EXPECT_EQ(queue_.next_deadline(), kNow + seconds(65)) << "what is left of it waits from now on";
  unblock(1);
  queue_.placed(queue, kNow + seconds(6));
  EXPECT_FALSE(queue_.next_deadline());
}

TEST_F(FairQueueTest, NothingIsLeftOfWhatIsGone) {
  job(1, 7);
  queue_.block(*queue_.first_open()->queue->shape, kNow);
  queue_.charge(AccountId{7}, {.cores = 1});
  queue_.remove(jobs_[0]);
  EXPECT_FALSE(queue_.next_deadline());
  queue_.refund(AccountId{7}, {.cores = 1});
  EXPECT_FALSE(queue_.first_open());
  job(2, 7);
  EXPECT_EQ(first(), 2u) << "the shape is not blocked any more";
}

}  // namespace
}  // namespace hearth::pool
