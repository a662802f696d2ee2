#include "core/pool/condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::pool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Attributes kNode = {{"name", "attic"},       {"os", "debian"},         {"gpu.memory", 8589934592.0},
                          {"speed", 350.5},        {"label.room", "cellar"}, {"label.quiet", true},
                          {"cpu", "AMD EPYC 7B13"}};

bool holds(std::string_view text) {
  const Result<Condition> condition = Condition::parse(text);
  EXPECT_TRUE(condition) << text << ": " << condition.error().message;
  return condition && condition->holds(kNode);
}

std::string error_of(std::string_view text) {
  const Result<Condition> condition = Condition::parse(text);
  EXPECT_FALSE(condition) << text;
  return condition ? "" : condition.error().message;
}

TEST(Condition, ComparesAttributes) {
  EXPECT_TRUE(holds("gpu.memory >= 8G"));
  EXPECT_FALSE(holds("gpu.memory > 8G"));
  EXPECT_TRUE(holds("gpu.memory == 8192MiB"));
  EXPECT_TRUE(holds("os == \"debian\""));
  EXPECT_TRUE(holds("os='debian'"));
  EXPECT_FALSE(holds("os != 'debian'"));
  EXPECT_TRUE(holds("speed < 350.6 and speed<=350.5 && not speed > 350.5"));
  EXPECT_TRUE(holds("cpu ~ '*EPYC*'"));
  EXPECT_FALSE(holds("cpu ~ 'EPYC*'"));
  EXPECT_TRUE(holds("name ~ 'a?tic'"));
  EXPECT_TRUE(holds("label.quiet"));
  EXPECT_TRUE(holds("label.quiet == true"));
  EXPECT_FALSE(holds("!label.quiet"));
}

TEST(Condition, WhatANodeDoesNotHaveIsUnequalToAll) {
  EXPECT_FALSE(holds("watts < 100"));
  EXPECT_FALSE(holds("watts == 100"));
  EXPECT_TRUE(holds("watts != 100"));
  EXPECT_FALSE(holds("label.other"));
  EXPECT_FALSE(holds("label.room == 5")) << "a text is no number";
}

TEST(Condition, AndBindsTighterThanOr) {
  EXPECT_TRUE(holds("os == 'debian' || os == 'x' && speed < 1"));
  EXPECT_FALSE(holds("(os == 'debian' || os == 'x') && speed < 1"));
  EXPECT_TRUE(holds("not (os == 'x') and (speed > 1 or speed > 1000)"));
}

TEST(Condition, HasParts) {
  const auto parts = [](std::string_view text) { return Condition::parse(text)->parts(); };
  EXPECT_THAT(parts("os == 'a' && speed > 1 and (gpus > 0 || cores > 1)"),
              ElementsAre("os == 'a'", "speed > 1", "(gpus > 0 || cores > 1)"));
  EXPECT_THAT(parts("os == 'a' || speed > 1"), ElementsAre("os == 'a' || speed > 1"));
  EXPECT_THAT(parts("(os == 'a' && speed > 1)"), ElementsAre("(os == 'a' && speed > 1)"));
  EXPECT_THAT(parts("(os == 'a') && speed > 1"), ElementsAre("(os == 'a')", "speed > 1"));
  const Result<Condition> condition = Condition::parse("os == 'debian' && speed > 1000");
  EXPECT_TRUE(condition->part_holds(0, kNode));
  EXPECT_FALSE(condition->part_holds(1, kNode));
}

TEST(Condition, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(error_of("gpu.memry > 8G"), HasSubstr("at character 1: nodes have no attribute 'gpu.memry'; those that "
                                                    "there are: name, arch"));
  EXPECT_THAT(error_of(""), HasSubstr("an attribute is missing"));
  EXPECT_THAT(error_of("os =="), HasSubstr("what 'os' is compared with is missing"));
  EXPECT_THAT(error_of("os == debian"), HasSubstr("at character 7: 'debian' is no value"));
  EXPECT_THAT(error_of("os == 5"), HasSubstr("os is compared with a text in quotes"));
  EXPECT_THAT(error_of("os == 'debian"), HasSubstr("not closed"));
  EXPECT_THAT(error_of("os"), HasSubstr("compare os with a text"));
  EXPECT_THAT(error_of("(os == 'a'"), HasSubstr("')' is missing"));
  EXPECT_THAT(error_of("os == 'a' speed > 1"), HasSubstr("'speed > 1' is too much"));
  EXPECT_THAT(error_of("speed > 8X"), HasSubstr("a number ends in K"));
  EXPECT_THAT(error_of("label.room < 'x'"), HasSubstr("compare numbers"));
  EXPECT_THAT(error_of("speed ~ 5"), HasSubstr("pattern"));
  EXPECT_THAT(error_of(std::string(2'000, '(')), HasSubstr("at most 1024"));
  EXPECT_THAT(error_of(std::string(1'000, '(')), HasSubstr("more than 32"));
  EXPECT_THAT(error_of("os == '" + std::string(300, 'x') + "'"), HasSubstr("256"));
}

}  // namespace
}  // namespace hearth::pool
