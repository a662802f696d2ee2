// Nodes that are kept for an account for a while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const AccountId kAnnsOwn{kAnn.value};
const AccountId kBobsOwn{kBob.value};
constexpr NodeId kThird{3};

class Bookings : public ::testing::Test {
 protected:
  // For Bob, from a span from now on, for an hour.
  BookingTerms terms(Duration from, std::uint32_t nodes = 1, Duration notice = {}) {
    return {.id = {++last_},
            .account = kBobsOwn,
            .nodes = nodes,
            .from = world_.now + from,
            .until = world_.now + from + minutes(60),
            .notice = notice};
  }
  BookingId book(const BookingTerms& terms) {
    booked_ = world_.pool.on_book(terms, world_.now);
    turn();
    return terms.id;
  }
  void turn() {
    world_.pool.tick(world_.now);
    world_.settle();
  }
  void pass(Duration span) { world_.pass(span, {kFirst, kSecond, kThird}); }
  JobId submit_limited(Duration limit) {
    JobRequest request;
    request.limit = limit;
    return world_.submit(request);
  }
  std::vector<NodeId> nodes_of(BookingId id) { return world_.pool.booking(id).value_or(BookingView{}).nodes; }
  std::uint32_t running(JobId job) { return world_.view(job).running; }

  World world_;
  Result<void> booked_;
  std::uint64_t last_ = 0;
};

TEST_F(Bookings, KeepNodesForTheirAccountUntilTheyAreOver) {
  world_.join(kFirst, 1);
  const BookingId id = book(terms({}));
  ASSERT_TRUE(booked_);
  EXPECT_THAT(nodes_of(id), ElementsAre(kFirst));
  EXPECT_EQ(world_.pool.node(kFirst)->booking, id);
  const JobId anns = world_.submit(1);
  const JobId bobs = world_.submit(1, cores(1), kBob);
  EXPECT_EQ(running(anns), 0u);
  EXPECT_EQ(running(bobs), 1u);
  world_.finish(world_.first_of(bobs));
  EXPECT_EQ(running(anns), 0u) << "nobody else's, though it is idle";
  EXPECT_EQ(world_.cause(anns), Cause::kBooked);
  EXPECT_EQ(world_.pool.why(anns, world_.now)->booking, id);
  EXPECT_EQ(world_.pool.why(anns, world_.now)->nodes, 1u);
  pass(minutes(61));
  EXPECT_EQ(running(anns), 1u);
  ASSERT_EQ(world_.of<BookingRecord>().size(), 1u);
  EXPECT_EQ(world_.of<BookingRecord>().front().id, id);
  EXPECT_EQ(world_.pool.node(kFirst)->booking, BookingId{});
}

TEST_F(Bookings, SendOthersBackWhenTheyBeginAndNotBefore) {
  world_.join(kFirst, 2);
  const JobId anns = world_.submit(1);
  const JobId bobs = world_.submit(1, cores(1), kBob);
  for (const JobId job : {anns, bobs}) world_.pool.on_started(kFirst, world_.first_of(job), world_.now);
  book(terms(minutes(30), 1, minutes(10)));
  pass(minutes(25));
  EXPECT_EQ(running(anns), 1u) << "the notice ends nothing";
  const AttemptId first = world_.first_of(anns);
  world_.take<StopSend>();
  pass(minutes(6));
  EXPECT_EQ(running(anns), 0u);
  EXPECT_EQ(running(bobs), 1u);
  ASSERT_EQ(world_.of<RequeueRecord>().size(), 1u);
  EXPECT_EQ(world_.of<RequeueRecord>().front().attempt, first);
  EXPECT_EQ(world_.of<RequeueRecord>().front().why, Failure::kBooked);
  EXPECT_EQ(world_.of<RequeueRecord>().front().attempts, 0u) << "it counts as no attempt";
  EXPECT_EQ(world_.of<RequeueRecord>().front().failures, 0u);
}

