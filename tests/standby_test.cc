// What must hold of a pool whose hub has a copy on a second PC, without a database server: whichever dies, and with or
// without a third PC that bears witness.
#include <filesystem>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/api.h"
#include "harness/hubs.h"
#include "harness/load.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class StandbyTest : public PoolFixture {
 protected:
  // A supervisor that stands still starts nothing again: the whole PC is gone, but for its node.
  static void lose_hub(const Pool& pool, int signal) {
    const pid_t hub = pool.hub_process();
    ::kill(pool.supervisor(), SIGSTOP);
    ::kill(hub, signal);
  }
  static void bring_back(const Pool& pool, pid_t hub) {
    ::kill(hub, SIGCONT);
    ::kill(pool.supervisor(), SIGCONT);
  }
};

TEST_F(StandbyTest, TheHolderIsLostAgainAndAgainUnderLoadAndTheWitnessLetsTheOtherTakeOver) {
  Pool* holder = &pool();
  Pool* other = &add_pool("attic");
  stand_by(*holder, *other);
  Pool& third = add_pool("cellar");
  join(*holder, third, "cellar");
  EXPECT_THAT(holder->cli({"standby", "witness", "kitchen"}).err, HasSubstr("cellar")) << "it names who can";
  ASSERT_EQ(holder->cli({"standby", "witness", "cellar"}).exit_code, 0);
  EXPECT_TRUE(
      eventually(seconds(10), [&] { return holder->cli({"standby"}).out.find("cellar") != std::string::npos; }));
  const Pool& client = *other;
  Api api(client);
  const auto steady = api.submit(shell("sleep 45; echo survived"));
  ASSERT_TRUE(steady) << text_of(steady.error());
  api.wait_until_running(*steady);

  Load load(client);
  for (int round = 0; round < 3; ++round) {
    pause_for(seconds(2));
    const pid_t hub = holder->hub_process();
    // Every other time the hub is not dead but stands still, and comes back believing that it holds the pool.
    lose_hub(*holder, round % 2 == 1 ? SIGSTOP : SIGKILL);
    const std::int64_t millis = await_holder(*other);
    RecordProperty("takeover_millis_" + std::to_string(round), std::to_string(millis));
    pause_for(seconds(2));
    bring_back(*holder, hub);
    std::swap(holder, other);
    ASSERT_TRUE(eventually(seconds(90), [&] { return is_whole(client); }))
        << client.cli({"status"}).out << read_text(holder->home() / "log") << read_text(other->home() / "log");
  }
  load.stop();
  EXPECT_GT(load.repeated(), 0) << "no hub was ever away when a job was submitted: nothing was tested";

  const v1::Job survived = api.wait(*steady, seconds(120));
  EXPECT_EQ(survived.state(), v1::JOB_STATE_SUCCEEDED) << survived.DebugString();
  EXPECT_EQ(api.get(*steady, 1).tasks(0).attempts(), 1U) << "it was started again though its node went on";
  const std::set<std::uint64_t> distinct(load.acknowledged().begin(), load.acknowledged().end());
  EXPECT_EQ(distinct.size(), load.acknowledged().size()) << "two requests were given one job";
  EXPECT_EQ(all_jobs(api).size(), distinct.size() + 1) << "a repeated request made a second job";
  for (const std::uint64_t id : distinct) expect_finished_once(api, id);
}

TEST_F(StandbyTest, WithoutAWitnessAPersonLetsItTakeOver) {
  Pool& attic = add_pool("attic");
  stand_by(pool(), attic);
  ASSERT_EQ(pool().cli({"run", "--output", "kept", "--", "sh", "-c", "echo kept > kept"}).exit_code, 0);
  const pid_t hub = pool().hub_process();
  lose_hub(pool(), SIGKILL);
  pause_for(seconds(8));
  EXPECT_TRUE(stands_by(attic)) << "nobody said that it may";
  const Ended refused = attic.cli({"standby", "promote"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  const Ended promoted = attic.cli({"standby", "promote", "--force"});
  ASSERT_EQ(promoted.exit_code, 0) << promoted.err;
  EXPECT_EQ(attic.cli({"get", "1"}).exit_code, 0) << "what was done before is there, with its files";
  EXPECT_EQ(attic.cli({"run", "--", "echo", "again"}).out, "again\n");
  bring_back(pool(), hub);
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(attic); }))
      << attic.cli({"status"}).out << read_text(pool().home() / "log");
  EXPECT_TRUE(stands_by(pool())) << "it comes back and stands by";
  EXPECT_EQ(pool().cli({"run", "--", "echo", "third"}).out, "third\n");
}

