// `hearth drive backup` and `recover`, with the real restic, against a real pool.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/pool.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kMarker = "MARKER-THAT-NOBODY-ELSE-MAY-READ";

class DriveBackupsTest : public PoolFixture {
 protected:
  void SetUp() override {
    if (!fs::exists("/usr/bin/restic")) GTEST_SKIP() << "SKIPPED: restic is not installed (apt install restic)";
    PoolFixture::SetUp();
    fs::create_directories(here("files/sub"));
    fs::create_directories(here("disk"));
    write(here("files/a [1]*.txt"), std::string("one ") + kMarker);
    write(here("files/sub/" + std::string(kMarker) + ".txt"), "ü");
    write(here("files/big"), noise(3 << 20));
    done({"put", "-r", here("files"), "/"});
  }

  fs::path here(const std::string& name) { return scratch().path() / name; }
  // A whole one: restic writes it under another name first, and what is left of that it neither minds nor removes.
  static bool has_lock(const fs::path& repository) {
    constexpr std::size_t kNameBytes = 64;
    std::error_code absent;
    return std::ranges::any_of(
        fs::directory_iterator(repository / "locks", absent),
        [](const fs::directory_entry& one) { return one.path().filename().string().size() == kNameBytes; });
  }
  std::string target() { return here("disk/hearth"); }
  static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }
  static std::string noise(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t state = 0x9E3779B97F4A7C15;
    for (char& byte : bytes) {
      state = state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
      byte = static_cast<char>(state >> 56);
    }
    return bytes;
  }
  Ended drive(std::vector<std::string> words, RunOptions options = {}) {
    words.insert(words.begin(), "drive");
    return pool().cli(words, std::move(options));
  }
  std::string done(std::vector<std::string> words) {
    const Ended ended = drive(std::move(words));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  }
  json told(std::vector<std::string> words) {
    words.emplace_back("--json");
    return json::parse(done(std::move(words)));
  }
  // Every file below, by its name.
  static std::map<std::string, std::string> contents(const fs::path& folder) {
    std::map<std::string, std::string> all;
    for (const fs::directory_entry& one : fs::recursive_directory_iterator(folder)) {
      const std::string name = one.path().lexically_relative(folder).string();
      if (one.is_regular_file() && !name.starts_with(".hearth")) all[name] = read_text(one.path());
    }
    return all;
  }
};

TEST_F(DriveBackupsTest, RecoversEachPointInTimeByteForByte) {
  const Ended first = drive({"backup", "--to", target()});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("Write it down"));
  const std::map<std::string, std::string> before = contents(pool().home() / "drive");
  ASSERT_EQ(before.size(), 3U);

  write(here("files/a [1]*.txt"), "two");
  done({"put", "--replace", here("files/a [1]*.txt"), "/files"});
  done({"rm", "/files/sub"});
  const json second = told({"backup"})["backups"][0];
  EXPECT_EQ(second["snapshots"], 2);
  EXPECT_LT(second["added_bytes"], 1 << 20) << "what is there already is not sent again";

  const json backups = told({"backups"})["targets"][0];
  EXPECT_EQ(backups["target"], target());
  EXPECT_EQ(backups["failure"], "");
  ASSERT_EQ(backups["snapshots"].size(), 2U);
  const std::string oldest = backups["snapshots"][0]["id"];
  done({"recover", "--from", target(), "--snapshot", oldest.substr(0, 10), "--into", here("old")});
  EXPECT_EQ(contents(here("old")), before);
  done({"recover", "--from", target(), "--at", backups["snapshots"][0]["time"].get<std::string>().substr(0, 19),
        "--into", here("at")});
  EXPECT_EQ(contents(here("at")).size(), contents(here("old")).size());
  done({"recover", "--from", target(), "--into", here("new")});
  EXPECT_EQ(contents(here("new")), contents(pool().home() / "drive"));
  // What the drive keeps of the past is there, too; what it keeps for itself is not.
  EXPECT_TRUE(fs::exists(here("new/.hearth/trash")));
  EXPECT_TRUE(fs::exists(here("new/.hearth/versions")));
  EXPECT_FALSE(fs::exists(here("new/.hearth/new")));
}

