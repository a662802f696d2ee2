// What nodes sign about wiping: true, kept by owner and guest, and checkable by either alone.
#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/pool.h"
#include "harness/process.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class WipeTest : public PoolFixture {
 protected:
  // What `verify-wipe` says, parsed.
  nlohmann::json verified(std::vector<std::string> words) {
    words.insert(words.begin(), "verify-wipe");
    words.emplace_back("--json");
    return nlohmann::json::parse(pool().cli(words).out, nullptr, false);
  }
};

TEST_F(WipeTest, EveryTaskOfAJobIsSignedFor) {
  ASSERT_EQ(pool().cli({"run", "-n", "3", "--", "true"}).exit_code, 0);
  const nlohmann::json job = verified({"1"});
  EXPECT_EQ(job["verified"], 3);
  EXPECT_EQ(job["not_wiped"].size(), 0U);
  EXPECT_EQ(verified({})["keys"], job["keys"]) << "the owner has the same node's word";
  EXPECT_EQ(verified({})["verified"], 3);
}

TEST_F(WipeTest, RecordsAreCheckedWithoutThePoolAndAnyChangeIsNoticed) {
  ASSERT_EQ(pool().cli({"run", "--", "true"}).exit_code, 0);
  const std::string file = pool().directory() / "records";
  ASSERT_EQ(pool().cli({"verify-wipe", "1", "--save", file}).exit_code, 0);
  pool().down();
  EXPECT_EQ(pool().cli({"verify-wipe", "--file", file}).exit_code, 0);
  nlohmann::json record = nlohmann::json::parse(std::ifstream(file));
  std::string statement = record["statement"].get<std::string>();
  statement[4] = statement[4] == 'A' ? 'B' : 'A';
  record["statement"] = statement;
  std::ofstream(file) << record.dump() << "\n";
  const Ended changed = pool().cli({"verify-wipe", "--file", file});
  EXPECT_EQ(changed.exit_code, 1);
  EXPECT_THAT(changed.err, HasSubstr("NOT VERIFIED"));
}

TEST_F(WipeTest, WhatACrashLeftIsWipedAndSignedForBeforeWorkIsTaken) {
  ASSERT_EQ(pool().cli({"run", "--detach", "--", "sleep", "1000"}).exit_code, 0);
  const std::filesystem::path attempts = pool().home() / "node" / "attempts";
  ASSERT_TRUE(eventually(seconds(60), [&] { return std::filesystem::exists(attempts / "1-0-1"); }));
  const pid_t node = pool().node_process();
  ::kill(node, SIGKILL);
  ASSERT_TRUE(eventually(seconds(60), [&] { return pool().node_process() != node && pool().node_connected(); }));
  EXPECT_TRUE(eventually(seconds(60), [&] { return !std::filesystem::exists(attempts / "1-0-1"); }));
  EXPECT_EQ(verified({})["verified"], 1);
  EXPECT_EQ(pool().cli({"cancel", "1"}).exit_code, 0);
}

TEST_F(WipeTest, WhatCannotBeCheckedIsSaidSo) {
  EXPECT_EQ(pool().cli({"verify-wipe", "1", "--file", "x"}).exit_code, 2);
  EXPECT_THAT(pool().cli({"verify-wipe", "99"}).err, HasSubstr("99"));
  EXPECT_THAT(pool().cli({"verify-wipe"}).err, HasSubstr("no guest's task"));
  EXPECT_EQ(pool().cli({"verify-wipe", "--file", "/nowhere"}).exit_code, 1);
}

}  // namespace
}  // namespace hearth::e2e
