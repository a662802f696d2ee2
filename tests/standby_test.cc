// What must hold of a pool whose hub has a copy on a second PC, without a database server: whichever dies, and with or
// without a third PC that bears witness.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/api.h"
#include "harness/hubs.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class StandbyTest : public PoolFixture {};

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
  EXPECT_TRUE(eventually(seconds(20), [&] { return attic.cli({"audit"}).out.contains("hub.take-over"); }));
  EXPECT_EQ(attic.cli({"audit", "verify"}).exit_code, 0);
  EXPECT_EQ(attic.cli({"get", "1"}).exit_code, 0) << "what was done before is there, with its files";
  EXPECT_EQ(attic.cli({"run", "--", "echo", "again"}).out, "again\n");
  bring_back_hub(pool(), hub);
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
  const Ended migrated = pool().cli({"store", "migrate", "--to", "postgresql://127.0.0.1:1/hearth"});
  EXPECT_EQ(migrated.exit_code, 1);
  EXPECT_THAT(migrated.err, HasSubstr("hearth standby remove")) << "a copy is elsewhere";
  EXPECT_EQ(pool().cli({"up", "--standby-of", "https://127.0.0.1:1/#pair=x"}).exit_code, 1) << "it is up";
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

// One that was let go of must not be given the pool by a witness that nobody told.
TEST_F(StandbyTest, AHubIsLetGoOfOnlyOnceItsWitnessKnowsOrIsNoneAnyMore) {
  Pool& attic = add_pool("attic");
  stand_by(pool(), attic);
  Pool& third = add_pool("cellar");
  join(pool(), third, "cellar");
  ASSERT_EQ(pool().cli({"standby", "witness", "cellar"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return read_text(third.home() / "log").contains("noted who holds"); }));
  const pid_t witness = third.node_process();
  ::kill(third.supervisor(), SIGSTOP);
  ::kill(witness, SIGSTOP);
  const Ended refused = pool().cli({"standby", "remove"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--none"));
  ASSERT_EQ(pool().cli({"standby", "witness", "--none"}).exit_code, 0) << "the partner knows of it";
  EXPECT_EQ(pool().cli({"standby", "remove"}).exit_code, 0);
  ::kill(witness, SIGCONT);
  ::kill(third.supervisor(), SIGCONT);
  pause_for(seconds(8));
  EXPECT_TRUE(stands_by(attic));
  EXPECT_EQ(pool().cli({"run", "--", "echo", "alone"}).out, "alone\n");
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
