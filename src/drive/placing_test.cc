// Files that are given their names at the same time.
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "drive/changes.h"
#include "drive/drive.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

class PlacingTest : public testing::Test {
 protected:
  static Path path(const std::string& text) { return *Path::parse(text); }

  net::Async<Result<Placed>> put(Path path, std::string bytes, Condition condition = {}) {
    Arrival arrival{
        .holder = {},
        .path = path,
        .bytes = bytes,
        .modified = WallTime{1'000'000'000'000},
        .file = {},
        .first = [](Folder&) { return Result<void>(); },
        .place = [&](Folder& folder, Incoming file,
                     Folder::NamedFolders& named) { return folder.place(std::move(file), path, condition, named); }};
    co_return co_await drive_.place(std::move(arrival));
  }

  // All at the same time.
  std::vector<Result<Placed>> put_all(const std::vector<std::pair<std::string, Condition>>& wanted) {
    std::vector<Result<Placed>> placed(wanted.size());
    std::size_t ended = 0;
    const auto put_one = [&](std::size_t i) -> net::Async<void> {
      placed[i] = co_await put(path(wanted[i].first), fmt::format("{}", i), wanted[i].second);
      if (++ended == wanted.size()) loop_.stop();
    };
    for (std::size_t i = 0; i < wanted.size(); ++i) loop_.spawn(put_one(i));
    loop_.run();
    return placed;
  }

  std::string text_of(const std::string& name) const {
    std::ifstream file(scratch_.path() / "drive" / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  blob::TemporaryDirectory scratch_;
  net::Loop loop_;
  net::Workers workers_{2};
  Drive drive_{loop_, workers_, scratch_.path() / "drive"};
};

TEST_F(PlacingTest, EachOfManyIsPlacedByItself) {
  std::filesystem::create_directories(scratch_.path() / "drive/d");
  std::vector<std::pair<std::string, Condition>> wanted;
  for (int i = 0; i < 40; ++i) wanted.emplace_back(fmt::format("{}/{}", i % 2 == 0 ? "/d" : "", i), Condition{});
  wanted.emplace_back("/none/a", Condition{});
  wanted.emplace_back("/d", Condition{});
  const std::vector<Result<Placed>> placed = put_all(wanted);
  for (std::size_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(placed[i]) << placed[i].error().message;
    EXPECT_TRUE(placed[i]->created);
    EXPECT_EQ(placed[i]->entry.modified.unix_millis, 1'000'000'000'000);
    EXPECT_EQ(text_of(wanted[i].first.substr(1)), fmt::format("{}", i));
  }
  EXPECT_EQ(placed[40].error().code, Code::kNotFound);
  EXPECT_EQ(placed[41].error().code, Code::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path() / "drive/.hearth/new"));
}

TEST_F(PlacingTest, OfManyWhoWantToMakeOneFileOneDoes) {
  const std::vector<std::pair<std::string, Condition>> wanted(20, {"/a", {.if_match = {}, .if_none_match = "*"}});
  const std::vector<Result<Placed>> placed = put_all(wanted);
  std::vector<std::size_t> made;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (placed[i]) made.push_back(i);
    if (!placed[i]) EXPECT_EQ(placed[i].error().code, Code::kFailedPrecondition);
  }
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(text_of("a"), fmt::format("{}", made.front()));
}

TEST_F(PlacingTest, ALockKeepsOutOnlyWhoComesToWhatIsLocked) {
  const auto lock = [&]() -> net::Async<Result<Lock>> {
    return drive_.change_locks([&](LockTable& locks) {
      return locks.lock({.token = "urn:uuid:1",
                         .root = path("/locked"),
                         .deep = false,
                         .shared = false,
                         .holder = DeviceId{7},
                         .holder_name = "Mia's laptop",
                         .owner = "",
                         .expires = {wall_now().unix_millis + 60'000}},
                        wall_now());
    });
  };
  ASSERT_TRUE(loop_.run_until_done(lock()));
  const std::vector<Result<Placed>> placed = put_all({{"/locked", {}}, {"/free", {}}});
  EXPECT_EQ(placed[0].error().code, Code::kAborted);
  EXPECT_TRUE(placed[1]);
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "drive/locked"));
}

// A family's folder of films takes minutes to be copied.
TEST_F(PlacingTest, NobodyWaitsForALargeCopy) {
  const std::filesystem::path films = scratch_.path() / "drive/films";
  std::filesystem::create_directories(films);
  for (int i = 0; i < 3'000; ++i) std::ofstream(films / fmt::format("{}", i)) << i;
  std::vector<std::string> ended;
  const auto end = [&](const char* what) {
    ended.emplace_back(what);
    if (ended.size() == 2) loop_.stop();
  };
  const auto copy = [&]() -> net::Async<void> {
    const Result<std::vector<Path>> copied =
        co_await move_paths(drive_, {}, {.paths = {path("/films")}, .folder = Path(), .name = "", .copy = true});
    EXPECT_TRUE(copied) << copied.error().message;
    end("the copy");
  };
  const auto change = [&]() -> net::Async<void> {
    while (!std::filesystem::exists(scratch_.path() / "drive/.hearth/new")) co_await net::sleep_for(milliseconds(1));
    EXPECT_TRUE(co_await put(path("/a"), "a"));
    end("the change");
  };
  loop_.spawn(copy());
  loop_.spawn(change());
  loop_.run();
  EXPECT_EQ(ended, (std::vector<std::string>{"the change", "the copy"}));
  EXPECT_EQ(text_of("films (2)/2999"), "2999");
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path() / "drive/.hearth/new"));
}

}  // namespace
}  // namespace hearth::drive