TEST_F(Bookings, TakeMeanwhileOnlyWhatEndsInTime) {
  world_.join(kFirst, 4);
  book(terms(minutes(30), 1, minutes(20)));
  pass(minutes(15));
  EXPECT_EQ(running(world_.submit(1)), 0u) << "who knows when it ends";
  EXPECT_EQ(running(submit_limited(minutes(16))), 0u);
  EXPECT_EQ(running(submit_limited(minutes(14))), 1u);
  EXPECT_EQ(running(world_.submit(1, cores(1), kBob)), 0u) << "its own is no exception before it begins";
  pass(minutes(16));
  EXPECT_EQ(world_.leased(kFirst), 1u) << "Bob's, from then on";
  EXPECT_TRUE(world_.of<RequeueRecord>().empty() || world_.of<RequeueRecord>().front().why == Failure::kBooked);
}

TEST_F(Bookings, OfABriefTaskThatWaitedForRoomItIsTold) {
  world_.join(kFirst, 1);
  const JobId runs = world_.submit(1);
  book(terms(minutes(30), 1, minutes(20)));
  pass(minutes(15));
  const JobId waits = submit_limited(minutes(5));
  EXPECT_EQ(running(waits), 0u);
  world_.finish(world_.first_of(runs));
  EXPECT_EQ(running(waits), 1u);
}

TEST_F(Bookings, AreForAllAccountsOfAFirm) {
  const AccountId firm{500};
  world_.pool.set_account({.id = firm});
  world_.pool.set_account({.id = kBobsOwn, .firm = firm});
  world_.join(kFirst, 2);
  BookingTerms wanted = terms({});
  wanted.account = firm;
  book(wanted);
  const JobId anns = world_.submit(1);
  EXPECT_EQ(running(world_.submit(1, cores(1), kBob)), 1u);
  EXPECT_EQ(running(anns), 0u);
  world_.pool.set_account({.id = kAnnsOwn, .firm = firm});
  turn();
  EXPECT_EQ(running(anns), 1u) << "she is of it now";
  world_.pool.set_account({.id = kBobsOwn});
  const JobId next = world_.submit(1, cores(1), kBob);
  world_.finish(world_.first_of(anns));
  EXPECT_EQ(running(next), 0u) << "he is not any more";
}

TEST_F(Bookings, WhoseNodesAreKeptUsesTheseFirstAndOthersAsWell) {
  world_.join(kFirst, 1);
  world_.join(kSecond, 1);
  const BookingId id = book(terms({}));
  const NodeId kept = nodes_of(id).at(0);
  const JobId bobs = world_.submit(2, cores(1), kBob);
  EXPECT_EQ(world_.pool.node_of({bobs, 0}), kept);
  EXPECT_EQ(running(bobs), 2u);
}

TEST_F(Bookings, ChooseTheNodesWhereOthersLoseTheLeast) {
  world_.join(kFirst, 2);
  world_.submit(2);
  world_.join(kSecond, 2);
  world_.submit(1, cores(1), kBob);
  world_.join(kThird, 2);
  const BookingId id = book(terms({}));
  EXPECT_THAT(nodes_of(id), ElementsAre(kSecond)) << "where its own account is already";
}

TEST_F(Bookings, FindAnotherNodeForOneThatIsGone) {
  world_.join(kFirst, 1);
  world_.join(kSecond, 1);
  const BookingId id = book(terms({}));
  ASSERT_THAT(nodes_of(id), ElementsAre(kFirst));
  world_.pool.on_offer(kFirst, {.terms = {cores(1), {}}, .closed = true}, world_.now);
  pass(seconds(3));
  EXPECT_THAT(nodes_of(id), ElementsAre(kSecond)) << "its owner closed it";
  world_.pool.on_node_removed(kSecond, world_.now);
  EXPECT_THAT(nodes_of(id), IsEmpty());
  world_.join(kThird, 1);
  pass(seconds(3));
  EXPECT_THAT(nodes_of(id), ElementsAre(kThird));
}

TEST_F(Bookings, MeetTheirCondition) {
  world_.join_as(kFirst, cores(2), {{"os", std::string("debian")}});
  world_.join_as(kSecond, cores(2), {{"os", std::string("arch")}});
  BookingTerms wanted = terms({});
  wanted.where = "os == 'arch'";
  const BookingId id = book(wanted);
  EXPECT_THAT(nodes_of(id), ElementsAre(kSecond));
  wanted.id = {++last_};
  wanted.where = "os ==";
  EXPECT_EQ(world_.pool.on_book(wanted, world_.now).error().code, Code::kInvalidArgument);
}

