#include "drive/photos.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "drive/fake_picture_helper.h"

namespace hearth::drive {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PhotosTest : public testing::Test {
 protected:
  PhotosTest() {
    std::filesystem::create_directories(file("holiday"));
    for (const char* name : {"a.jpg", "holiday/b.JPG", "holiday/film.mp4", "notes.txt"}) {
      std::ofstream(file(name)) << name;
    }
  }

  // All that a hub has of it, until it stops.
  struct Hub {
    explicit Hub(const std::filesystem::path& root, FakePictureHelper& fake)
        : drive(loop, workers, root), thumbnails(loop, drive, fake.helpers()), photos(loop, drive, thumbnails) {}

    // Once it does not look any more.
    Photos::Shown settled() {
      return loop.run_until_done([](Photos& all) -> net::Async<Photos::Shown> {
        for (;;) {
          Result<Photos::Shown> now = co_await all.timeline();
          CHECK(now);
          if (!now->is_looking) co_return *now;
          co_await net::sleep_for(milliseconds(5));
        }
      }(photos));
    }

    net::Loop loop;
    net::Workers workers{2};
    Drive drive;
    Thumbnails thumbnails;
    Photos photos;
  };

  std::filesystem::path file(const std::string& name) const { return scratch_.path() / "drive" / name; }
  static std::vector<std::string> paths(const Photos::Shown& shown) {
    std::vector<std::string> paths;
    for (const Shot& shot : shown.timeline->shots()) paths.push_back(shot.path);
    return paths;
  }

  blob::TemporaryDirectory scratch_;
  FakePictureHelper fake_{[](const pictures::Order& order) {
    if (order.is_film != 0) return pictures::answer_of({.taken = "2021:07:04 10:20:30Z", .small = {}});
    return pictures::answer_of({.width = 4, .height = 3, .taken = "2019:07:04 10:20:30", .small = {}});
  }};
};

TEST_F(PhotosTest, OrdersByTheDaysThatPicturesSay) {
  Hub hub(file(""), fake_);
  const Photos::Shown shown = hub.settled();
  EXPECT_THAT(paths(shown), ElementsAre("/holiday/film.mp4", "/a.jpg", "/holiday/b.JPG"));
  EXPECT_THAT(shown.timeline->months(), ElementsAre(Month{2021, 7, 1}, Month{2019, 7, 2}));
  EXPECT_EQ(shown.unread, 0U);
  EXPECT_EQ(fake_.orders(), 3);
}

TEST_F(PhotosTest, AsksEachPictureOnceThoughTheHubStartsAgain) {
  {
    Hub(file(""), fake_).settled();
  }
  std::filesystem::rename(file("a.jpg"), file("holiday/c.jpg"));
  Hub later(file(""), fake_);
  EXPECT_THAT(paths(later.settled()), ElementsAre("/holiday/film.mp4", "/holiday/b.JPG", "/holiday/c.jpg"));
  EXPECT_EQ(fake_.orders(), 3);
}

TEST_F(PhotosTest, ALostOrDamagedFileIsMadeAnew) {
  {
    Hub(file(""), fake_).settled();
  }
  std::ofstream(file(".hearth/timeline")) << "rubbish";
  {
    Hub hub(file(""), fake_);
    EXPECT_EQ(hub.settled().timeline->shots().size(), 3U);
  }
  std::filesystem::remove(file(".hearth/timeline"));
  Hub hub(file(""), fake_);
  EXPECT_EQ(hub.settled().timeline->months().back(), (Month{2019, 7, 2}));
  EXPECT_EQ(fake_.orders(), 9);
}

TEST_F(PhotosTest, WithoutAHelperFilesLieWhereTheirTimesSay) {
  FakePictureHelper none([](const pictures::Order&) { return std::nullopt; });
  {
    Hub hub(file(""), none);
    const Photos::Shown shown = hub.settled();
    EXPECT_EQ(shown.timeline->shots().size(), 3U);
    EXPECT_EQ(shown.unread, 3U);
  }
  Hub hub(file(""), fake_);
  EXPECT_EQ(hub.settled().unread, 0U);
}

TEST_F(PhotosTest, AnEmptyDriveHasNone) {
  Hub hub(scratch_.path() / "nothing", fake_);
  EXPECT_THAT(paths(hub.settled()), IsEmpty());
}

}  // namespace
}  // namespace hearth::drive
