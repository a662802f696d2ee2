#include "core/drive/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t kNoonOf2024May17 = 1'715'947'200;

Shot shot(std::string path, std::int64_t taken, std::string etag = "\"1\"") {
  return {.path = std::move(path), .etag = std::move(etag), .bytes = 10, .taken = {taken}, .read = true};
}

std::vector<std::string> paths(std::span<const Shot> shots) {
  std::vector<std::string> paths;
  for (const Shot& one : shots) paths.push_back(one.path);
  return paths;
}

TEST(TimelineTest, KnowsPicturesAndFilmsByTheirNames) {
  EXPECT_EQ(media_kind("a.JPG"), MediaKind::kPicture);
  EXPECT_EQ(media_kind("/b/a.heic"), MediaKind::kPicture);
  EXPECT_EQ(media_kind("a.mp4"), MediaKind::kVideo);
  EXPECT_EQ(media_kind("a.svg"), MediaKind::kNone);
  EXPECT_EQ(media_kind("jpg"), MediaKind::kNone);
  EXPECT_EQ(media_kind(".jpg"), MediaKind::kNone);
  EXPECT_EQ(media_kind(""), MediaKind::kNone);
}

TEST(TimelineTest, ReadsExifsTimes) {
  EXPECT_EQ(parse_exif_time("2024:05:17 12:00:00"), ClockTime{kNoonOf2024May17});
  EXPECT_EQ(parse_exif_time("1970:01:01 00:00:01"), ClockTime{1});
  EXPECT_EQ(parse_exif_time("1969:12:31 23:59:59"), ClockTime{-1});
  EXPECT_EQ(parse_exif_time("2000:02:29 00:00:00"), ClockTime{951'782'400});
  EXPECT_EQ(parse_exif_time("2016:12:31 23:59:60"), ClockTime{1'483'228'800});
  for (const char* text : {"", "0000:00:00 00:00:00", "2023:02:29 00:00:00", "2024:13:01 00:00:00",
                           "2024:04:31 00:00:00", "2024:05:17 24:00:00", "2024-05-17 12:00:00", "2024:05:17 12:00:00 ",
                           "1700:01:01 00:00:00", "    :  :     :  :  "}) {
    EXPECT_EQ(parse_exif_time(text), std::nullopt) << text;
  }
}

TEST(TimelineTest, TheNewestGoFirstAndMonthsAreCounted) {
  const std::int64_t day = 86'400;
  const Timeline timeline({shot("/a", kNoonOf2024May17), shot("/c", kNoonOf2024May17 + 20 * day),
                           shot("/b", kNoonOf2024May17), shot("/old", -1)});
  EXPECT_THAT(paths(timeline.shots()), ElementsAre("/c", "/a", "/b", "/old"));
  EXPECT_THAT(timeline.months(), ElementsAre(Month{2024, 6, 1}, Month{2024, 5, 2}, Month{1969, 12, 1}));
  EXPECT_EQ(timeline.bytes(), 40U);
  EXPECT_THAT(paths(timeline.page(1, 2)), ElementsAre("/a", "/b"));
  EXPECT_THAT(paths(timeline.page(3, 9)), ElementsAre("/old"));
  EXPECT_THAT(timeline.page(9, 9), IsEmpty());
}

TEST(TimelineTest, AsksOnlyWhatIsNewOrChanged) {
  const std::vector<Shot> before = {shot("/kept.jpg", 5, "\"1\""), shot("/moved.jpg", 6, "\"2\""),
                                    shot("/changed.jpg", 7, "\"3\""), shot("/gone.jpg", 8, "\"4\"")};
  const Merged merged = merge(before, {{.path = "/kept.jpg", .etag = "\"1\"", .modified = {50}},
                                       {.path = "/there.jpg", .etag = "\"2\"", .modified = {60}},
                                       {.path = "/changed.jpg", .etag = "\"33\"", .modified = {70}},
                                       {.path = "/film.mp4", .etag = "\"5\"", .modified = {80}}});
  EXPECT_THAT(paths(merged.shots), ElementsAre("/kept.jpg", "/there.jpg", "/changed.jpg", "/film.mp4"));
  EXPECT_THAT(merged.unread, ElementsAre(2, 3));
  EXPECT_EQ(merged.shots[0].taken, ClockTime{5});
  EXPECT_EQ(merged.shots[1].taken, ClockTime{6});
  EXPECT_EQ(merged.shots[2].taken, ClockTime{70});
  EXPECT_EQ(merged.shots[3].taken, ClockTime{80});
  EXPECT_TRUE(merged.changed);
}

TEST(TimelineTest, SaysWhetherAnythingChanged) {
  const std::vector<Shot> before = {shot("/a.jpg", 5)};
  EXPECT_FALSE(merge(before, {{.path = "/a.jpg", .etag = "\"1\""}}).changed);
  EXPECT_TRUE(merge(before, {{.path = "/b.jpg", .etag = "\"1\""}}).changed);
  EXPECT_TRUE(merge(before, {}).changed);
  const std::vector<Shot> linked = {shot("/a.jpg", 5), shot("/b.jpg", 5)};
  EXPECT_FALSE(merge(linked, {{.path = "/b.jpg", .etag = "\"1\""}, {.path = "/a.jpg", .etag = "\"1\""}}).changed);
  Shot unread = before[0];
  unread.read = false;
  EXPECT_THAT(merge(std::vector{unread}, {{.path = "/a.jpg", .etag = "\"1\""}}).unread, ElementsAre(0));
}

TEST(TimelineTest, IsKeptAsText) {
  std::vector<Shot> shots = {shot("/a b/ä.jpg", -5), shot("/c.mp4", kNoonOf2024May17, "\"x-1\"")};
  shots[1].read = false;
  const Result<std::vector<Shot>> read = decode_timeline(encode_timeline(shots));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, shots);
  EXPECT_THAT(*decode_timeline(encode_timeline({})), IsEmpty());
  // However far a file's time lies off.
  const Merged merged = merge({}, {{.path = "/a.jpg", .etag = "\"1\"", .modified = {std::int64_t{1} << 60}}});
  EXPECT_TRUE(decode_timeline(encode_timeline(merged.shots)));
}

TEST(TimelineTest, FilmsThatWereKeptBeforeTheyWereAskedAreAsked) {
  std::vector<Shot> shots = {shot("/a.jpg", 5), shot("/c.mp4", 6)};
  std::string kept = encode_timeline(shots);
  kept.replace(0, kept.find('\n'), "hearth-timeline 1");
  shots[1].read = false;
  EXPECT_EQ(*decode_timeline(kept), shots);
}

TEST(TimelineTest, WhatIsDamagedIsRefused) {
  const std::string whole = encode_timeline(std::vector{shot("/a.jpg", 5)});
  EXPECT_FALSE(decode_timeline(""));
  EXPECT_FALSE(decode_timeline(whole.substr(0, whole.size() - 1)));
  EXPECT_FALSE(decode_timeline("hearth-timeline 3\n"));
  for (const char* line : {"5\tread\t10\t\"1\"", "x\tread\t10\t\"1\"\t/a", "5\tmaybe\t10\t\"1\"\t/a",
                           "5\tread\t-1\t\"1\"\t/a", "5\tread\t1\t\"1\"\t/../a", "5\tread\t1\t\"1\"\ta", ""}) {
    EXPECT_FALSE(decode_timeline("hearth-timeline 2\n" + std::string(line) + "\n")) << line;
  }
}

}  // namespace
}  // namespace hearth::drive
