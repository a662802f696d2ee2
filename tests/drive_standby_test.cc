// The drive of a pool whose hub has a copy on a second PC: what must be there after the first is lost, and what becomes
// of what only that one had.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/api.h"
#include "harness/hubs.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class DriveStandbyTest : public PoolFixture {
 protected:
  // "BODY\nSTATUS" of whoever holds the pool.
  std::string dav(const Pool& pc, std::vector<std::string> options, const std::string& path) {
    if (token_.empty()) {
      const std::string made = pool().cli({"token", "new", "files", "--ring", "home"}).out;
      token_ = made.substr(0, made.find('\n'));
    }
    options.insert(options.begin(),
                   {"curl", "-sS", "--max-time", "30", "--cacert", pc.home() / "hub" / "certificate.pem", "-w",
                    "\n%{http_code}", "-u", "anybody:" + token_});
    options.push_back("https://127.0.0.1:" + std::to_string(pc.endpoint().port) + path);
    const Ended ended = run_program(options);
    return ended.out + ended.err;
  }
  std::string put(const Pool& pc, const std::string& path, const std::string& text) {
    return dav(pc, {"-X", "PUT", "-d", text}, "/dav" + path);
  }
  static fs::path file(const Pool& pc, const std::string& name) { return pc.home() / "drive" / name; }
  bool is_whole_soon(const Pool& pc) {
    return eventually(seconds(60), [&] { return has_whole_drive(pc); });
  }
  static std::string logs(const Pool& pc) { return pc.cli({"status"}).out + read_text(pc.home() / "log"); }

 private:
  std::string token_;
};

TEST_F(DriveStandbyTest, TheDriveIsServedFromTheCopyWhenItsPcIsLost) {
  Pool& attic = add_pool("attic");
  ASSERT_EQ(dav(pool(), {"-X", "MKCOL"}, "/dav/photos/"), "\n201");
  ASSERT_EQ(put(pool(), "/photos/before.jpg", "before"), "\n201");
  stand_by(pool(), attic);
  ASSERT_TRUE(is_whole_soon(pool())) << logs(pool()) << read_text(attic.home() / "log");
  EXPECT_EQ(read_text(file(attic, "photos/before.jpg")), "before");
  // What tells of the drive is for the other hub alone.
  EXPECT_THAT(dav(pool(), {}, "/hub/drive/file?path=photos/before.jpg"), Not(HasSubstr("before")));
  EXPECT_THAT(dav(pool(), {"-X", "POST", "-d", ""}, "/hub/drive/look"), Not(HasSubstr("200")));
  // What comes while it stands by; and all that is said of files.
  ASSERT_EQ(put(pool(), "/photos/after.jpg", "after"), "\n201");
  ASSERT_EQ(put(pool(), "/report", "first"), "\n201");
  ASSERT_EQ(put(pool(), "/report", "second"), "\n204");
  ASSERT_EQ(put(pool(), "/gone", "gone"), "\n201");
  ASSERT_EQ(dav(pool(), {"-X", "DELETE"}, "/dav/gone"), "\n204");
  ASSERT_EQ(pool().cli({"account", "set", "mia"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"drive", "private", "mia", "--for", "mia"}).exit_code, 0);
  const Ended link = pool().cli({"drive", "share", "/report"});
  ASSERT_EQ(link.exit_code, 0) << link.err;
  ASSERT_TRUE(is_whole_soon(pool())) << logs(pool());
  EXPECT_THAT(pool().cli({"standby"}).out, HasSubstr("the drive: its copy is whole"));
  const Ended local = attic.cli({"drive", "ls", "/"});
  EXPECT_EQ(local.exit_code, 0) << "the one that stands by passes on to the holder: " << local.err;

  const pid_t hub = pool().hub_process();
  lose_hub(pool(), SIGKILL);
  const Ended promoted = attic.cli({"standby", "promote", "--force"});
  ASSERT_EQ(promoted.exit_code, 0) << promoted.err;
  EXPECT_THAT(promoted.err, HasSubstr("the drive is served from the copy here"));
  EXPECT_EQ(dav(attic, {}, "/dav/photos/before.jpg"), "before\n200");
  EXPECT_EQ(dav(attic, {}, "/dav/photos/after.jpg"), "after\n200");
  EXPECT_EQ(dav(attic, {}, "/dav/report"), "second\n200");
  EXPECT_THAT(attic.cli({"drive", "versions", "/report"}).out, HasSubstr("5 bytes"));
  EXPECT_THAT(attic.cli({"drive", "trash"}).out, HasSubstr("/gone"));
  EXPECT_THAT(attic.cli({"drive", "private"}).out, HasSubstr("/mia"));
  EXPECT_THAT(dav(attic, {}, "/dav/mia/"), HasSubstr("\n403")) << "it is nobody else's there, too";
  EXPECT_THAT(attic.cli({"drive", "links"}).out, HasSubstr("/report"));
  EXPECT_EQ(put(attic, "/photos/later.jpg", "later"), "\n201");

  // It comes back with a file that the copy never had.
  std::ofstream(file(pool(), "late.txt")) << "only there";
  bring_back_hub(pool(), hub);
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(attic) && has_whole_drive(attic); })) << logs(attic);
  EXPECT_TRUE(stands_by(pool()));
  EXPECT_THAT(dav(pool(), {"-k"}, "/dav/report"), HasSubstr("\n503")) << "it serves nothing";
  EXPECT_THAT(dav(pool(), {"-k", "-T", "-"}, "/dav/report"), HasSubstr("\n503"));
  EXPECT_EQ(read_text(file(pool(), "photos/later.jpg")), "later");
  EXPECT_FALSE(fs::exists(file(pool(), "late.txt")));
  EXPECT_THAT(attic.cli({"standby"}).out, AllOf(HasSubstr("1 files that the drive of"), HasSubstr(".hearth/aside")));
  const fs::path stay = fs::directory_iterator(file(pool(), ".hearth/aside"))->path();
  EXPECT_EQ(read_text(stay / "late.txt"), "only there");
}

