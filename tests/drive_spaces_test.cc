// Backups on another PC, within the space that its owner has granted: a friend's, and a node of the same pool.
#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "harness/raw.h"
#include "net/crypto.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kMarker = "MARKER-THAT-THE-FRIEND-MAY-NOT-READ";

class DriveSpacesTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    friend_ = &add_pool("friend");
    friend_->up();
  }

  fs::path here(const std::string& name) { return scratch().path() / name; }
  Pool& other() { return *friend_; }
  static std::string done(const Pool& pool, std::vector<std::string> words) {
    words.insert(words.begin(), "drive");
    const Ended ended = pool.cli(words, {.limit = seconds(120)});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  }
  static std::string noise(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t state = 0x9E3779B97F4A7C15 + size;
    for (char& byte : bytes) {
      state = state * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
      byte = static_cast<char>(state >> 56);
    }
    return bytes;
  }

 private:
  Pool* friend_ = nullptr;
};

// The pool's drive has a big file, and one whose name and content nobody else may read.
class DriveBackupsElsewhereTest : public DriveSpacesTest {
 protected:
  void SetUp() override {
    if (!fs::exists("/usr/bin/restic")) GTEST_SKIP() << "SKIPPED: restic is not installed (apt install restic)";
    DriveSpacesTest::SetUp();
    fs::create_directories(here("files"));
    write_text(here("files/" + std::string(kMarker)), kMarker);
    write_text(here("files/big"), noise(2 << 20));
    done(pool(), {"put", "-r", here("files"), "/"});
  }

  static void expect_unreadable(const fs::path& place) {
    std::size_t files = 0;
    for (const fs::directory_entry& one : fs::recursive_directory_iterator(place)) {
      EXPECT_THAT(one.path().string(), Not(HasSubstr(kMarker)));
      if (!one.is_regular_file()) continue;
      ++files;
      EXPECT_FALSE(read_text(one.path()).contains(kMarker)) << one.path();
      EXPECT_EQ(one.status().permissions() & (fs::perms::group_all | fs::perms::others_all), fs::perms::none);
    }
    EXPECT_GT(files, 4U);
  }
};

class DriveBackupsToAFriendTest : public DriveBackupsElsewhereTest {
 protected:
  void SetUp() override {
    DriveBackupsElsewhereTest::SetUp();
    if (IsSkipped()) return;
    where_ = "hearth:127.0.0.1:" + std::to_string(other().endpoint().port);
  }

  const std::string& where() const { return where_; }
  // Pairs with the friend's PC, who lets it in, and has granted nothing yet.
  std::string pair(const Pool& pool, std::vector<std::string> words) {
    Api owner(other());
    words.push_back(invite(owner).links(0));
    Process pairing = pool.start_cli(words);
    const std::string begin = "this PC shows ";
    EXPECT_TRUE(eventually(seconds(30), [&] { return pairing.err().contains(begin); })) << pairing.err();
    const std::string digits = pairing.err().substr(pairing.err().find(begin) + begin.size(), 7);
    EXPECT_TRUE(answer(owner, pending_with(owner, digits.substr(0, 3) + digits.substr(4)), true));
    const Ended ended = pairing.wait(seconds(60));
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr("no space is granted to this PC there"));
    const auto devices = owner.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
    if (!devices) return "";
    return std::ranges::max_element(devices->devices(), {}, &v1::Device::id)->name();
  }

 private:
  std::string where_;
};

TEST_F(DriveBackupsToAFriendTest, IsMadeRecoveredAndUnreadableThere) {
  const std::string name = pair(pool(), {"drive", "backup", "--to"});
  done(other(), {"grant-space", name, "100M"});
  EXPECT_THAT(done(pool(), {"backup", "--to", where()}), HasSubstr("1 snapshot there now"));
  write_text(here("files/big"), noise(1 << 20));
  done(pool(), {"put", "--replace", here("files/big"), "/files"});
  EXPECT_THAT(done(pool(), {"backup"}), HasSubstr("2 snapshots there now"));
  EXPECT_THAT(done(pool(), {"check-backup"}), HasSubstr("nothing is wrong"));
  const json backups = json::parse(done(pool(), {"backups", "--json"}))["targets"][0];
  const std::string oldest = backups["snapshots"][0]["id"];
  done(pool(), {"recover", "--from", where(), "--snapshot", oldest, "--into", here("old")});
  EXPECT_TRUE(read_text(here("old/files/big")) == noise(2 << 20));
  EXPECT_EQ(read_text(here("old/files/" + std::string(kMarker))), kMarker);

  expect_unreadable(other().home() / "hub/spaces");
  EXPECT_THAT(done(other(), {"grant-space"}), AllOf(HasSubstr(name), HasSubstr("100 MiB")));

  // The PC burns: a new one, with the key alone, is given what the old one had.
  write_text(here("key"), done(pool(), {"backup-key"}));
  Pool& fresh = add_pool("fresh");
  fresh.up();
  done(fresh, {"mkdir", "/x"});
  const std::string successor = pair(fresh, {"drive", "backup", "--key-file", here("key"), "--to"});
  done(other(), {"grant-space", successor, "100M", "--of", name});
  done(fresh, {"recover", "--from", where(), "--into", here("new"), "--key-file", here("key")});
  EXPECT_TRUE(read_text(here("new/files/big")) == noise(1 << 20));
  const Ended gone = pool().cli({"drive", "backup"});
  EXPECT_THAT(gone.err, HasSubstr("no space is granted to this PC there"));
}

