#include "slurm/text.h"

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "slurm/cluster.h"
#include "slurm/judge.h"

namespace hearth::slurm {
namespace {

using sandbox::Fate;

TEST(SlurmText, MachinesAsSinfoListsThem) {
  const auto machines = parse_machines(
      "n1        idle       0/4/0/4    4000   0      (null)    gpu:0   \n"
      "n2        mixed*     1/3/0/4    4000   1000   (null)    gpu:0   \n"
      "n3        allocated  64/0/0/64  512000 256000 gpu:a100:4(S:0-1),nic:1 gpu:a100:2(IDX:0-1)\n"
      "n4        drained    0/0/8/8    8000   0      gpu:2 gpu:0\n\n");
  ASSERT_TRUE(machines) << machines.error().message;
  ASSERT_EQ(machines->size(), 4U);
  EXPECT_TRUE((*machines)[0].usable);
  EXPECT_FALSE((*machines)[1].usable) << "it does not answer";
  EXPECT_EQ((*machines)[2].has, (Amount{.cores = 64, .memory_bytes = 512'000 * kMiB, .gpus = 4}));
  EXPECT_EQ((*machines)[2].used, (Amount{.cores = 64, .memory_bytes = 256'000 * kMiB, .gpus = 2}));
  EXPECT_FALSE((*machines)[3].usable);

  const Supply supply = supply_of(*machines);
  EXPECT_EQ(supply.machines, 2U);
  EXPECT_EQ(supply.all.cores, 80U);
  EXPECT_EQ(supply.usable.cores, 68U);
  EXPECT_EQ(open_to(supply, {}).cores, 4U);
  EXPECT_EQ(open_to(supply, {.cores = 16, .memory_bytes = 0, .gpus = 1}).cores, 20U) << "one's own count as free";
  EXPECT_EQ(open_to(supply, {.cores = 16, .memory_bytes = 0, .gpus = 1}).gpus, 3U);
  EXPECT_FALSE(parse_machines("n1 idle 4 4000 0 (null) gpu:0\n"));
  EXPECT_FALSE(parse_machines("sinfo: hello\n"));
}

TEST(SlurmText, PartitionsAndTheirLimits) {
  const auto partitions =
      parse_partitions("debug*|up|infinite\nlong|up|2-12:00:00\nshort|down|30:00\nlong|up|2-12:00:00\n");
  ASSERT_TRUE(partitions);
  ASSERT_EQ(partitions->size(), 3U);
  EXPECT_TRUE((*partitions)[0].is_default);
  EXPECT_EQ((*partitions)[0].name, "debug");
  EXPECT_FALSE((*partitions)[0].time_limit);
  EXPECT_EQ((*partitions)[1].time_limit, seconds(2 * 86'400 + 12 * 3600));
  EXPECT_EQ((*partitions)[2].time_limit, minutes(30));
  EXPECT_FALSE((*partitions)[2].is_up);
  EXPECT_FALSE(parse_partitions("debug up infinite"));
  EXPECT_EQ(minutes_text(seconds(1)), "1");
  EXPECT_EQ(minutes_text(seconds(61)), "2");
}

TEST(SlurmText, JobsAndTheirNumbers) {
  const auto jobs = parse_jobs("17|RUNNING|2|1088M|N/A|None\n18|PENDING|1|1.5G|gres/gpu:2|Resources\n");
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->at(17).holds, (Amount{.cores = 2, .memory_bytes = 1088 * kMiB, .gpus = 0}));
  EXPECT_EQ(jobs->at(18).holds, (Amount{.cores = 1, .memory_bytes = 1536 * kMiB, .gpus = 2}));
  EXPECT_EQ(jobs->at(18).reason, "Resources");
  const auto large =
      parse_jobs("17|RUNNING|2|900000000T|N/A|None\n18|RUNNING|2|1e300|N/A|None\n19|RUNNING|2|16T|N/A|\n");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->at(17).holds.memory_bytes, 0U) << "more than there can be";
  EXPECT_EQ(large->at(18).holds.memory_bytes, 0U);
  EXPECT_EQ(large->at(19).holds.memory_bytes, 16 * kTiB);
  EXPECT_FALSE(parse_jobs("x|RUNNING|2|1088M|N/A|None\n"));
  EXPECT_EQ(parse_job_id("17\n").value_or(0), 17U);
  EXPECT_EQ(parse_job_id("a word of the site's\n17;farm\n").value_or(0), 17U);
  EXPECT_FALSE(parse_job_id("Submitted batch job 17"));
  EXPECT_FALSE(parse_job_id(""));
}

TEST(SlurmJudge, WhatSlurmSaysIsNoneOfTheTasksDoing) {
  const auto of = [](const std::string& state) {
    return judge(JobLine{.state = state, .reason = "None", .holds = {}}, 17, false, "sh: hearth: not found\n");
  };
  EXPECT_FALSE(of("RUNNING"));
  EXPECT_FALSE(of("COMPLETING"));
  EXPECT_FALSE(of("PENDING"));
  EXPECT_FALSE(of("A_STATE_OF_A_LATER_VERSION"));
  for (const char* state : {"FAILED", "NODE_FAIL", "TIMEOUT", "CANCELLED", "COMPLETED", "BOOT_FAIL"}) {
    ASSERT_TRUE(of(state)) << state;
    EXPECT_EQ(of(state)->fate, Fate::kLost) << state;
    EXPECT_TRUE(of(state)->message.ends_with("sh: hearth: not found")) << of(state)->message;
  }
  EXPECT_EQ(of("PREEMPTED")->fate, Fate::kTakenBack);
  EXPECT_TRUE(of("OUT_OF_MEMORY")->out_of_memory);
  EXPECT_EQ(judge(std::nullopt, 17, false, "")->fate, Fate::kLost);
  const auto killed = judge(std::nullopt, 17, true, "");
  EXPECT_EQ(killed->fate, Fate::kEnded);
  EXPECT_TRUE(killed->signalled);
}

}  // namespace
}  // namespace hearth::slurm