TEST_F(DriveBackupsTest, OneFileIsFoundAndRecovered) {
  done({"backup", "--to", target()});
  const json listed = told({"recover", "--list", "/files", "--from", target()});
  ASSERT_EQ(listed["entries"].size(), 4U) << listed;
  EXPECT_EQ(done({"recover", "files/a [1]*.txt", "--from", target(), "--into", here("one")}),
            here("one/files/a [1]*.txt").string() + "\n");
  EXPECT_EQ(contents(here("one")),
            (std::map<std::string, std::string>{{"files/a [1]*.txt", std::string("one ") + kMarker}}));
  EXPECT_THAT(drive({"recover", "/none", "--from", target(), "--into", here("none")}).err,
              HasSubstr("/none: not in the snapshot of"));
  EXPECT_FALSE(fs::exists(here("none")));
  EXPECT_THAT(drive({"recover", "--from", target(), "--into", here("one")}).err,
              HasSubstr("something is there already"));
  EXPECT_THAT(drive({"recover", "--from", target(), "--into", here("x"), "--at", "2001-01-01"}).err,
              HasSubstr("the oldest snapshot there is of"));
  EXPECT_EQ(drive({"recover", "--from", target(), "--into", here("x"), "--at", "today"}).exit_code, 2);
  EXPECT_EQ(drive({"recover", "--from", target()}).exit_code, 2);
}

