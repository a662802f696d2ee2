#include "cli/spelling.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

const std::vector<std::string> kKnown = {"up", "jobs", "job", "status", "--cores", "--count"};

TEST(Spelling, TheNearestWordIsFound) {
  EXPECT_EQ(nearest_word("stauts", kKnown), "status");
  EXPECT_EQ(nearest_word("statuses", kKnown), "status");
  EXPECT_EQ(nearest_word("--core", kKnown), "--cores");
  EXPECT_EQ(nearest_word("jobb", kKnown), "jobs") << "the first of two as near";
  EXPECT_EQ(nearest_word("job", kKnown), "job");
  EXPECT_EQ(nearest_word("jbos", kKnown), "jobs") << "two letters swapped are one slip";
}

TEST(Spelling, WhatIsFarFromAllIsNot) {
  for (const char* typed : {"", "x", "ab", "conquer", "--wings"}) {
    EXPECT_EQ(nearest_word(typed, kKnown), std::nullopt) << typed;
  }
  EXPECT_EQ(nearest_word(std::string(100'000, 's'), kKnown), std::nullopt);
  EXPECT_EQ(nearest_word("status", {}), std::nullopt);
}

}  // namespace
}  // namespace hearth::cli
