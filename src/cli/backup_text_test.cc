#include "cli/backup_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime kNow{1'800'000'000'000};
constexpr std::int64_t kHour = 3'600'000;

WallTime before(std::int64_t hours) { return {kNow.unix_millis - hours * kHour}; }

TEST(BackupTarget, IsADirectoryOrAnAddress) {
  EXPECT_EQ(parse_target("--to", "/media/usb/hearth/", "/home/mia"), "/media/usb/hearth");
  EXPECT_EQ(parse_target("--to", "usb/../disk", "/home/mia"), "/home/mia/disk");
  EXPECT_EQ(parse_target("--to", "sftp:mia@nas:/backup", "/"), "sftp:mia@nas:/backup");
  EXPECT_EQ(parse_target("--to", "rest:https://nas/mia/", "/"), "rest:https://nas/mia/");
  EXPECT_EQ(parse_target("--to", "hearth:10.0.0.7:7443", "/"), "hearth:10.0.0.7:7443");
  for (const char* wrong : {"", "s3:bucket", "rest:nas", "b2:x", "a\nb"}) {
    const Result<std::string> parsed = parse_target("--to", wrong, "/");
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(parse_target("--to", std::string(5'000, 'a'), "/"));
}

TEST(BackupTarget, IsShownWithoutItsPassword) {
  EXPECT_EQ(shown_target("rest:https://mia:secret@nas/x/"), "rest:https://mia:***@nas/x/");
  EXPECT_EQ(shown_target("rest:https://nas:8000/a@b"), "rest:https://nas:8000/a@b");
  EXPECT_EQ(shown_target("/media/a:b@c"), "/media/a:b@c");
  EXPECT_THAT(explain_restic("wrong password or no key found", "rest:https://mia:secret@nas/x/").message,
              Not(HasSubstr("secret")));
}

TEST(BackupTarget, IsRemembered) {
  const std::vector<BackupTarget> targets = {{.where = "/a",
                                              .repository = "ab",
                                              .daily = true,
                                              .keeps_all = true,
                                              .succeeded = kNow,
                                              .files = 3,
                                              .bytes = 4,
                                              .held_bytes = 5,
                                              .snapshots = 6,
                                              .tried = before(1),
                                              .failure = "no",
                                              .was_away = true,
                                              .checked = before(2),
                                              .damage = "yes"},
                                             {.where = "sftp:nas:/b"}};
  EXPECT_EQ(parse_targets(format_targets(targets)), targets);
  for (const char* wrong : {"", "{}", "[]", R"({"targets":[1]})", R"({"targets":[{}]})"}) {
    EXPECT_FALSE(parse_targets(wrong)) << wrong;
  }
}

TEST(BackupTarget, IsDueOnceADayAndSoonerAfterAFailure) {
  EXPECT_FALSE(is_backup_due({.where = "/a"}, kNow)) << "nobody asked for it";
  EXPECT_TRUE(is_backup_due({.where = "/a", .daily = true}, kNow));
  EXPECT_FALSE(is_backup_due({.where = "/a", .daily = true, .tried = before(19)}, kNow));
  EXPECT_TRUE(is_backup_due({.where = "/a", .daily = true, .tried = before(20)}, kNow));
  EXPECT_TRUE(is_backup_due({.where = "/a", .daily = true, .tried = before(1), .failure = "x"}, kNow));
  EXPECT_FALSE(is_backup_due({.where = "/a", .daily = true, .tried = before(0), .failure = "x"}, kNow));
  EXPECT_TRUE(is_backup_due({.where = "/a", .daily = true, .tried = kNow, .failure = "x", .was_away = true}, kNow));
  EXPECT_TRUE(is_backup_due({.where = "/a", .daily = true, .tried = before(-500)}, kNow)) << "the clock was set back";
}

TEST(BackupTarget, TellsHowItStands) {
  EXPECT_EQ(target_state({.where = "/a"}, kNow), "none yet");
  EXPECT_EQ(target_state({.where = "/a", .succeeded = before(48)}, kNow), "2 d ago");
  EXPECT_EQ(target_state({.where = "/a", .succeeded = before(48), .failure = "x", .was_away = true}, kNow),
            "2 d ago; not there at the last attempt");
  EXPECT_EQ(target_state({.where = "/a", .succeeded = before(24 * 8), .failure = "x", .damage = "y"}, kNow),
            "8 d ago, old; DAMAGED; the last attempt failed");
}

TEST(BackupKey, IsWrittenAndReadAsPeopleWriteIt) {
  const std::string key = format_backup_key(std::string(kBackupKeyBytes, '\xff'));
  EXPECT_EQ(key, "7777-7777-7777-7777-7777-7777-7777-7777");
  EXPECT_EQ(format_backup_key(std::string(kBackupKeyBytes, '\0')), "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa");
  // RFC 4648: "foobar" is mzxw6ytboi.
  EXPECT_EQ(format_backup_key("foobarfoobarfoobarfo").substr(0, 11), "mzxw-6ytb-o");
  EXPECT_EQ(parse_backup_key(" 7777777777777777 7777-7777-7777-7777\n"), key);
  EXPECT_EQ(parse_backup_key("AAAAaaaaAAAAaaaaAAAAaaaaAAAAaaaa"), "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa");
  for (const std::string& wrong : {std::string(), key + "7", key.substr(1), "8" + key.substr(1), "\xc3\xa4" + key}) {
    EXPECT_FALSE(parse_backup_key(wrong)) << wrong;
  }
}

TEST(Snapshots, AreReadInTheirOrder) {
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  const Result<std::vector<Snapshot>> snapshots =
      parse_snapshots(R"([{"time":"2026-11-27T19:27:00.758514614Z","id":")" + b + R"("},)" +
                      R"({"time":"2026-11-27T20:26:59+01:00","id":")" + a + R"("}])");
  ASSERT_TRUE(snapshots);
  EXPECT_THAT(*snapshots, ElementsAre(Snapshot{a, {1'795'807'619'000}}, Snapshot{b, {1'795'807'620'758}}));
  EXPECT_EQ(parse_snapshots("null"), std::vector<Snapshot>());
  for (const char* wrong : {"", "{}", "[1]", R"([{"time":"yesterday","id":"ab"}])", R"([{"id":"ab"}])"}) {
    EXPECT_FALSE(parse_snapshots(wrong)) << wrong;
  }
}

TEST(Snapshots, TheNewestThatIsNotYoungerIsMeant) {
  const std::vector<Snapshot> all = {{"aa11", {1'000}}, {"aa22", {2'000}}, {"bb33", {3'000}}};
  EXPECT_EQ(choose_snapshot(all, "", std::nullopt)->id, "bb33");
  EXPECT_EQ(choose_snapshot(all, "", WallTime{2'000})->id, "aa22");
  EXPECT_EQ(choose_snapshot(all, "", WallTime{2'999})->id, "aa22");
  EXPECT_EQ(choose_snapshot(all, "aa1", std::nullopt)->id, "aa11");
  EXPECT_EQ(choose_snapshot(all, "aa", std::nullopt).error().code, Code::kInvalidArgument);
  EXPECT_EQ(choose_snapshot(all, "c", std::nullopt).error().code, Code::kNotFound);
  EXPECT_THAT(choose_snapshot(all, "", WallTime{500}).error().message, HasSubstr("1970-01-01 00:00:01"));
  EXPECT_EQ(choose_snapshot({}, "", std::nullopt).error().code, Code::kNotFound);
}

TEST(Snapshots, AMomentIsADayOrATimeInUtc) {
  EXPECT_EQ(parse_moment("--at", "1970-01-01")->unix_millis, 86'399'999);
  EXPECT_EQ(parse_moment("--at", "1970-01-02 00:00")->unix_millis, 86'400'999);
  EXPECT_EQ(parse_moment("--at", "1970-01-02T00:00:01")->unix_millis, 86'401'999);
  for (const char* wrong : {"", "yesterday", "1970-02-30", "1970-02-30 10:00", "1970-01-02 25:00", "1970-01-02 1"}) {
    EXPECT_FALSE(parse_moment("--at", wrong)) << wrong;
  }
}

TEST(ResticSays, HowFarItIs) {
  EXPECT_EQ(backup_progress(R"({"message_type":"status","percent_done":0.5,"total_bytes":2048,"bytes_done":1024})"),
            "50 %, 1 KiB of 2 KiB");
  EXPECT_EQ(backup_progress(R"({"message_type":"status","percent_done":0})"), "looking at what is there");
  for (const char* other : {"", "{", "[]", R"({"message_type":"summary"})"}) EXPECT_EQ(backup_progress(other), "");
}

TEST(ResticSays, WhatItHasDone) {
  const Result<BackupSummary> summary = parse_summary(
      "{\"message_type\":\"status\"}\n{\"message_type\":\"summary\",\"data_added\":7,"
      "\"total_files_processed\":2,\"total_bytes_processed\":9,\"snapshot_id\":\"cd94f88e\"}\n");
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->snapshot, "cd94f88e");
  EXPECT_EQ(summary->files, 2U);
  EXPECT_EQ(summary->bytes, 9U);
  EXPECT_EQ(summary->added_bytes, 7U);
  for (const char* wrong : {"", "{\"message_type\":\"status\"}", "\"message_type\":\"summary\""}) {
    EXPECT_FALSE(parse_summary(wrong)) << wrong;
  }
}

TEST(ResticSays, WhatASnapshotHas) {
  const Result<std::vector<SnapshotEntry>> entries = parse_entries(
      "{\"struct_type\":\"snapshot\"}\n"
      "{\"struct_type\":\"node\",\"type\":\"dir\",\"path\":\"/a\"}\n"
      "{\"struct_type\":\"node\",\"type\":\"file\",\"path\":\"/a/b\",\"size\":5}\n");
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_TRUE(entries->front().folder);
  EXPECT_EQ(entries->back().path, "/a/b");
  EXPECT_EQ(entries->back().bytes, 5U);
  EXPECT_FALSE(parse_entries(R"({"struct_type":"node"})"));
}

TEST(ResticSays, WhatWentWrong) {
  const auto code = [](const char* said) { return explain_restic(said, "/a").code; };
  constexpr const char* kWhere = "Is there a repository at the following location?\n/a\n";
  EXPECT_EQ(code("Fatal: wrong password or no key found"), Code::kUnauthenticated);
  EXPECT_EQ(
      code(("Fatal: unable to open config file: stat /a/config: no such file or directory\n" + std::string(kWhere))
               .c_str()),
      Code::kNotFound);
  EXPECT_EQ(
      code(("Fatal: unable to open config file: client.Head: dial tcp: connection refused\n" + std::string(kWhere))
               .c_str()),
      Code::kUnavailable);
  EXPECT_EQ(code("unable to create lock in backend: repository is already locked by PID 7"), Code::kAborted);
  EXPECT_EQ(code("write /a/x: no space left on device"), Code::kResourceExhausted);
  EXPECT_EQ(code("open /a/locks/x: read-only file system"), Code::kFailedPrecondition);
  EXPECT_EQ(code("open /a/config: permission denied"), Code::kPermissionDenied);
  EXPECT_EQ(code("unable to open repository at local:/a: ReadDir: open /a/keys: not a directory"), Code::kNotFound);
  EXPECT_EQ(code("ciphertext verification failed"), Code::kDataLoss);
  const Error other = explain_restic("something\x1b[1m new\nmain.main\n?/usr/x.go:5\nruntime.goexit\n", "/a");
  EXPECT_EQ(other.code, Code::kInternal);
  EXPECT_EQ(other.message, "/a: restic failed\n  something?[1m new\n  main.main");
}

TEST(ResticSays, ThatItTriesInVain) {
  EXPECT_TRUE(
      is_hopeless("Save(<lock/134a337e79>) returned error, retrying after 552.330144ms: open /a/locks/1-tmp-2: "
                  "read-only file system\n"));
  EXPECT_TRUE(is_hopeless("x\nSave(<data/4a>) returned error, retrying after 1s: write /a/x: disk quota exceeded\n"));
  EXPECT_FALSE(is_hopeless("Save(<data/4a>) returned error, retrying after 1s: dial tcp: connection refused\n"));
  EXPECT_FALSE(is_hopeless("open /b/x: read-only file system\n")) << "one of the files, which is left out";
}

TEST(ResticSays, WhatIsBroken) {
  EXPECT_THAT(parse_damage("create exclusive lock for repository\nPack ID does not match, want a, got b\n"
                           "Fatal: repository contains errors\n"),
              ElementsAre("Pack ID does not match, want a, got b"));
  EXPECT_THAT(parse_damage(""), ElementsAre(HasSubstr("did not say where")));
}

TEST(ResticSays, APathIsMeantAsItIs) { EXPECT_EQ(exact_pattern("/a[1]*?\\"), "/a\\[1\\]\\*\\?\\\\"); }

}  // namespace
}  // namespace hearth::cli