TEST_F(StandbyTest, TheTwoChangeRolesWhenToldTo) {
  Pool& attic = add_pool("attic");
  EXPECT_THAT(pool().cli({"standby"}).out, HasSubstr("--standby-of"));
  stand_by(pool(), attic);
  EXPECT_EQ(pool().cli({"standby", "promote"}).exit_code, 1) << "it holds the pool already";
  const Ended promoted = attic.cli({"standby", "promote"});
  ASSERT_EQ(promoted.exit_code, 0) << promoted.err;
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(attic); }))
      << attic.cli({"status"}).out << read_text(pool().home() / "log");
  EXPECT_TRUE(stands_by(pool()));
  EXPECT_EQ(pool().cli({"run", "--", "echo", "hello"}).out, "hello\n");
  // One that is told to end hands over as well.
  attic.down();
  await_holder(pool());
  EXPECT_EQ(pool().cli({"run", "--", "echo", "alone"}).out, "alone\n");
  EXPECT_EQ(attic.cli({"up"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(pool()); })) << pool().cli({"status"}).out;
  const Ended removed = pool().cli({"standby", "remove"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_EQ(pool().cli({"run", "--", "echo", "still"}).out, "still\n");
  EXPECT_EQ(pool().cli({"standby", "remove"}).exit_code, 1) << "there is none any more";
}

TEST_F(StandbyTest, AHolderThatIsCutOffFromBothSaysNothing) {
  Pool& attic = add_pool("attic");
  stand_by(pool(), attic);
  Pool& third = add_pool("cellar");
  join(pool(), third, "cellar");
  ASSERT_EQ(pool().cli({"standby", "witness", "cellar"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return read_text(third.home() / "log").contains("noted who holds"); }));
  const pid_t witness = third.node_process();
  const pid_t partner = attic.hub_process();
  ::kill(attic.supervisor(), SIGSTOP);
  ::kill(third.supervisor(), SIGSTOP);
  ::kill(witness, SIGSTOP);
  ::kill(partner, SIGSTOP);
  const Ended submitted = pool().cli({"run", "--detach", "--", "true"}, {.limit = seconds(25)});
  EXPECT_NE(submitted.exit_code, 0) << "nobody could have been told: " << submitted.out;
  for (const pid_t process : {witness, partner, third.supervisor(), attic.supervisor()}) ::kill(process, SIGCONT);
  EXPECT_TRUE(eventually(seconds(60), [&] { return is_whole(attic); })) << attic.cli({"status"}).out;
}

TEST_F(StandbyTest, WrongInputIsRefusedAndLosesNothing) {
  Pool& attic = add_pool("attic");
  const Ended bad = attic.cli({"up", "--no-invite", "--standby-of", "https://nowhere"});
  EXPECT_NE(bad.exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(attic.home() / "hub" / "pool.db"));
  Api owner(pool());
  pool().down();
  const Ended own = pool().cli({"up", "--no-invite", "--standby-of", "https://127.0.0.1:1/#pair=x"});
  EXPECT_EQ(own.exit_code, 1);
  EXPECT_THAT(own.err, HasSubstr("pool of its own"));
  pool().up();
  EXPECT_EQ(pool().cli({"standby", "promote"}).exit_code, 1);
  EXPECT_EQ(pool().cli({"standby", "remove"}).exit_code, 1);
  EXPECT_EQ(pool().cli({"standby", "witness"}).exit_code, 2);
  EXPECT_EQ(pool().cli({"standby", "witness", "nobody"}).exit_code, 1);
}

}  // namespace
}  // namespace hearth::e2e