TEST_F(DriveStandbyTest, ACopyThatIsKilledGoesOnWithWhatItHas) {
  Pool& attic = add_pool("attic");
  fs::create_directories(file(pool(), "many"));
  for (int i = 0; i < 300; ++i) std::ofstream(file(pool(), "many/" + std::to_string(i))) << "file " << i;
  std::string film;
  for (int i = 0; film.size() < 6'000'000; ++i) film += std::to_string(i) + " ";
  std::ofstream(file(pool(), "film")) << film;
  stand_by(pool(), attic, "127.0.0.1", {"--drive-rate", "1M"});
  const auto half = [&] {
    std::error_code absent;
    for (const auto& found : fs::directory_iterator(file(attic, ".hearth/new"), absent)) {
      if (found.path().filename().string().starts_with("copy-")) return fs::file_size(found.path(), absent);
    }
    return std::uintmax_t{0};
  };
  ASSERT_TRUE(eventually(seconds(30), [&] { return half() > 1'000'000; })) << read_text(attic.home() / "log");
  const pid_t killed = attic.hub_process();
  ::kill(killed, SIGKILL);
  EXPECT_FALSE(fs::exists(file(attic, "film"))) << "whole, or not at all";
  EXPECT_GT(half(), 1'000'000U);
  // While its hub is not there, the first one's dies, too.
  ::kill(pool().hub_process(), SIGKILL);
  ASSERT_TRUE(is_whole_soon(pool())) << logs(pool()) << read_text(attic.home() / "log");
  EXPECT_NE(attic.hub_process(), killed);
  EXPECT_EQ(read_text(file(attic, "film")), film);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(read_text(file(attic, "many/" + std::to_string(i))), "file " + std::to_string(i));
  }
  EXPECT_EQ(half(), 0U);
}

