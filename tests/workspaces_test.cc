// `hearth run --workspace`: a directory that stays on one node from job to job, until it is removed.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "hearth/v1/workspaces.pb.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBack = "is wiped as soon as";

class WorkspacesTest : public PoolFixture {
 protected:
  Ended run_in(const std::string& workspace, const std::string& script) {
    return pool().cli({"run", "--workspace", workspace, "--", "sh", "-c", script});
  }
  std::string start_in(const std::string& workspace, const std::string& script) {
    const Ended started = pool().cli({"run", "--detach", "--workspace", workspace, "--", "sh", "-c", script});
    EXPECT_EQ(started.exit_code, 0) << started.err;
    return started.out.substr(0, started.out.find('\n'));
  }
  json list() {
    const json found = json::parse(pool().cli({"workspace", "list", "--json"}).out, nullptr, false);
    return found.value("workspaces", json::array());
  }
  // How many there are on the disk of the pool's node.
  static std::ptrdiff_t on_disk(const Pool& pool) {
    const fs::path place = pool.home() / "node" / "workspaces";
    return std::distance(fs::directory_iterator(place), fs::directory_iterator());
  }
  void join(Pool& other) {
    Api owner(pool());
    Process joining = other.start_cli({"join", invite(owner).links(0), "--name", "second"});
    ASSERT_TRUE(eventually(seconds(20), [&] { return joining.err().find("shows") != std::string::npos; }))
        << joining.err();
    ASSERT_EQ(pool().cli({"devices", "allow", "second"}).exit_code, 0);
    const Ended joined = joining.wait(seconds(60));
    ASSERT_EQ(joined.exit_code, 0) << joined.err;
    other.await_node();
  }
};

TEST_F(WorkspacesTest, ALaterJobFindsWhatAnEarlierOneLeft) {
  const Ended first = run_in("work", "echo kept > $HEARTH_WORKSPACE/x");
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(run_in("work", "cat $HEARTH_WORKSPACE/x").out, "kept\n");
  EXPECT_EQ(run_in("other", "ls $HEARTH_WORKSPACE").out, "");
  EXPECT_EQ(pool().cli({"run", "--", "sh", "-c", "echo $HEARTH_WORKSPACE; ls /workspace"}).out, "\n");
  ASSERT_EQ(list().size(), 2U);
  const json work = list()[1];
  EXPECT_EQ(work["name"], "work");
  EXPECT_EQ(work["node_connected"], true);
  EXPECT_NE(work["used_bytes"], "0");
  EXPECT_THAT(pool().cli({"workspace"}).out, HasSubstr("work "));
  // Neither its job's removal nor its node's death takes it away.
  EXPECT_EQ(pool().cli({"rm", "1"}).exit_code, 0);
  const pid_t node = pool().node_process();
  ::kill(node, SIGKILL);
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().node_process() != node && pool().node_connected(); }));
  EXPECT_EQ(run_in("work", "cat $HEARTH_WORKSPACE/x").out, "kept\n");
  pool().down();
  pool().up();
  pool().await_node();
  EXPECT_EQ(run_in("work", "cat $HEARTH_WORKSPACE/x").out, "kept\n");
}

