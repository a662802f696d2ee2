#include "cli/stream_chunks.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

std::string numbers(std::uint64_t first, std::uint64_t count) {
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i) text += std::to_string(first + i) + "\n";
  return text;
}

// A worker whose start takes 300 ms and a line `each`, and that the line `killer` kills.
class Worker {
 public:
  explicit Worker(Duration each, std::string killer = "none") : each_(each), killer_("\n" + killer + "\n") {}

  void work(StreamChunks& chunks, const Chunk& chunk) {
    largest = std::max(largest, chunk.lines);
    if (("\n" + chunk.text).contains(killer_)) {
      chunks.died(chunk, "exit code 3");
    } else {
      chunks.answered(chunk, chunk.text, milliseconds(300) + each_ * static_cast<std::int64_t>(chunk.lines));
    }
  }
  // Until nothing is left; the answers.
  std::string run(StreamChunks& chunks) {
    std::string answers;
    while (const std::optional<Chunk> chunk = chunks.next(true)) {
      work(chunks, *chunk);
      answers += chunks.take_answers();
    }
    return answers;
  }

  std::uint64_t largest = 0;

 private:
  Duration each_;
  std::string killer_;
};

TEST(StreamChunks, EveryLineIsAnsweredOnceAndInOrder) {
  StreamChunks chunks({});
  chunks.add(numbers(1, 1'000));
  chunks.add("10");
  chunks.add("01\n100");
  chunks.add("2");
  chunks.end_input();
  EXPECT_EQ(Worker(microseconds(1)).run(chunks), numbers(1, 1'002)) << "a last line without a break is one too";
  EXPECT_TRUE(chunks.done());
  EXPECT_EQ(chunks.answered_lines(), 1'002U);
}

TEST(StreamChunks, AnswersWaitForTheirTurn) {
  StreamChunks chunks({.first_lines = 1});
  chunks.add("a\nb\nc\n");
  chunks.end_input();
  const Chunk probe = *chunks.next(false);
  EXPECT_EQ(probe.lines, 0U);
  chunks.answered(probe, "", milliseconds(300));
  const Chunk a = *chunks.next(false);
  const Chunk b = *chunks.next(false);
  const Chunk c = *chunks.next(false);
  EXPECT_EQ(chunks.in_flight(), 3U);
  chunks.answered(c, "C\n", milliseconds(1));
  chunks.answered(b, "B\n", milliseconds(1));
  EXPECT_EQ(chunks.take_answers(), "");
  EXPECT_FALSE(chunks.done());
  chunks.answered(a, "A", milliseconds(1));
  EXPECT_EQ(chunks.take_answers(), "A\nB\nC\n");
  EXPECT_TRUE(chunks.done());
}

TEST(StreamChunks, AChunkGrowsToHalfASecondOfWorkWhateverStartingTakes) {
  StreamChunks quick({});
  quick.add(numbers(0, 3'000'000));
  Worker cat(microseconds(1));
  cat.run(quick);
  EXPECT_GE(cat.largest, 300'000U);
  EXPECT_LE(cat.largest, 1'000'000U);

  StreamChunks slow({});
  slow.add(numbers(0, 200));
  Worker sleeper(seconds(1));
  sleeper.run(slow);
  EXPECT_LE(sleeper.largest, 16U);
  EXPECT_EQ(slow.next(true), std::nullopt);
  slow.add(numbers(0, 50));
  EXPECT_EQ(slow.next(true)->lines, 1U) << "a line takes longer than a chunk should";
}

TEST(StreamChunks, AChunkWaitsForMoreLinesUnlessItNeedNot) {
  StreamChunks chunks({.first_lines = 10});
  chunks.add(numbers(1, 5));
  chunks.answered(*chunks.next(false), "", milliseconds(1));  // the probe
  EXPECT_EQ(chunks.next(false), std::nullopt);
  EXPECT_EQ(chunks.next(true)->lines, 5U);
  chunks.add(numbers(6, 12));
  EXPECT_EQ(chunks.next(false)->lines, 10U);
  EXPECT_EQ(chunks.next(false), std::nullopt);
  chunks.end_input();
  EXPECT_EQ(chunks.next(false)->lines, 2U);
}

TEST(StreamChunks, WhatWaitsIsBounded) {
  StreamChunks chunks({.most_bytes = 10, .most_waiting = 100});
  EXPECT_TRUE(chunks.wants_input());
  chunks.add(numbers(10, 40));
  EXPECT_FALSE(chunks.wants_input());
  Worker worker(microseconds(1));
  worker.run(chunks);
  EXPECT_LE(worker.largest, 3U);
  EXPECT_TRUE(chunks.wants_input());
  chunks.add(std::string(50, 'x') + "\n");
  EXPECT_EQ(chunks.next(true)->lines, 1U) << "one line may be longer than a chunk";
}

TEST(StreamChunks, TheLineThatKillsItsWorkerIsFound) {
  StreamChunks chunks({.first_lines = 100});
  chunks.add(numbers(1, 1'000));
  chunks.end_input();
  const std::string answers = Worker(milliseconds(1), "637").run(chunks);
  ASSERT_TRUE(chunks.culprit());
  EXPECT_EQ(chunks.culprit()->line, 637U);
  EXPECT_EQ(chunks.culprit()->text, "637");
  EXPECT_EQ(chunks.culprit()->why, "exit code 3");
  EXPECT_EQ(answers, numbers(1, 636)) << "all before it, none after it";
  EXPECT_TRUE(chunks.all_answered_before_culprit());
}

TEST(StreamChunks, AWrongNumberOfAnswersIsAFailure) {
  StreamChunks chunks({.first_lines = 4});
  chunks.add("a\nb\nc\nd\n");
  chunks.answered(*chunks.next(true), "", milliseconds(1));
  chunks.answered(*chunks.next(true), "A\nB\nC\n", milliseconds(1));
  const Chunk first = *chunks.next(true);
  EXPECT_EQ(first.text, "a\nb\n");
  EXPECT_TRUE(first.is_half);
  chunks.answered(first, "A\nB\n", milliseconds(1));
  chunks.answered(*chunks.next(true), "C\nD\n", milliseconds(1));
  EXPECT_EQ(chunks.take_answers(), "A\nB\nC\nD\n");
}

TEST(StreamChunks, AProgramMayNotLikeAnEmptyInput) {
  StreamChunks chunks({});
  chunks.add("a\n");
  chunks.died(*chunks.next(true), "exit code 1");
  EXPECT_FALSE(chunks.culprit());
  EXPECT_EQ(chunks.next(true)->lines, 1U);
}

}  // namespace
}  // namespace hearth::cli