TEST_F(DriveBackupsToAFriendTest, AFullSpaceIsSaidAndStaysWithinItsSize) {
  const std::string name = pair(pool(), {"drive", "backup", "--to"});
  done(other(), {"grant-space", name, "16M"});
  done(pool(), {"backup", "--to", where()});
  write_text(here("files/huge"), noise(24 << 20));
  done(pool(), {"put", here("files/huge"), "/"});
  const Ended full = pool().cli({"drive", "backup"}, {.limit = seconds(120)});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("the granted space is full"));
  const json spaces = json::parse(done(other(), {"grant-space", "--json"}))["spaces"];
  EXPECT_LE(spaces[0]["held_bytes"], 16 << 20);
  // What was there is whole, and more room lets it go on.
  EXPECT_THAT(done(pool(), {"check-backup"}), HasSubstr("nothing is wrong"));
  done(other(), {"grant-space", name, "100M", "--append-only"});
  EXPECT_THAT(done(pool(), {"backup"}), HasSubstr("2 snapshots there now"));
  const json target = json::parse(done(pool(), {"backups", "--json"}))["targets"][0];
  EXPECT_EQ(target["failure"], "");
}

TEST_F(DriveBackupsToAFriendTest, NothingIsRemovedFromAnAppendOnlySpace) {
  const std::string name = pair(pool(), {"drive", "backup", "--to"});
  done(other(), {"grant-space", name, "100M", "--append-only"});
  done(pool(), {"backup", "--to", where()});
  for (int more = 2; more <= 5; ++more) {
    const json backup = json::parse(done(pool(), {"backup", "--json"}))["backups"][0];
    EXPECT_EQ(backup["snapshots"], more);
    EXPECT_EQ(backup["remarks"].size(), 0U) << backup;
  }
  EXPECT_EQ(json::parse(done(pool(), {"backups", "--json"}))["targets"][0]["keeps_all"], true);
  EXPECT_THAT(done(pool(), {"check-backup"}), HasSubstr("nothing is wrong"));
}

class DriveBackupsToANodeTest : public DriveBackupsElsewhereTest {
 protected:
  void SetUp() override {
    DriveBackupsElsewhereTest::SetUp();
    if (IsSkipped()) return;
    cellar_ = &add_pool("cellar");
    join(pool(), cellar(), "cellar");
  }
  Pool& cellar() { return *cellar_; }
  fs::path kept() { return cellar().home() / "node/space"; }
  std::string refusal(const Pool& at, std::vector<std::string> words) {
    words.insert(words.begin(), "drive");
    const Ended ended = at.cli(words, {.limit = seconds(120)});
    EXPECT_NE(ended.exit_code, 0);
    return ended.err;
  }

 private:
  Pool* cellar_ = nullptr;
};