TEST_F(DriveStandbyTest, AWitnessLetsTheDriveBeServedByItself) {
  Pool& attic = add_pool("attic");
  stand_by(pool(), attic);
  Pool& third = add_pool("cellar");
  join(pool(), third, "cellar");
  ASSERT_EQ(pool().cli({"standby", "witness", "cellar"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return read_text(third.home() / "log").contains("noted who holds"); }));
  ASSERT_EQ(put(pool(), "/a", "a"), "\n201");
  ASSERT_TRUE(is_whole_soon(pool())) << logs(pool());
  const pid_t hub = pool().hub_process();
  lose_hub(pool(), SIGSTOP);
  await_holder(attic);
  EXPECT_EQ(dav(attic, {}, "/dav/a"), "a\n200");
  EXPECT_EQ(put(attic, "/b", "b"), "\n201");
  // One that only stood still must not take what it is given, as if nothing had been.
  bring_back_hub(pool(), hub);
  EXPECT_THAT(put(pool(), "/late", "late"), Not(HasSubstr("\n201")));
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(attic) && has_whole_drive(attic); })) << logs(attic);
  EXPECT_EQ(read_text(file(pool(), "b")), "b");
}

TEST_F(DriveStandbyTest, AFolderWithOtherFilesIsRefusedBeforeAnythingIsDone) {
  Pool& attic = add_pool("attic");
  fs::create_directories(file(attic, "."));
  std::ofstream(file(attic, "mine.txt")) << "mine";
  Api owner(pool());
  const Ended refused = attic.cli({"up", "--address", "127.0.0.1", "--port", "0", "--no-invite", "--standby-of",
                                   invite(owner, v1::ROLE_OWNER).links(0)});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("has other files"), HasSubstr("--home")));
  EXPECT_EQ(read_text(file(attic, "mine.txt")), "mine");
  EXPECT_FALSE(fs::exists(attic.home() / "hub" / "pool.db"));
  EXPECT_THAT(pool().cli({"standby"}).out, HasSubstr("no other hub stands by"));
}

TEST_F(DriveStandbyTest, WhoeverHandsThePoolOverHandsTheDriveOverFirst) {
  Pool& attic = add_pool("attic");
  stand_by(pool(), attic);
  ASSERT_TRUE(is_whole_soon(pool())) << logs(pool());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(put(pool(), "/" + std::to_string(i), std::to_string(i)), "\n201");
  std::ofstream(file(pool(), "past the hub")) << "by a file manager";
  const Ended promoted = attic.cli({"standby", "promote"});
  ASSERT_EQ(promoted.exit_code, 0) << promoted.err;
  EXPECT_EQ(read_text(file(attic, "past the hub")), "by a file manager");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(dav(attic, {}, "/dav/" + std::to_string(i)), std::to_string(i) + "\n200");
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(attic) && has_whole_drive(attic); })) << logs(attic);
  EXPECT_FALSE(fs::exists(file(pool(), ".hearth/aside"))) << "nothing differs";
  // One whose copy cannot be kept does not get the pool without being told what stays behind.
  pool().down();
  fs::remove_all(pool().home() / "drive");
  fs::create_directories(file(pool(), "."));
  std::ofstream(file(pool(), "other")) << "other";
  ASSERT_EQ(pool().cli({"up", "--no-invite"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(attic); })) << logs(attic);
  ASSERT_TRUE(eventually(seconds(30), [&] {
    return attic.cli({"standby"}).out.find("has other files") != std::string::npos;
  })) << logs(attic);
  const Ended refused = pool().cli({"standby", "promote"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("the drive is not in step"), HasSubstr("--force")));
  EXPECT_EQ(put(attic, "/20", "20"), "\n201") << "it goes on";
}

}  // namespace
}  // namespace hearth::e2e