TEST_F(DriveBackupsTest, TheTargetHoldsNoNameNoContentAndNoKey) {
  done({"backup", "--to", target()});
  std::string key = done({"backup-key"});
  key.pop_back();
  ASSERT_EQ(key.size(), 39U);
  EXPECT_EQ(fs::status(pool().home() / "hub/backup-key").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  std::size_t files = 0;
  for (const fs::directory_entry& one : fs::recursive_directory_iterator(target())) {
    if (!one.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(one.path().string(), Not(HasSubstr(kMarker)));
    const std::string text = read_text(one.path());
    for (const std::string& secret :
         {std::string(kMarker), std::string("files"), key, key.substr(0, 4) + key.substr(5, 4)}) {
      EXPECT_FALSE(text.contains(secret)) << one.path();
    }
  }
  EXPECT_GT(files, 3U);
}

TEST_F(DriveBackupsTest, OneThatIsKilledIsGoneOnWith) {
  write(here("files/big"), noise(80 << 20));
  done({"put", "--replace", here("files/big"), "/files"});
  done({"backup", "--to", target(), "--every", "never"});
  const json before = told({"backups"})["targets"][0];
  write(here("files/big"), noise((80 << 20) + 1).substr(1));
  done({"put", here("files/big"), "/"});
  Process backup = pool().start_cli({"drive", "backup"});
  pid_t restic = 0;
  const auto is_at_work = [&] {
    const std::vector<pid_t> below = descendants_of(backup.pid());
    const auto found = std::ranges::find_if(below, [](pid_t one) {
      return command_line(one).starts_with("restic") && command_line(one).contains(" backup .");
    });
    if (found != below.end()) restic = *found;
    return restic != 0 && has_lock(target());
  };
  ASSERT_TRUE(eventually(seconds(30), is_at_work));
  ASSERT_EQ(::kill(restic, SIGKILL), 0);
  const Ended ended = backup.wait(seconds(60));
  EXPECT_EQ(ended.exit_code, 1) << ended.out;
  EXPECT_THAT(ended.err, HasSubstr("restic was ended by signal 9"));
  const json between = told({"backups"})["targets"][0];
  EXPECT_EQ(between["succeeded"], before["succeeded"]);
  EXPECT_NE(between["failure"], "");
  EXPECT_EQ(told({"backup"})["backups"][0]["snapshots"], 2);
  EXPECT_TRUE(fs::is_empty(fs::path(target()) / "locks")) << "the dead one's mark is left";
  EXPECT_THAT(done({"check-backup"}), HasSubstr("nothing is wrong"));
  done({"recover", "--from", target(), "--into", here("back")});
  EXPECT_EQ(contents(here("back")), contents(pool().home() / "drive"));
}

TEST_F(DriveBackupsTest, WhatAKilledOneHasLeftHereIsCleared) {
  write(here("files/big"), noise(80 << 20));
  done({"put", "--replace", here("files/big"), "/files"});
  const auto left = [&] {
    std::vector<fs::path> found;
    for (const fs::directory_entry& one : fs::directory_iterator(pool().home() / "cli")) {
      if (one.path().filename().string().starts_with("work-")) found.push_back(one.path());
    }
    return found;
  };
  Process backup = pool().start_cli({"drive", "backup", "--to", target()});
  std::vector<pid_t> tools;
  ASSERT_TRUE(eventually(seconds(30), [&] {
    tools = descendants_of(backup.pid());
    return !left().empty() && !tools.empty();
  }));
  backup.signal(SIGKILL);
  backup.wait(seconds(10));
  ASSERT_EQ(left().size(), 1U);
  for (const pid_t tool : tools) ::kill(tool, SIGKILL);
  ASSERT_TRUE(eventually(
      seconds(30), [&] { return std::ranges::all_of(tools, [](pid_t tool) { return command_line(tool).empty(); }); }));
  done({"backup", "--to", target()});
  EXPECT_TRUE(left().empty());
}

TEST_F(DriveBackupsTest, AFlippedByteIsFound) {
  done({"backup", "--to", target()});
  EXPECT_EQ(told({"check-backup"})["backups"][0]["damage"].size(), 0U);
  fs::path largest;
  for (const fs::directory_entry& one : fs::recursive_directory_iterator(fs::path(target()) / "data")) {
    if (one.is_regular_file() && (largest.empty() || one.file_size() > fs::file_size(largest))) largest = one.path();
  }
  fs::permissions(largest, fs::perms::owner_write, fs::perm_options::add);
  std::string bytes = read_text(largest);
  bytes[bytes.size() / 2] ^= 1;
  write(largest, bytes);
  const Ended checked = drive({"check-backup", target()});
  EXPECT_EQ(checked.exit_code, 1);
  EXPECT_THAT(checked.out, AllOf(HasSubstr("DAMAGED"), HasSubstr(largest.filename().string().substr(0, 8))));
  EXPECT_THAT(done({"backups"}), HasSubstr("DAMAGED"));
  EXPECT_EQ(told({"usage"})["backup"]["damaged"], 1);
  EXPECT_EQ(drive({"recover", "--from", target(), "--into", here("back")}).exit_code, 1);
}

TEST_F(DriveBackupsTest, TheKeyAloneOpensItOnANewPc) {
  ASSERT_EQ(pool().cli({"account", "set", "mia"}).exit_code, 0);
  done({"private", "mia", "--for", "mia"});
  write(here("files/a [1]*.txt"), "two");
  done({"put", "--replace", here("files/a [1]*.txt"), "/files"});
  write(here("files/a [1]*.txt"), "three");
  done({"put", "--replace", here("files/a [1]*.txt"), "/files"});
  done({"backup", "--to", target()});
  const std::string key = done({"backup-key"});
  write(here("key"), key);
  write(here("other-key"), "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa\n");
  write(here("no-key"), "hello\n");
  const auto elsewhere = [&](std::vector<std::string> words, const std::string& typed = "") {
    words.insert(words.begin(),
                 {"drive", "recover", "--home", here("new-pc"), "--from", target(), "--into", here("back")});
    return pool().cli(words, {.input = typed});
  };
  EXPECT_THAT(elsewhere({"--key-file", here("other-key")}).err, HasSubstr("was made with another key"));
  EXPECT_THAT(elsewhere({"--key-file", here("no-key")}).err, HasSubstr("this is no backup key"));
  EXPECT_THAT(elsewhere({}, "").err, HasSubstr("this is no backup key"));
  EXPECT_EQ(elsewhere({}, key).exit_code, 0);
  EXPECT_EQ(contents(here("back")), contents(pool().home() / "drive"));
  fs::remove_all(here("back"));
  EXPECT_EQ(elsewhere({"--key-file", here("key")}).exit_code, 0);

  // All of it in the place of the drive, before the first start: a drive as it was, with its past.
  Pool& fresh = add_pool("fresh");
  const Ended all =
      fresh.cli({"drive", "recover", "--from", target(), "--key-file", here("key"), "--into", fresh.home() / "drive"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  fresh.up();
  // The first one; what replaced it for less than 30 s may be thinned out by now.
  EXPECT_THAT(fresh.cli({"drive", "versions", "/files/a [1]*.txt"}).out, HasSubstr("36 bytes"));
  EXPECT_THAT(fresh.cli({"drive", "private"}).out, HasSubstr("/mia")) << "nobody's own folder is open to all there";
  const Ended wrong = fresh.cli({"drive", "backup", "--to", target(), "--key-file", here("other-key")});
  EXPECT_THAT(wrong.err, HasSubstr("was made with another key"));
  const Ended adopted = fresh.cli({"drive", "backup", "--to", target(), "--key-file", here("key"), "--json"});
  EXPECT_EQ(json::parse(adopted.out)["backups"][0]["snapshots"], 2) << adopted.err;
  EXPECT_EQ(fresh.cli({"drive", "backup-key"}).out, key);
}

TEST_F(DriveBackupsTest, InPlaceWhatDiffersIsBroughtBackAndNothingIsLost) {
  done({"backup", "--to", target()});
  write(here("files/big"), "encrypted by a virus");
  write(here("later"), "later");
  done({"put", "--replace", here("files/big"), "/files"});
  done({"put", here("later"), "/files"});
  done({"rm", "/files/sub"});
  const json back = told({"recover", "/files", "--from", target(), "--in-place"});
  EXPECT_EQ(back["files"], 2);
  EXPECT_EQ(back["same"], 1);
  EXPECT_EQ(back["left_out"], 0);
  const fs::path files = pool().home() / "drive/files";
  EXPECT_TRUE(read_text(files / "big") == noise(3 << 20));
  EXPECT_EQ(read_text(files / ("sub/" + std::string(kMarker) + ".txt")), "ü");
  EXPECT_EQ(read_text(files / "later"), "later");
  EXPECT_THAT(done({"versions", "/files/big"}), HasSubstr("20 bytes")) << "what was replaced is a version";
  // All of it: the drive's own is not among it, and nothing is left to do.
  const json again = told({"recover", "--from", target(), "--in-place"});
  EXPECT_EQ(again["files"], 0);
  EXPECT_EQ(again["same"], 3);
  EXPECT_EQ(drive({"recover", "--from", target(), "--in-place", "--into", here("x")}).exit_code, 2);
  // What cannot be put is told of, and keeps nothing else from coming back.
  done({"rm", "/files"});
  write(here("files.txt"), "a file in the folder's place");
  fs::rename(here("files.txt"), files);
  const Ended partly = drive({"recover", "--from", target(), "--in-place"});
  EXPECT_EQ(partly.exit_code, 1);
  EXPECT_THAT(partly.err, HasSubstr("1 left out, see above"));
  EXPECT_EQ(read_text(files), "a file in the folder's place");
}

TEST_F(DriveBackupsTest, ADiskThatIsAwayIsSaidAndNothingIsMadeInItsPlace) {
  done({"backup", "--to", target()});
  fs::rename(here("disk"), here("away"));
  EXPECT_THAT(drive({"backup"}).err, HasSubstr("is the disk plugged in and mounted?"));
  EXPECT_FALSE(fs::exists(here("disk")));
  fs::create_directories(target());
  EXPECT_THAT(drive({"backup"}).err, HasSubstr("is the disk plugged in and mounted?"));
  EXPECT_TRUE(fs::is_empty(target())) << "a new backup was begun on what lies below a mount point";
  EXPECT_THAT(done({"backups"}), HasSubstr("not there at the last attempt"));
  EXPECT_EQ(told({"usage"})["backup"]["away"], 1);
  fs::remove_all(here("disk"));
  fs::rename(here("away"), here("disk"));
  EXPECT_EQ(told({"backup"})["backups"][0]["snapshots"], 2);
  EXPECT_THAT(drive({"backup", "--to", here("none/there")}).err, HasSubstr("there is no directory"));
}

TEST_F(DriveBackupsTest, OldSnapshotsAreThinnedOutUnlessAllAreToBeKept) {
  done({"backup", "--to", target()});
  for (int i = 0; i < 3; ++i) done({"backup"});
  EXPECT_EQ(told({"backups"})["targets"][0]["snapshots"].size(), 3U);
  for (int i = 0; i < 2; ++i) done({"backup", "--keep-all"});
  EXPECT_EQ(told({"backups"})["targets"][0]["snapshots"].size(), 5U);
}

TEST_F(DriveBackupsTest, ADiskThatIsFullOrReadOnlyIsSaidToBeSo) {
  // In a namespace of mounts of their own, commands see a small disk; nobody else does.
  // Where restic waits for itself for ever, it is ended after three minutes.
  const std::string program = hearth_program() + " drive backup --to " + here("small/hearth").string();
  const std::string script = "mount -t tmpfs -o size=10m none " + here("small").string() + " || exit 77; " + program +
                             " || exit 78; head -c 20000000 /dev/urandom > " +
                             (pool().home() / "drive/large").string() + "; " + program +
                             " && exit 79; mount -o remount,ro " + here("small").string() + "; " + program +
                             " && exit 79; " + hearth_program() + " drive check-backup";
  fs::create_directories(here("small"));
  const Ended ended = run_program({"unshare", "-m", "--map-root-user", "sh", "-c", script},
                                  {.env = {{"HEARTH_HOME", pool().home()}}, .limit = seconds(280)});
  if (ended.exit_code == 77 || ended.err.contains("unshare")) {
    GTEST_SKIP() << "SKIPPED: no file system can be mounted here: " << ended.err;
  }
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("there is no room left"), HasSubstr("it is mounted read-only")));
  EXPECT_THAT(ended.out, HasSubstr("nothing is wrong"));
}

TEST_F(DriveBackupsTest, TheHubTakesOneADayByItself) {
  done({"backup", "--to", target(), "--every", "day"});
  // A day later.
  const fs::path remembered = pool().home() / "hub/backups";
  json targets = json::parse(read_text(remembered));
  EXPECT_EQ(targets["targets"][0]["daily"], true);
  targets["targets"][0]["tried"] = 1'000;
  write(remembered, targets.dump());
  // The hub may have begun one by now, which it makes when it is back.
  pool().down();
  pool().up();
  const auto snapshots = [&] { return told({"backups"})["targets"][0]["snapshots"].size(); };
  EXPECT_TRUE(eventually(seconds(120), [&] { return snapshots() == 2; }));
  EXPECT_THAT(drive({"usage"}).err, HasSubstr("last backup: "));
}

TEST_F(DriveBackupsTest, SaysWhatIsWrong) {
  EXPECT_EQ(drive({"backup"}).exit_code, 2);
  EXPECT_FALSE(told({"usage"}).contains("backup"));
  EXPECT_THAT(drive({"backup-key"}).err, HasSubstr("there is no key yet"));
  EXPECT_THAT(drive({"backup", "--to", pool().home() / "drive/x"}).err, HasSubstr("in the drive itself"));
  EXPECT_THAT(drive({"backup", "--to", here("files")}).err, HasSubstr("other things lie there"));
  EXPECT_THAT(drive({"backup", "--to", here("files/big")}).err, HasSubstr("it is no directory"));
  EXPECT_THAT(drive({"backup", "--to", "s3:bucket"}).err, HasSubstr("sftp:USER@HOST:/DIR"));
  EXPECT_EQ(drive({"backup", "--to", target(), "--every", "hour"}).exit_code, 2);
  EXPECT_EQ(told({"backups"})["targets"].size(), 0U) << "what was never reached is remembered";
  done({"backup", "--to", target()});
  EXPECT_THAT(drive({"forget-backup", here("none")}).err, HasSubstr("no backup goes there"));
  done({"forget-backup", target()});
  EXPECT_EQ(told({"backups"})["targets"].size(), 0U);
  EXPECT_EQ(told({"backup", "--to", target()})["backups"][0]["snapshots"], 2) << "what lay there was not gone on with";
  // A user's own settings of restic are none of this.
  pool().set_env("RESTIC_REPOSITORY", "/nowhere");
  pool().set_env("RESTIC_PASSWORD_FILE", "/nowhere");
  done({"backup"});
}

}  // namespace
}  // namespace hearth::e2e