TEST_F(WorkspacesTest, AnotherDevicesJobCannotReachIt) {
  ASSERT_EQ(run_in("work", "echo secret > $HEARTH_WORKSPACE/x").exit_code, 0);
  Api phone(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  v1::JobSpec spec = shell("cat $HEARTH_WORKSPACE/x; ls -R /workspace; touch $HEARTH_WORKSPACE/mine");
  spec.mutable_workspace()->set_name("work");
  const auto job = phone.submit(spec);
  ASSERT_TRUE(job) << text_of(job.error());
  EXPECT_EQ(phone.wait(*job).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(phone.log_text(phone.get(*job, 1).tasks(0).outcome()), Not(HasSubstr("secret")));
  EXPECT_EQ(run_in("work", "ls $HEARTH_WORKSPACE").out, "x\n");
  // A member sees its own, an owner everybody's.
  const auto members =
      phone.call<v1::ListWorkspacesReply>("hearth.v1.WorkspaceService/List", v1::ListWorkspacesRequest());
  ASSERT_TRUE(members);
  ASSERT_EQ(members->workspaces_size(), 1);
  EXPECT_EQ(members->workspaces(0).owner(), "phone");
  ASSERT_EQ(list().size(), 2U);
  v1::RemoveWorkspaceRequest removal;
  removal.set_name("work");
  for (const json& one : list()) {
    if (one["owner"] != "phone") removal.set_owner_id(std::stoull(one["owner_id"].get<std::string>()));
  }
  const auto refused = phone.call<v1::RemoveWorkspaceReply>("hearth.v1.WorkspaceService/Remove", removal);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  // What a device that was taken out left is the owners' to remove.
  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  const Ended removed = pool().cli({"workspace", "rm", "work", "--of", "phone"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_EQ(list().size(), 1U);
  EXPECT_EQ(on_disk(pool()), 1);
}

TEST_F(WorkspacesTest, MoreThanItMayHoldEndsTheTask) {
  const Ended filled = run_in("small:2M", "head -c 32M /dev/zero > $HEARTH_WORKSPACE/large; sleep 100");
  EXPECT_EQ(filled.exit_code, 1);
  EXPECT_THAT(filled.err, HasSubstr("its workspace small holds"));
  EXPECT_THAT(filled.err, HasSubstr("more than its 2 MiB"));
  const Ended quick = run_in("quick:2M", "head -c 32M /dev/zero > $HEARTH_WORKSPACE/large");
  EXPECT_THAT(quick.err, HasSubstr("its workspace quick holds")) << "it is measured at the end too";
  const Ended again = run_in("small", "true");
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("hearth workspace rm small"));
  EXPECT_EQ(run_in("small:64M", "rm $HEARTH_WORKSPACE/large").exit_code, 0) << "room to clear it";
  EXPECT_EQ(run_in("small", "true").exit_code, 0);
}

// At once, however large the disk: what a look every half second would see too late.
TEST_F(WorkspacesTest, NoFileOutgrowsWorkspaceAndMemory) {
  const Ended ran = pool().cli({"run", "--memory", "64M", "--workspace", "work:2M", "--", "sh", "-c",
                                "truncate -s 1G $HEARTH_WORKSPACE/x 2>/dev/null && echo grown; "
                                "truncate -s 32M $HEARTH_WORKSPACE/x && echo fits"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "fits\n");
}

TEST_F(WorkspacesTest, TheOwnerSaysHowMuchIsKept) {
  ASSERT_EQ(pool().cli({"limit", "--workspaces", "0"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(30), [&] {
    const std::string job = start_in("work", "true");
    const std::string why = pool().cli({"why", job}).out;
    pool().cli({"cancel", job});
    pool().cli({"workspace", "rm", "work"});  // it may have run before the node heard of its limit
    return why.find("hearth limit --workspaces SIZE") != std::string::npos;
  }));
  ASSERT_EQ(pool().cli({"limit", "--workspaces", "16M"}).exit_code, 0);
  EXPECT_THAT(pool().cli({"limit"}).out, HasSubstr("16 MiB of that for workspaces"));
  const Ended first = run_in("work:16M", "true");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  const std::string second = start_in("second:1M", "true");
  EXPECT_TRUE(eventually(seconds(30), [&] {
    return pool().cli({"why", second}).out.find("has 1 MiB left for its workspace second") != std::string::npos;
  }));
  EXPECT_EQ(pool().cli({"workspace", "rm", "work"}).exit_code, 0);
  Api api(pool());
  EXPECT_EQ(api.wait(std::stoull(second)).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(WorkspacesTest, IsWipedWhenNobodyUsesItAndNothingRemains) {
  const std::string job =
      start_in("work", "mkdir -p $HEARTH_WORKSPACE/a/b; ln -s /etc $HEARTH_WORKSPACE/etc; sleep 100");
  Api api(pool());
  api.wait_until_running(std::stoull(job));
  const std::string next = start_in("work", "true");
  EXPECT_THAT(pool().cli({"why", next}).out, HasSubstr("its workspace work is in use by job " + job));
  const Ended refused = pool().cli({"workspace", "rm", "work"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("in use by job " + job));
  EXPECT_THAT(refused.err, HasSubstr("hearth cancel " + job));
  EXPECT_EQ(pool().cli({"cancel", job}).exit_code, 0);
  EXPECT_EQ(api.wait(std::stoull(next)).state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_EQ(on_disk(pool()), 1);
  const Ended removed = pool().cli({"workspace", "rm", "work", "--json"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_EQ(json::parse(removed.out)["gone"], true);
  EXPECT_TRUE(list().empty());
  EXPECT_EQ(on_disk(pool()), 0);
  EXPECT_TRUE(fs::exists("/etc/passwd"));
  EXPECT_THAT(read_text(pool().home() / "node" / "wipes.jsonl"), HasSubstr("statement"));
  EXPECT_THAT(pool().cli({"verify-wipe"}).out, HasSubstr("kept in disk"));
  EXPECT_THAT(pool().cli({"verify-wipe", next}).out, HasSubstr("stays on the disk until it is removed"));
  EXPECT_THAT(pool().cli({"workspace", "rm", "work"}).err, HasSubstr("there is no workspace work"));
}

TEST_F(WorkspacesTest, OneOnAnotherPcWaitsForItAndGoesWithIt) {
  Pool& second = add_pool("second");
  join(second);
  close_own_node(pool());
  const std::string early = start_in("away", "echo kept > $HEARTH_WORKSPACE/x");
  EXPECT_TRUE(eventually(seconds(30), [&] {
    return pool().cli({"why", early}).out.find("hearth limit --workspaces") != std::string::npos;
  })) << "a PC that joined another's pool keeps none";
  ASSERT_EQ(second.cli({"limit", "--workspaces", "2G"}).exit_code, 0);
  Api api(pool());
  ASSERT_EQ(api.wait(std::stoull(early)).state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_EQ(run_in("leaving", "echo gone > $HEARTH_WORKSPACE/x").exit_code, 0);
  ASSERT_EQ(on_disk(second), 2);

  second.down();
  pool().cli({"limit", "--none"});
  const std::string waiting = start_in("away", "cat $HEARTH_WORKSPACE/x");
  EXPECT_TRUE(eventually(seconds(30), [&] {
    return pool().cli({"why", waiting}).out.find("its workspace away is on second, which is away") != std::string::npos;
  })) << pool().cli({"why", waiting}).out;
  const Ended removed = pool().cli({"workspace", "rm", "leaving"});
  EXPECT_THAT(removed.err, HasSubstr(kBack)) << removed.err;
  EXPECT_THAT(pool().cli({"workspace", "list"}).out, HasSubstr("being removed"));
  EXPECT_EQ(on_disk(second), 2);
  EXPECT_THAT(run_in("leaving", "true").err, HasSubstr("is being removed"));

  second.up();
  EXPECT_EQ(api.wait(std::stoull(waiting)).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(api.log_text(api.get(std::stoull(waiting), 1).tasks(0).outcome()), "kept\n");
  EXPECT_TRUE(eventually(seconds(30), [&] { return list().size() == 1; })) << list().dump(1);
  EXPECT_EQ(on_disk(second), 1);

  const Ended left = second.cli({"leave"});
  EXPECT_EQ(left.exit_code, 0) << left.err;
  EXPECT_EQ(on_disk(second), 0) << "its workspaces go with it";
  EXPECT_TRUE(list().empty());
  EXPECT_EQ(run_in("away", "ls $HEARTH_WORKSPACE").out, "") << "made anew elsewhere";
}

}  // namespace
}  // namespace hearth::e2e