TEST_F(Bookings, AreRefusedWhereSoManyNodesCannotBeHad) {
  world_.join_as(kFirst, cores(2), {{"os", std::string("debian")}});
  world_.join_as(kSecond, cores(2), {{"os", std::string("arch")}});
  EXPECT_THAT(world_.pool.on_book(terms({}, 3), world_.now).error().message, HasSubstr("the pool has 2"));
  book(terms(minutes(60), 2));
  ASSERT_TRUE(booked_);
  EXPECT_THAT(world_.pool.on_book(terms(minutes(90)), world_.now).error().message, HasSubstr("have 2 of the 2"));
  EXPECT_TRUE(world_.pool.on_book(terms(minutes(120)), world_.now)) << "when that one is over";
  EXPECT_TRUE(world_.pool.on_book(terms({}), world_.now)) << "and before it";
}

TEST_F(Bookings, ThatMayTakeOtherNodesAreNoReasonToRefuseOne) {
  world_.join_as(kFirst, cores(2), {{"os", std::string("debian")}});
  world_.join_as(kSecond, cores(2), {{"os", std::string("arch")}});
  book(terms(minutes(60)));
  BookingTerms wanted = terms(minutes(60));
  wanted.where = "os == 'arch'";
  EXPECT_TRUE(world_.pool.on_book(wanted, world_.now));
  EXPECT_FALSE(world_.pool.on_book(terms(minutes(60)), world_.now)) << "both are taken then";
}

TEST_F(Bookings, AreTakenBack) {
  world_.join(kFirst, 1);
  const BookingId id = book(terms({}));
  const JobId anns = world_.submit(1);
  EXPECT_EQ(running(anns), 0u);
  world_.pool.on_unbook(id, world_.now);
  world_.settle();
  EXPECT_EQ(running(anns), 1u);
  world_.pool.on_unbook(id, world_.now);
}

TEST_F(Bookings, GoOnAfterARestart) {
  const BookingTerms wanted = terms(Duration{} - minutes(10));
  world_.pool.restore_booking(wanted, world_.now);
  const JobRequest job{.id = {1}, .owner = kAnn, .per_task = cores(1)};
  world_.pool.restore_job(job, JobState::kRunning, {{0, TaskState::kLeased, 1, 1, 0, kFirst}}, world_.now);
  world_.last_job = 1;
  world_.settle();
  world_.join(kFirst, 1, {{{JobId{1}, 0}, 1}});
  pass(seconds(2));
  EXPECT_THAT(nodes_of(wanted.id), ElementsAre(kFirst));
  EXPECT_EQ(world_.view({1}).running, 0u);
  EXPECT_EQ(running(world_.submit(1, cores(1), kBob)), 1u);
}

TEST_F(Bookings, WhoseTimeIsMovedBeginAndEndThen) {
  world_.join(kFirst, 1);
  BookingTerms wanted = terms(minutes(60));
  book(wanted);
  const JobId anns = world_.submit(1);
  wanted.from = world_.now + minutes(5);
  wanted.until = world_.now + minutes(10);
  world_.pool.restore_booking(wanted, world_.now);
  pass(minutes(6));
  EXPECT_EQ(running(anns), 0u);
  pass(minutes(5));
  EXPECT_EQ(running(anns), 1u);
}

TEST_F(Bookings, WhatEndsInTimeIsJudgedByTheNewTime) {
  world_.join(kFirst, 2);
  BookingTerms wanted = terms(minutes(60), 1, minutes(60));
  book(wanted);
  wanted.from = world_.now + minutes(20);
  world_.pool.restore_booking(wanted, world_.now);
  turn();
  EXPECT_EQ(running(submit_limited(minutes(30))), 0u);
  EXPECT_EQ(running(submit_limited(minutes(10))), 1u);
}

TEST_F(Bookings, AGangOfTheAccountRunsOnAllOfThem) {
  world_.join(kFirst, 1);
  world_.join(kSecond, 1);
  world_.submit(2);
  book(terms(minutes(5), 2));
  JobRequest request{.owner = kBob, .tasks = 2};
  request.gang = true;
  const JobId gang = world_.submit(request);
  EXPECT_EQ(running(gang), 0u);
  pass(minutes(6));
  EXPECT_EQ(running(gang), 2u);
}

}  // namespace
}  // namespace hearth::pool
