#include "core/sync/state.h"

#include <gtest/gtest.h>

namespace hearth::sync {
namespace {

Known file(const std::string& here, const std::string& there) {
  return {.base = {.here = {.version = here}, .there = {.version = there}}, .hash = std::string(32, 'h')};
}
Known folder() { return {.base = {.here = {.kind = Kind::kFolder}, .there = {.kind = Kind::kFolder}}}; }

const Binding kBinding{.hub = std::string(32, 'k'), .folder = "/photos"};

TEST(SyncStateTest, LaterLinesCount) {
  const std::string text = first_line(kBinding) + noted_line("d", folder()) + noted_line("d/a", file("1", "\"x\"")) +
                           noted_line("d/a", file("2", "\"y\"")) + noted_line("b c", file("3", "\"z\"")) +
                           noted_line("e", folder()) + noted_line("e/f", file("1", "")) + forgotten_line("e");
  const Result<State> state = parse_state(text);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->binding, kBinding);
  EXPECT_EQ(state->lines, 7U);
  EXPECT_EQ(state->known.size(), 3U);
  EXPECT_EQ(state->known.at("d/a"), file("2", "\"y\""));
  EXPECT_EQ(parse_state(text_of(*state))->known, state->known);
}

TEST(SyncStateTest, AFileThatTakesAFoldersPlaceForgetsWhatWasInIt) {
  State state;
  state.note("d", folder());
  state.note("d/a", file("1", "1"));
  state.note("d-a", file("1", "1"));
  state.note("d", file("2", "2"));
  EXPECT_EQ(state.known.size(), 2U);
  state.forget("d");
  EXPECT_TRUE(state.known.contains("d-a"));
}

TEST(SyncStateTest, WhatACrashHasCutWasNeverThere) {
  const std::string good = first_line(kBinding) + noted_line("a", file("1", "1"));
  const std::string line = noted_line("b", file("2", "2"));
  for (std::size_t kept = 0; kept < line.size(); ++kept) {
    const Result<State> state = parse_state(good + line.substr(0, kept));
    ASSERT_TRUE(state);
    EXPECT_EQ(state->good_bytes, good.size());
    EXPECT_EQ(state->known.size(), 1U);
  }
  std::string damaged = line;
  damaged[3] ^= 1;
  EXPECT_EQ(parse_state(good + damaged + line)->known.size(), 1U);
  EXPECT_EQ(parse_state("").error().code, Code::kDataLoss);
  EXPECT_EQ(parse_state(good.substr(1)).error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace hearth::sync
