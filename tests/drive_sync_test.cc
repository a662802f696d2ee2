// `hearth drive sync`, against a real pool: directories that stand for laptops.
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/sizes.h"
#include "core/sync/wire.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "net/crypto.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;

class DriveSyncTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    for (const char* name : {"a", "b"}) fs::create_directories(laptop(name));
  }

  fs::path laptop(const std::string& name) { return scratch().path() / "laptops" / name; }
  fs::path drive() { return pool().home() / "drive"; }
  static void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  static std::string text(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  static std::string random_text(std::size_t bytes, unsigned seed) {
    std::mt19937_64 random(seed);
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }
  // All files and folders, without what is kept beside them.
  static std::map<std::string, std::string> all(const fs::path& directory) {
    std::map<std::string, std::string> found;
    for (fs::recursive_directory_iterator below(directory), end; below != end; ++below) {
      if (below->path().filename() == ".hearth-sync" || below->path().filename() == ".hearth") {
        below.disable_recursion_pending();
        continue;
      }
      found[below->path().lexically_relative(directory)] = below->is_directory() ? "folder" : text(below->path());
    }
    return found;
  }
  std::vector<std::string> words(const std::string& name, std::vector<std::string> options) {
    options.insert(options.begin(), {"drive", "sync", laptop(name)});
    return options;
  }
  Ended sync(const std::string& name, std::vector<std::string> options = {}) {
    return pool().cli(words(name, std::move(options)));
  }
  json synced(const std::string& name, std::vector<std::string> options = {}) {
    options.push_back("--json");
    const Ended ended = sync(name, std::move(options));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json::parse(ended.out, nullptr, false);
  }
};

TEST_F(DriveSyncTest, WhatIsNewChangedOrRemovedComesToBeSoOnTheOtherSide) {
  write(laptop("a") / "one.txt", "1");
  write(laptop("a") / "sub/ü two.txt", "2");
  fs::create_directories(laptop("a") / "empty");
  write(drive() / "there.txt", "3");
  const json first = synced("a");
  EXPECT_EQ(first["sent"], 2);
  EXPECT_EQ(first["fetched"], 1);
  EXPECT_EQ(all(laptop("a")), all(drive()));
  EXPECT_EQ(synced("b")["fetched"], 3);
  EXPECT_EQ(all(laptop("b")), all(drive()));
  struct stat here{};
  struct stat there{};
  ASSERT_EQ(::stat((laptop("a") / "one.txt").c_str(), &here), 0);
  ASSERT_EQ(::stat((laptop("b") / "one.txt").c_str(), &there), 0);
  EXPECT_EQ(here.st_mtim.tv_sec, there.st_mtim.tv_sec);

  write(laptop("b") / "one.txt", "changed");
  write(laptop("a") / "sub/new.txt", "new");
  fs::remove(laptop("a") / "there.txt");
  fs::remove(laptop("a") / "empty");
  write(laptop("a") / "empty", "a file by now");
  synced("b");
  synced("a");
  synced("b");
  EXPECT_EQ(all(laptop("a")), all(drive()));
  EXPECT_EQ(all(laptop("b")), all(drive()));
  EXPECT_EQ(text(laptop("a") / "one.txt"), "changed");
  EXPECT_EQ(text(laptop("b") / "empty"), "a file by now");

  ::utimensat(AT_FDCWD, (laptop("a") / "one.txt").c_str(), nullptr, 0);
  const json nothing = synced("a");
  EXPECT_EQ(nothing["sent"], 0) << "it was only touched";
  EXPECT_EQ(nothing["bytes_sent"], 0);
}