TEST_F(DriveBackupsToANodeTest, IsMadeRecoveredAndUnreadableThere) {
  EXPECT_THAT(refusal(pool(), {"backup", "--to", "node:attic"}), HasSubstr("there is no node 'attic' in this pool"));
  EXPECT_THAT(refusal(pool(), {"backup", "--to", "node:"}), HasSubstr("the node's name is needed"));
  EXPECT_THAT(refusal(pool(), {"backup", "--to", "node:cellar"}),
              AllOf(HasSubstr("lets this pool store nothing there yet"), HasSubstr("grant-space pool SIZE")));
  EXPECT_THAT(refusal(cellar(), {"grant-space", "alice", "1G"}), HasSubstr("to its pool alone"));
  EXPECT_THAT(refusal(cellar(), {"grant-space", "pool", "--none"}), HasSubstr("no space is granted to it"));
  done(cellar(), {"grant-space", "pool", "100M"});
  EXPECT_THAT(done(pool(), {"backup", "--to", "node:cellar"}), HasSubstr("1 snapshot there now"));
  write_text(here("files/big"), noise(1 << 20));
  done(pool(), {"put", "--replace", here("files/big"), "/files"});
  EXPECT_THAT(done(pool(), {"backup"}), HasSubstr("2 snapshots there now"));
  EXPECT_THAT(done(pool(), {"check-backup"}), HasSubstr("nothing is wrong"));
  expect_unreadable(kept());
  EXPECT_THAT(done(cellar(), {"grant-space"}), AllOf(HasSubstr("pool"), HasSubstr("100 MiB")));

  const auto look_as = [&](Api device) {
    return https(pool().endpoint().port, "GET", "/space/config?node=cellar",
                 {{"Authorization", "Bearer " + device.token()}}, "");
  };
  EXPECT_EQ(look_as(Api(pool())).status, 200U);
  EXPECT_EQ(look_as(Api(pair_device(pool(), "eve", v1::ROLE_MEMBER))).status, 403U) << "it is for owners' devices";

  // The PC burns, and the node goes over to the new one's pool, which is granted what lies there.
  write_text(here("key"), done(pool(), {"backup-key"}));
  pool().down();
  const Ended left = cellar().cli({"leave"});
  EXPECT_THAT(left.err, AllOf(HasSubstr("stays in"), HasSubstr(kept().string())));
  Pool& fresh = add_pool("fresh");
  fresh.up();
  join(fresh, cellar(), "cellar");
  EXPECT_THAT(refusal(fresh, {"recover", "--from", "node:cellar", "--into", here("new"), "--key-file", here("key")}),
              HasSubstr("lets this pool store nothing there yet"));
  done(cellar(), {"grant-space", "pool", "100M"});
  done(fresh, {"recover", "--from", "node:cellar", "--into", here("new"), "--key-file", here("key")});
  EXPECT_TRUE(read_text(here("new/files/big")) == noise(1 << 20));
  EXPECT_EQ(read_text(here("new/files/" + std::string(kMarker))), kMarker);
}

TEST_F(DriveBackupsToANodeTest, OneThatIsAwayOrFullIsSaidToBeSo) {
  done(cellar(), {"grant-space", "pool", "16M"});
  done(pool(), {"backup", "--to", "node:cellar"});
  write_text(here("files/huge"), noise(24 << 20));
  done(pool(), {"put", here("files/huge"), "/"});
  EXPECT_THAT(refusal(pool(), {"backup"}), HasSubstr("the granted space is full"));
  cellar().down();
  EXPECT_THAT(refusal(pool(), {"backup"}), HasSubstr("not connected now"));
  EXPECT_THAT(done(pool(), {"backups"}), HasSubstr("node:cellar"));
  ASSERT_EQ(cellar().cli({"up"}).exit_code, 0);
  done(cellar(), {"grant-space", "pool", "100M"});
  EXPECT_THAT(done(pool(), {"backup"}), HasSubstr("2 snapshots there now"));
  EXPECT_THAT(done(pool(), {"check-backup"}), HasSubstr("nothing is wrong"));
  done(cellar(), {"grant-space", "pool", "--none"});
  EXPECT_THAT(refusal(pool(), {"backup"}), HasSubstr("lets this pool store nothing there yet"));
}

// Requests that restic would not send.
class DriveSpaceRequestsTest : public DriveSpacesTest {
 protected:
  void SetUp() override {
    DriveSpacesTest::SetUp();
    device_ = std::make_unique<Api>(pair_device(other(), "alice", v1::ROLE_MEMBER));
    stranger_ = std::make_unique<Api>(pair_device(other(), "eve", v1::ROLE_MEMBER));
    done(other(), {"grant-space", "alice", "16M"});
    EXPECT_EQ(ask("POST", "/space/?create=true").status, 200U);
  }

  HttpAnswer ask(const std::string& method, const std::string& target, const std::string& body = "",
                 HeaderList headers = {}) {
    headers.emplace_back("Authorization", "Bearer " + device_->token());
    return https(other().endpoint().port, method, target, headers, body);
  }
  HttpAnswer ask_as_stranger(const std::string& method, const std::string& target) {
    return https(other().endpoint().port, method, target, {{"Authorization", "Bearer " + stranger_->token()}}, "");
  }
  static std::string named(const std::string& folder, const std::string& body) {
    return "/space/" + folder + "/" + to_hex(net::sha256(body));
  }
  std::uint64_t held() {
    return json::parse(done(other(), {"grant-space", "--json"}))["spaces"][0]["held_bytes"].get<std::uint64_t>();
  }

 private:
  std::unique_ptr<Api> device_;
  std::unique_ptr<Api> stranger_;
};

