#include "drive/picture_reader.h"

#include <fcntl.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drive/fake_picture_helper.h"
#include "drive/folder.h"

namespace hearth::drive {
namespace {

using testing::HasSubstr;

class PictureReaderTest : public testing::Test {
 protected:
  Fd file_{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
};

TEST_F(PictureReaderTest, TellsWhatTheHelperSaw) {
  FakePictureHelper fake([](const pictures::Order& order) {
    return pictures::answer_of({.width = order.size, .height = 3, .taken = {}, .small = "\xFF\xD8\xFF"});
  });
  PictureReader reader(fake.helpers());
  const Result<pictures::Picture> seen = reader.look(file_.get(), {.size = 320});
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->width, 320U);
  ASSERT_TRUE(reader.look(file_.get(), {.size = 1600}));
  EXPECT_EQ(fake.starts(), 1);
  reader.rest();
  ASSERT_TRUE(reader.look(file_.get(), {.size = 1600}));
  EXPECT_EQ(fake.starts(), 2);
}

TEST_F(PictureReaderTest, WhatDiesOfAPictureIsThePicturesFault) {
  FakePictureHelper fake([](const pictures::Order&) { return ""; });
  PictureReader reader(fake.helpers());
  const Result<pictures::Picture> seen = reader.look(file_.get(), {.size = 320});
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(fake.starts(), 1);
}

TEST_F(PictureReaderTest, AnAnswerThatItMayNotGiveIsNone) {
  FakePictureHelper fake([](const pictures::Order&) { return "picture 1 1 -\n<script>"; });
  PictureReader reader(fake.helpers());
  EXPECT_EQ(reader.look(file_.get(), {.size = 320}).error().code, Code::kFailedPrecondition);
  FakePictureHelper endless([](const pictures::Order&) { return std::string(pictures::kMaxAnswerBytes + 1, 'x'); });
  PictureReader other(endless.helpers());
  EXPECT_EQ(other.look(file_.get(), {.size = 320}).error().code, Code::kFailedPrecondition);
}

TEST_F(PictureReaderTest, WhereTheHelperDoesNotRunItIsNoPicturesFault) {
  FakePictureHelper fake([](const pictures::Order&) { return std::nullopt; });
  PictureReader reader(fake.helpers());
  for (int i = 0; i < 3; ++i) {
    const Result<pictures::Picture> seen = reader.look(file_.get(), {.size = 320});
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code, Code::kUnavailable);
    EXPECT_THAT(seen.error().message, HasSubstr("cannot be shut off"));
  }
  EXPECT_EQ(fake.starts(), 1);
  PictureReader none({});
  EXPECT_EQ(none.look(file_.get(), {.size = 320}).error().code, Code::kUnavailable);
}

TEST_F(PictureReaderTest, AHelperThatEndsIsStartedAgain) {
  int orders = 0;
  FakePictureHelper fake([&](const pictures::Order&) -> std::optional<std::string> {
    if (++orders == 2) return std::nullopt;
    return pictures::answer_of({.width = 1, .height = 1, .taken = {}, .small = {}});
  });
  PictureReader reader(fake.helpers());
  EXPECT_TRUE(reader.look(file_.get(), {.size = 0}));
  EXPECT_EQ(reader.look(file_.get(), {.size = 0}).error().code, Code::kUnavailable);
  EXPECT_TRUE(reader.look(file_.get(), {.size = 0}));
  EXPECT_EQ(fake.starts(), 2);
}

TEST_F(PictureReaderTest, StopsWithTheHub) {
  FakePictureHelper fake([](const pictures::Order&) { return ""; });
  PictureReader reader(fake.helpers());
  reader.stop();
  EXPECT_EQ(reader.look(file_.get(), {.size = 320}).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace hearth::drive
