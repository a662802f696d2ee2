#include "pictures/answer.h"

#include <gtest/gtest.h>

namespace hearth::pictures {
namespace {

Code code_of(std::string_view answer) {
  const Result<Picture> picture = parse_answer(answer);
  return picture ? Code::kUnknown : picture.error().code;
}

TEST(PictureAnswerTest, SaysWhatWasSeen) {
  const Picture seen{.width = 4000, .height = 3000, .taken = "2024:05:17 12:03:11", .small = "\xFF\xD8\xFF\n\0rest"};
  const Result<Picture> read = parse_answer(answer_of(seen));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->width, 4000U);
  EXPECT_EQ(read->height, 3000U);
  EXPECT_EQ(read->taken, seen.taken);
  EXPECT_EQ(read->small, seen.small);
  const Result<Picture> bare = parse_answer(answer_of({.width = 1, .height = 1, .taken = {}, .small = {}}));
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->taken, "");
  EXPECT_EQ(bare->small, "");
}

TEST(PictureAnswerTest, AFilmIsNotMeasuredAndMayKnowUtc) {
  const Picture seen{.taken = "2024:05:17 10:03:11Z", .small = "\xFF\xD8\xFFrest"};
  EXPECT_EQ(answer_of(seen), "film 2024:05:17 10:03:11Z\n\xFF\xD8\xFFrest");
  const Result<Picture> read = parse_answer(answer_of(seen));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->width, 0U);
  EXPECT_EQ(read->taken, seen.taken);
  EXPECT_EQ(read->small, seen.small);
  EXPECT_EQ(parse_answer("film -\n")->taken, "");
  EXPECT_EQ(code_of("film 1 1 -\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("film Z\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1 2024:05:17 10:03:11Z\n"), Code::kDataLoss);
}

TEST(PictureAnswerTest, SaysWhyThereIsNone) {
  const Result<Picture> none = parse_answer(answer_without("it is \x1b[2J" + std::string(500, 'x')));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(none.error().message.size(), kMaxWords);
  EXPECT_TRUE(none.error().message.starts_with("it is ?[2Jxxx"));
}

TEST(PictureAnswerTest, BelievesNothingElse) {
  EXPECT_EQ(code_of(""), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1 -"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 0 1 -\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1000001 -\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture -1 1 -\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1 2024\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1 2024-05-17 12:03:11\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1 -\n<svg>"), Code::kDataLoss);
  EXPECT_EQ(code_of("other\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("none " + std::string(kMaxWords + 1, 'x') + "\n"), Code::kDataLoss);
  EXPECT_EQ(code_of("picture 1 1 -\n\xFF\xD8\xFF" + std::string(kMaxAnswerBytes, 'x')), Code::kDataLoss);
}

}  // namespace
}  // namespace hearth::pictures