TEST_F(DriveSpaceRequestsTest, FilesComeWholeUnderTheirOwnNamesAlone) {
  const std::string path = named("data", "hello");
  EXPECT_EQ(ask("HEAD", path).status, 404U);
  EXPECT_EQ(ask("POST", path, "hello").status, 200U);
  EXPECT_EQ(ask("POST", path, "hello").status, 200U) << "an answer that was lost";
  EXPECT_EQ(held(), 5U);
  EXPECT_EQ(ask("GET", path).body, "hello");
  const HttpAnswer part = ask("GET", path, "", {{"Range", "bytes=1-3"}});
  EXPECT_EQ(part.status, 206U);
  EXPECT_EQ(part.body, "ell");
  EXPECT_EQ(ask("GET", path, "", {{"Range", "bytes=9-"}}).status, 416U);
  EXPECT_EQ(ask("GET", "/space/data/").body, "[{\"name\":\"" + path.substr(12) + "\",\"size\":5}]");
  EXPECT_EQ(ask("POST", path, "other").status, 400U) << "what its name does not say";
  EXPECT_EQ(ask("POST", "/space/config", "one").status, 200U);
  EXPECT_EQ(ask("POST", "/space/config", "two").status, 403U);
  EXPECT_EQ(ask("GET", "/space/config").body, "one");
  EXPECT_EQ(held(), 8U);
  for (const char* wrong : {"/space/data", "/space/other/", "/space/data/../grant", "/space/data/%2e%2e%2fgrant",
                            "/space/new/", "/space/grant", "/space/data/abc", "/space/data/%00"}) {
    EXPECT_GE(ask("GET", wrong).status, 400U) << wrong;
  }
  EXPECT_EQ(ask("DELETE", "/space/config").status, 403U);
  EXPECT_EQ(ask("DELETE", "/space/").status, 405U);
  EXPECT_EQ(ask("PUT", path, "hello").status, 405U);
  EXPECT_EQ(ask("DELETE", path).status, 200U);
  EXPECT_EQ(ask("DELETE", path).status, 404U);
  EXPECT_EQ(held(), 3U);
}

TEST_F(DriveSpaceRequestsTest, IsTheDevicesOwnForAsLongAsItIsGranted) {
  EXPECT_EQ(ask("POST", named("keys", "k"), "k").status, 200U);
  EXPECT_EQ(ask_as_stranger("GET", named("keys", "k")).status, 403U);
  EXPECT_EQ(ask_as_stranger("GET", "/space/keys/").status, 403U);
  EXPECT_EQ(https(other().endpoint().port, "GET", "/space/keys/", {}, "").status, 401U);
  done(other(), {"grant-space", "alice", "--none"});
  EXPECT_EQ(ask("GET", named("keys", "k")).status, 403U);
  done(other(), {"grant-space", "alice", "16M", "--append-only"});
  EXPECT_EQ(ask("GET", named("keys", "k")).body, "k");
  EXPECT_EQ(ask("DELETE", named("keys", "k")).status, 403U);
  EXPECT_EQ(ask("POST", named("locks", "l"), "l").status, 200U);
  EXPECT_EQ(ask("DELETE", named("locks", "l")).status, 200U);
}

TEST_F(DriveSpaceRequestsTest, IsNeverFullerThanIsGranted) {
  const std::string half = noise(8 << 20);
  EXPECT_EQ(ask("POST", named("data", half), half).status, 200U);
  const std::string rest = noise((8 << 20) - 1);
  EXPECT_EQ(ask("POST", named("data", rest), rest).status, 200U);
  const HttpAnswer full = ask("POST", named("data", "ab"), "ab");
  EXPECT_EQ(full.status, 507U);
  EXPECT_THAT(full.body, HasSubstr("the granted space is full"));
  EXPECT_EQ(ask("POST", named("data", "a"), "a").status, 200U);
  EXPECT_EQ(held(), 16U << 20);
  // Also after the hub has started again, which counts anew.
  other().down();
  other().up();
  EXPECT_EQ(ask("POST", named("data", "b"), "b").status, 507U);
  EXPECT_EQ(ask("DELETE", named("data", "a")).status, 200U);
  EXPECT_EQ(ask("POST", named("data", "b"), "b").status, 200U);
}

TEST_F(DriveSpaceRequestsTest, WhatIsWrongWithAGrantIsSaid) {
  const auto err = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"drive", "grant-space"});
    return other().cli(words).err;
  };
  EXPECT_THAT(err({"nobody", "1G"}), HasSubstr("no device of this name"));
  EXPECT_THAT(err({"alice"}), HasSubstr("SIZE"));
  EXPECT_THAT(err({"alice", "1K"}), HasSubstr("SIZE"));
  EXPECT_THAT(err({"eve", "--none"}), HasSubstr("no space is granted to it"));
  EXPECT_THAT(err({"alice", "1G", "--of", "eve"}), HasSubstr("nothing of that device lies here"));
}

}  // namespace
}  // namespace hearth::e2e