// A clock that was wrong, or a camera's: it is no reason to read the file again with every run.
TEST_F(DriveSyncTest, AFileOfTheFutureIsLookedAtOnce) {
  write(laptop("a") / "later.txt", "1");
  const std::array<timespec, 2> year_2040 = {timespec{.tv_sec = 2'208'988'800, .tv_nsec = 0},
                                             timespec{.tv_sec = 2'208'988'800, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (laptop("a") / "later.txt").c_str(), year_2040.data(), 0), 0);
  const fs::path state = laptop("a") / ".hearth-sync/state";
  EXPECT_EQ(synced("a")["sent"], 1);
  const std::string once = text(state);
  EXPECT_EQ(synced("a")["sent"], 0);
  EXPECT_EQ(text(state), once) << "nothing is to be noted of it";
  write(laptop("a") / "later.txt", "2");
  EXPECT_EQ(synced("a")["sent"], 1);
}

TEST_F(DriveSyncTest, WhatBothChangeIsKeptTwice) {
  write(laptop("a") / "x.txt", "0");
  write(laptop("a") / "y.txt", "0");
  synced("a");
  synced("b");
  write(laptop("a") / "x.txt", "from a");
  write(laptop("b") / "x.txt", "from b, later");
  for (const char* name : {"a", "b"}) write(laptop(name) / "y.txt", "the same");
  synced("a");
  const json second = synced("b");
  ASSERT_EQ(second["conflicts"].size(), 1U);
  const std::string other = second["conflicts"][0];
  EXPECT_THAT(other, testing::MatchesRegex("x \\(conflict .+ [0-9]{4}-[0-9]{2}-[0-9]{2}\\)\\.txt"));
  synced("a");
  for (const fs::path& side : {laptop("a"), laptop("b"), drive()}) {
    EXPECT_EQ(all(side), (std::map<std::string, std::string>{
                             {"x.txt", "from a"}, {other, "from b, later"}, {"y.txt", "the same"}}));
  }
  EXPECT_EQ(synced("b")["sent"], 0);
}

TEST_F(DriveSyncTest, WhatIsRemovedLiesInATrashAndARemovalNeverWinsOverAChange) {
  write(laptop("a") / "folder/x", "precious");
  write(laptop("a") / "folder/y", "y");
  write(laptop("a") / "z", "z");
  write(laptop("a") / "stays", "s");
  synced("a");
  synced("b");
  fs::remove_all(laptop("a") / "folder");
  fs::remove(laptop("a") / "z");
  write(laptop("b") / "z", "changed meanwhile");
  EXPECT_EQ(synced("a")["removed_there"], 3);
  const json trash = json::parse(pool().cli({"drive", "trash", "--json"}).out)["trashed"];
  ASSERT_EQ(trash.size(), 2U) << "a folder goes whole";
  EXPECT_EQ(synced("b")["removed_here"], 2);
  EXPECT_EQ(all(laptop("b")), (std::map<std::string, std::string>{{"stays", "s"}, {"z", "changed meanwhile"}}));
  const fs::path runs = laptop("b") / ".hearth-sync/trash";
  ASSERT_FALSE(fs::is_empty(runs));
  const fs::path kept = fs::directory_iterator(runs)->path();
  EXPECT_EQ(text(kept / "folder/x"), "precious");
  synced("a");
  EXPECT_EQ(text(laptop("a") / "z"), "changed meanwhile");

  // A month later, by the name that the run had.
  fs::rename(kept, runs / "1700000000-1");
  synced("b");
  EXPECT_FALSE(fs::exists(runs / "1700000000-1"));
}

TEST_F(DriveSyncTest, OnlyWhatHasChangedOfALargeFileTravels) {
  std::string film = random_text(24 * kMiB, 1);
  write(laptop("a") / "film", film);
  EXPECT_GE(synced("a")["bytes_sent"], 24 * kMiB);
  synced("b");
  film.insert(5 * kMiB, "a scene that was missing");
  film.erase(20 * kMiB, 1'000);
  write(laptop("a") / "film", film);
  const json sent = synced("a");
  EXPECT_LT(sent["bytes_sent"], 512 * kKiB);
  EXPECT_LT(sent["bytes_received"], 512 * kKiB) << "the list of chunks";
  EXPECT_EQ(text(drive() / "film"), film);
  const json fetched = synced("b");
  EXPECT_LT(fetched["bytes_received"], kMiB);
  EXPECT_EQ(text(laptop("b") / "film"), film);

  // Both have it, and nobody knows: it is compared, not sent.
  fs::remove(laptop("b") / ".hearth-sync/state");
  const json compared = synced("b");
  EXPECT_EQ(compared["fetched"], 0);
  EXPECT_LT(compared["bytes_received"], kMiB);
  EXPECT_EQ(compared["conflicts"].size(), 0U);
}

TEST_F(DriveSyncTest, ARunThatIsKilledLosesAndDoublesNothing) {
  for (int i = 0; i < 1'500; ++i) {
    write(laptop("a") / ("d" + std::to_string(i % 7)) / ("f" + std::to_string(i)), std::to_string(i));
  }
  write(laptop("a") / "large", random_text(30 * kMiB, 3));
  const auto count = [](const fs::path& directory) {
    std::ptrdiff_t files = 0;
    for (int i = 0; i < 7; ++i) {
      std::error_code error;
      files += std::distance(fs::directory_iterator(directory / ("d" + std::to_string(i)), error), {});
    }
    return files;
  };
  const auto kill_when = [&](const std::string& name, const std::function<bool()>& moment) {
    Process running = pool().start_cli(words(name, {}));
    EXPECT_TRUE(eventually(seconds(60), [&] { return moment() || !running.running(); }));
    running.signal(SIGKILL);
    running.wait(seconds(10));
  };
  kill_when("a", [&] { return fs::exists(drive() / "d0") && !fs::is_empty(drive() / "d0"); });
  kill_when("a", [&] { return count(drive()) > 900; });
  synced("a");
  EXPECT_EQ(all(drive()), all(laptop("a")));
  kill_when("b", [&] { return count(laptop("b")) > 200; });
  kill_when("b", [&] {
    for (const auto& part : fs::directory_iterator(laptop("b") / ".hearth-sync/new")) {
      if (part.path().filename().string().starts_with("part-") && part.file_size() > 9 * kMiB) return true;
    }
    return false;
  });
  const json last = synced("b");
  EXPECT_LT(last["bytes_received"], 31 * kMiB);
  EXPECT_EQ(all(laptop("b")), all(laptop("a")));
  EXPECT_EQ(all(drive()), all(laptop("a")));
  EXPECT_EQ(synced("a")["sent"], 0);
  EXPECT_TRUE(fs::is_empty(laptop("b") / ".hearth-sync/new")) << "parts are left";
}

TEST_F(DriveSyncTest, NamesThatAreAlikeAndWhatIsNoFileAreNamedAndLeft) {
  write(laptop("a") / "Photo.jpg", "1");
  write(laptop("a") / "photo.JPG", "2");
  write(laptop("a") / "u\u0308.txt", "decomposed");
  write(drive() / "ü.txt", "composed");
  fs::create_symlink("/etc/passwd", laptop("a") / "link");
  ASSERT_EQ(::mkfifo((laptop("a") / "pipe").c_str(), 0600), 0);
  write(laptop("a") / "bad\nname", "x");
  write(laptop("a") / "good", "x");
  const Ended ended = sync("a");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("Photo.jpg, photo.JPG"), HasSubstr("link: left as it is"),
                               HasSubstr("pipe: left as it is"), HasSubstr("bad?name: left as it is")));
  EXPECT_EQ(all(drive()), (std::map<std::string, std::string>{{"good", "x"}, {"ü.txt", "composed"}}));
  EXPECT_EQ(text(laptop("a") / "u\u0308.txt"), "decomposed");
  fs::remove(laptop("a") / "photo.JPG");
  sync("a");
  EXPECT_EQ(text(drive() / "Photo.jpg"), "1");
}

TEST_F(DriveSyncTest, IsBoundToOneFolderAndRunsOnceAtATime) {
  write(laptop("a") / "x", "1");
  const json planned = synced("a", {"--folder", "/laptops/mia", "--dry-run"});
  EXPECT_THAT(planned["planned"], ElementsAre(HasSubstr("send")));
  EXPECT_FALSE(fs::exists(drive() / "laptops"));
  EXPECT_EQ(synced("a", {"--folder", "/laptops/mia/"})["sent"], 1);
  EXPECT_EQ(text(drive() / "laptops/mia/x"), "1");
  EXPECT_EQ(synced("a")["sent"], 0);
  const Ended other = sync("a", {"--folder", "/"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("is kept the same as /laptops/mia"));
  const int lock = ::open((laptop("a") / ".hearth-sync/lock").c_str(), O_RDWR);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  EXPECT_THAT(sync("a").err, HasSubstr("is being synchronized by another"));
  ::close(lock);
  fs::remove_all(drive() / "laptops");
  EXPECT_THAT(sync("a").err, HasSubstr("has no folder /laptops/mia any more"));
  EXPECT_EQ(text(laptop("a") / "x"), "1");
  EXPECT_EQ(pool().cli({"drive", "sync", laptop("none")}).exit_code, 1);
}

TEST_F(DriveSyncTest, AFolderThatIsClosedIsNotTakenForRemoved) {
  for (int i = 0; i < 12; ++i) write(laptop("a") / "tom" / std::to_string(i), "mine");
  write(laptop("a") / "gone/x", "x");
  write(laptop("a") / "stays", "x");
  synced("a");
  ASSERT_EQ(pool().cli({"account", "set", "tom"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"drive", "private", "tom", "--for", "tom"}).exit_code, 0);
  fs::remove_all(drive() / "gone");
  fs::remove(laptop("a") / "tom/0");
  write(laptop("a") / "tom/1", "changed here");
  write(laptop("a") / "tom/new", "new");
  const json closed = synced("a");
  EXPECT_THAT(closed["closed"], ElementsAre("tom"));
  EXPECT_EQ(closed["removed_here"], 1) << "the one that is gone";
  EXPECT_EQ(closed["removed_there"], 0);
  EXPECT_EQ(closed["sent"], 0);
  EXPECT_FALSE(fs::exists(laptop("a") / "gone"));
  EXPECT_EQ(text(laptop("a") / "tom/2"), "mine");
  EXPECT_THAT(sync("a").err, HasSubstr("tom: the drive has closed it to this device"));
  EXPECT_EQ(all(drive() / "tom").size(), 12U);

  write(drive() / "tom/1", "changed there, and longer");
  ASSERT_EQ(pool().cli({"drive", "private", "tom", "--for", "everyone"}).exit_code, 0);
  const json again = synced("a");
  EXPECT_TRUE(again["closed"].empty());
  EXPECT_EQ(again["removed_there"], 1);
  EXPECT_EQ(again["conflicts"].size(), 1U);
  EXPECT_EQ(text(laptop("a") / "tom/1"), "changed there, and longer");
  EXPECT_EQ(all(laptop("a")), all(drive()));

  // With a folder of the drive as its own it ends, and touches nothing.
  write(drive() / "tom/sub/y", "y");
  synced("b", {"--folder", "/tom"});
  ASSERT_EQ(pool().cli({"drive", "private", "tom", "--for", "tom"}).exit_code, 0);
  EXPECT_THAT(sync("b").err, HasSubstr("/tom is other people's own folder"));
  EXPECT_EQ(text(laptop("b") / "sub/y"), "y");
}

TEST_F(DriveSyncTest, ASideThatIsEmptyAllAtOnceIsAskedAbout) {
  for (int i = 0; i < 12; ++i) write(laptop("a") / std::to_string(i), "x");
  synced("a");
  for (int i = 0; i < 12; ++i) fs::remove(drive() / std::to_string(i));
  const Ended refused = sync("a");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--emptied"));
  EXPECT_EQ(all(laptop("a")).size(), 12U);
  EXPECT_EQ(synced("a", {"--emptied"})["removed_here"], 12);
}

TEST_F(DriveSyncTest, AProgramStaysOne) {
  const auto is_program = [](const fs::path& file) {
    return (fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none;
  };
  const std::string large = random_text(3 << 20, 1);
  write(laptop("a") / "run.sh", "#!/bin/sh\n");
  write(laptop("a") / "large", large);
  write(laptop("a") / "plain", "x");
  for (const char* name : {"run.sh", "large"}) fs::permissions(laptop("a") / name, fs::perms(0755));
  synced("a");
  fs::create_directories(laptop("b"));
  synced("b");
  for (const fs::path& place : {drive(), laptop("b")}) {
    EXPECT_TRUE(is_program(place / "run.sh")) << place;
    EXPECT_TRUE(is_program(place / "large")) << place;
    EXPECT_FALSE(is_program(place / "plain")) << place;
  }
  write(laptop("b") / "large", large + "more");  // by its difference
  fs::permissions(laptop("b") / "large", fs::perms(0755));
  write(laptop("b") / "run.sh", "#!/bin/bash\n");
  synced("b");
  synced("a");
  EXPECT_EQ(text(drive() / "large"), large + "more");
  for (const fs::path& place : {drive(), laptop("a")}) {
    EXPECT_TRUE(is_program(place / "large")) << place;
    EXPECT_TRUE(is_program(place / "run.sh")) << place;
  }
}

// A disk that is not mounted has few files as well as many.
TEST_F(DriveSyncTest, TheLastTwoAreAskedAboutAndASingleOneIsNot) {
  write(laptop("a") / "x", "x");
  write(laptop("a") / "y", "y");
  synced("a");
  fs::remove(laptop("a") / "x");
  fs::remove(laptop("a") / "y");
  const Ended refused = sync("a");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--emptied"));
  EXPECT_EQ(text(drive() / "x"), "x");
  EXPECT_EQ(synced("a", {"--emptied"})["removed_there"], 2);
  write(laptop("a") / "z", "z");
  synced("a");
  fs::remove(laptop("a") / "z");
  EXPECT_EQ(synced("a")["removed_there"], 1);
}

TEST_F(DriveSyncTest, ADryRunChangesNothing) {
  write(laptop("a") / "x", "x");
  write(drive() / "y", "y");
  EXPECT_THAT(synced("a", {"--dry-run"})["planned"].dump(), AllOf(ContainsRegex("send +x"), ContainsRegex("fetch +y")));
  EXPECT_EQ(std::distance(fs::directory_iterator(laptop("a")), fs::directory_iterator()), 1) << "no .hearth-sync";
  EXPECT_FALSE(fs::exists(drive() / "x"));
  synced("a");
  const auto listed = [&] {
    std::map<std::string, fs::file_time_type> found;
    for (const auto& one : fs::recursive_directory_iterator(laptop("a"))) found[one.path()] = one.last_write_time();
    return found;
  };
  write(laptop("a") / ".hearth-sync/new/left", "of a run that was killed");
  write(laptop("a") / "x", "another");
  const auto before = listed();
  EXPECT_THAT(synced("a", {"--dry-run"})["planned"].dump(), ContainsRegex("send +x"));
  EXPECT_EQ(listed(), before);
}

TEST_F(DriveSyncTest, WatchSeesToWhatChangesOnEitherSide) {
  write(laptop("a") / "x", "1");
  Process running = pool().start_cli(words("a", {"--watch"}));
  EXPECT_TRUE(eventually(seconds(60), [&] { return text(drive() / "x") == "1"; }));
  write(laptop("a") / "new/y", "2");
  EXPECT_TRUE(eventually(seconds(60), [&] { return text(drive() / "new/y") == "2"; }));
  write(laptop("a") / "new/z", "3");
  EXPECT_TRUE(eventually(seconds(60), [&] { return text(drive() / "new/z") == "3"; }));
  write(drive() / "there", "4");
  EXPECT_TRUE(eventually(seconds(60), [&] { return text(laptop("a") / "there") == "4"; }));
  running.signal(SIGINT);
  EXPECT_FALSE(running.wait(seconds(10)).timed_out);
}

class SyncServerTest : public DriveSyncTest {
 protected:
  // "BODY\nSTATUS".
  std::string curl(const std::string& method, const std::string& path, const std::string& body,
                   const std::string& ring = "home", const std::string& match = "*") {
    const Ended made = pool().cli({"token", "new", "t" + std::to_string(++tokens_), "--ring", ring});
    write(scratch().path() / "body", body);
    const Ended ended =
        run_program({"curl", "-sS", "--cacert", pool().home() / "hub" / "certificate.pem", "-w", "\n%{http_code}", "-u",
                     "me:" + made.out.substr(0, made.out.find('\n')), "-X", method, "-H", "If-Match: " + match,
                     "--data-binary", "@" + (scratch().path() / "body").string(),
                     "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + "/sync/" + path});
    return ended.out + ended.err;
  }

 private:
  int tokens_ = 0;
};

TEST_F(SyncServerTest, RefusesWhatIsMalformedAndWhoIsNotIn) {
  write(drive() / "x", "old");
  EXPECT_THAT(curl("POST", "changes", "nonsense"), HasSubstr("\n400"));
  EXPECT_THAT(curl("POST", "read", std::string(3 * kMiB, 'x')), HasSubstr("\n413"));
  EXPECT_THAT(curl("GET", "tree?path=/../etc", ""), HasSubstr("\n400"));
  EXPECT_THAT(curl("GET", "tree?path=/none", ""), HasSubstr("\n404"));
  EXPECT_THAT(curl("GET", "none", ""), HasSubstr("\n405"));
  EXPECT_THAT(curl("GET", "tree", "", "friend"), HasSubstr("\n403"));
  std::string change;
  sync::append_frame(change, sync::encode(sync::Change{.path = "../y", .content = "y"}));
  sync::append_frame(change, sync::encode(sync::Change{.path = "x", .content = "not there"}));
  const std::string answer = curl("POST", "changes", change);
  EXPECT_THAT(answer, AllOf(HasSubstr("is no name of a file"), HasSubstr("there is a file of that name already")));
  EXPECT_EQ(all(drive()), (std::map<std::string, std::string>{{"x", "old"}}));
}

TEST_F(SyncServerTest, ADeltaIsTakenWholeOrNotAtAll) {
  using sync::DeltaPart;
  write(drive() / "x", "hello old world");
  const auto delta = [](const std::vector<DeltaPart>& parts) {
    std::string body;
    for (const DeltaPart& part : parts) sync::append_frame(body, sync::encode(part));
    return body;
  };
  const DeltaPart first{.what = DeltaPart::What::kCopy, .offset = 0, .length = 6};
  const DeltaPart middle{.what = DeltaPart::What::kBytes, .content = "new"};
  const DeltaPart last{.what = DeltaPart::What::kCopy, .offset = 9, .length = 6};
  DeltaPart end{.what = DeltaPart::What::kEnd, .length = 15, .content = net::sha256("hello new world")};
  EXPECT_THAT(curl("PUT", "delta?path=/x&modified=0", delta({first, middle, last})), HasSubstr("without an end"));
  EXPECT_THAT(curl("PUT", "delta?path=/x&modified=0", delta({first, last, end})), HasSubstr("\n400"));
  EXPECT_THAT(
      curl("PUT", "delta?path=/x&modified=0", delta({{.what = DeltaPart::What::kCopy, .offset = 14, .length = 6}})),
      HasSubstr("that the file before has not"));
  EXPECT_THAT(curl("PUT", "delta?path=/x&modified=a", delta({first, middle, last, end})), HasSubstr("\n400"));
  EXPECT_THAT(curl("PUT", "delta?path=/x&modified=0", delta({first, middle, last, end}), "home", "\"other\""),
              HasSubstr("\n412"));
  EXPECT_EQ(text(drive() / "x"), "hello old world");
  EXPECT_THAT(curl("PUT", "delta?path=/x&modified=1000", delta({first, middle, last, end})), HasSubstr("\n204"));
  EXPECT_EQ(text(drive() / "x"), "hello new world");
  EXPECT_TRUE(fs::is_empty(drive() / ".hearth/new"));
}

}  // namespace
}  // namespace hearth::e2e
