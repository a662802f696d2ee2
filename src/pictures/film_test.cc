#include "pictures/film.h"

#include <gtest/gtest.h>

namespace hearth::pictures {
namespace {

TEST(FilmTest, TellsWhenItWasMade) {
  EXPECT_EQ(taken_of_tags(";FFMETADATA1\nencoder=x\ncreation_time=2019-07-04T10:20:30.000000Z\n"),
            "2019:07:04 10:20:30Z");
  EXPECT_EQ(taken_of_tags("creation_time=2019-07-04T10:20:30Z"), "2019:07:04 10:20:30Z");
  EXPECT_EQ(taken_of_tags("creation_time=2019-07-04T10:20:30Z\ncreation_time=2020-07-04T10:20:30Z\n"),
            "2019:07:04 10:20:30Z");
}

TEST(FilmTest, ThePlacesOwnClockGoesFirst) {
  EXPECT_EQ(taken_of_tags("creation_time=2019-07-04T10:20:30Z\n"
                          "com.apple.quicktime.creationdate=2019-07-04T12:20:30+0200\n"),
            "2019:07:04 12:20:30");
}

TEST(FilmTest, AClockThatWasNeverSetSaysNothing) {
  for (const char* tags :
       {"", "\n\n", "creation_time", "creation_time=", "creation_time=1904-01-01T00:00:00Z",
        "creation_time=1970-01-01T00:00:00Z", "creation_time=2019-07-04", "title=2019-07-04T10:20:30",
        "creation_time=2019-07-04x10:20:30", "creation_time=yesterday, in the afternoon"}) {
    EXPECT_EQ(taken_of_tags(tags), "") << tags;
  }
}

}  // namespace
}  // namespace hearth::pictures
