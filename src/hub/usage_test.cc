#include "hub/usage.h"

#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth::hub {
namespace {

constexpr WallTime kNow{1'769'860'800'000};  // 2026-01-31 12:00:00 UTC

EndedAttempt attempt(const v1::Outcome* reported) {
  return {.owner = {3},
          .resources = {.cores = 4, .memory_bytes = 2 * kGiB, .gpus = 1},
          .started = {kNow.unix_millis - 8'000},
          .reported = reported,
          .result_bytes = 77,
          .has_ended = true,
          .succeeded = true};
}

TEST(UsageTest, IsWhatWasAskedForWhileTheProgramRan) {
  v1::Outcome outcome;
  outcome.set_wall_micros(2'500'000);
  outcome.set_net_bytes_sent(5);
  outcome.set_net_bytes_received(6);
  const store::UsageRow row = usage_of(attempt(&outcome), kNow);
  EXPECT_EQ(row.owner, DeviceId{3});
  EXPECT_EQ(day_text(row.day), "2026-01-31");
  EXPECT_EQ(row.tasks, 1);
  EXPECT_EQ(row.failed_tasks, 0);
  EXPECT_EQ(row.attempts, 1);
  EXPECT_EQ(row.core_millis, 10'000);
  EXPECT_EQ(row.gpu_millis, 2'500);
  EXPECT_EQ(row.memory_mib_seconds, 2'048 * 5 / 2);
  EXPECT_EQ(row.net_bytes, 11);
  EXPECT_EQ(row.result_bytes, 77);
}

TEST(UsageTest, EnergyIsThePartOfTheNodesWattsThatItsCoresAre) {
  v1::Outcome outcome;
  outcome.set_wall_micros(2'500'000);
  EndedAttempt metered = attempt(&outcome);
  EXPECT_EQ(usage_of(metered, kNow).energy_millijoules, 0);
  EXPECT_EQ(usage_of(metered, kNow).unmetered_core_millis, 10'000) << "its node says nothing";
  metered.node_watts = 100;
  metered.node_cores = 16;
  EXPECT_EQ(usage_of(metered, kNow).energy_millijoules, 62'500) << "100 W * 4/16 * 2.5 s";
  EXPECT_EQ(usage_of(metered, kNow).unmetered_core_millis, 0);
  metered.node_cores = 2;
  EXPECT_EQ(usage_of(metered, kNow).energy_millijoules, 250'000) << "no more than the whole PC";
  metered.node_watts = 1e300;
  EXPECT_EQ(usage_of(metered, kNow).energy_millijoules, 250'000'000) << "a node's word is no reason to overflow";
}

TEST(UsageTest, OfALostAttemptIsCountedFromItsStart) {
  EndedAttempt lost = attempt(nullptr);
  lost.has_ended = false;
  store::UsageRow row = usage_of(lost, kNow);
  EXPECT_EQ(row.core_millis, 32'000);
  EXPECT_EQ(row.tasks, 0);
  EXPECT_EQ(row.attempts, 1);
  EXPECT_EQ(row.result_bytes, 0);
  lost.started = {};
  EXPECT_EQ(usage_of(lost, kNow).core_millis, 0);
  lost.started = {kNow.unix_millis + 5'000};  // the clock was set back
  EXPECT_EQ(usage_of(lost, kNow).core_millis, 0);
}

TEST(UsageTest, ANodesWordGoesNoFurtherThanTheJobsLimit) {
  v1::Outcome outcome;
  outcome.set_wall_micros(std::uint64_t{1} << 63U);
  outcome.set_net_bytes_sent(~std::uint64_t{0});
  outcome.set_net_bytes_received(~std::uint64_t{0});
  EndedAttempt lying = attempt(&outcome);
  lying.time_limit_seconds = 10;
  lying.succeeded = false;
  const store::UsageRow row = usage_of(lying, kNow);
  EXPECT_EQ(row.core_millis, 4 * 70'000);
  EXPECT_EQ(row.net_bytes, std::int64_t{1} << 51U);
  EXPECT_EQ(row.failed_tasks, 1);
}

TEST(UsageTest, AddsUpByOwnerAndDay) {
  std::vector<store::UsageRow> rows;
  const store::UsageRow one{.owner = {3}, .day = 7, .tasks = 1, .attempts = 2, .core_millis = 5};
  add_usage(rows, one);
  add_usage(rows, one);
  add_usage(rows, {.owner = {3}, .day = 8});
  add_usage(rows, {.owner = {4}, .day = 7});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].tasks, 2);
  EXPECT_EQ(rows[0].attempts, 4);
  EXPECT_EQ(rows[0].core_millis, 10);
}

TEST(UsageTest, DaysHaveOneSpelling) {
  for (const char* text : {"1970-01-01", "2024-02-29", "9999-12-31"}) EXPECT_EQ(day_text(*parse_day("x", text)), text);
  for (const char* text :
       {"", "2026", "2026-1-31", "2026-02-29", "2026-13-01", "1969-12-31", "2026-01-31 ", "2026/01/31", "20a6-01-31"}) {
    EXPECT_EQ(parse_day("since", text).error().code, Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace hearth::hub
