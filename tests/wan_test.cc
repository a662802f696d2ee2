// A pool over links such as a mobile phone's, which are cut in the middle of what they carry.
#include <fstream>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "harness/failover.h"
#include "harness/pairing.h"
#include "net/crypto.h"

namespace hearth::e2e {
namespace {

constexpr std::uint32_t kTasks = 8;
constexpr Line kMobile{.megabits_per_second = 20, .delay = milliseconds(50), .loss = 0.01};

class WanTest : public FailoverFixture {
 protected:
  void SetUp() override {
    if (!network().real()) GTEST_SKIP() << "SKIPPED: " << Network::lack();
    up(0);
    for (const int node : {1, 2}) {
      join(pc(0), pc(node), node == 1 ? "attic" : "cellar");
      network().set_line(node, kMobile);
    }
    close_own_node(pc(0));
  }

  // The array's tasks give back what they got, and their number.
  void expect_right(Api& api, std::uint64_t id, const std::string& input) {
    const v1::Job job = api.wait(id, seconds(300));
    ASSERT_EQ(job.succeeded(), kTasks) << job.DebugString();
    for (const v1::Task& task : api.get(id, kTasks).tasks()) {
      v1::Tree tree;
      const auto bytes = api.get_blob(task.outcome().outputs().sha256());
      ASSERT_TRUE(bytes && tree.ParseFromString(*bytes)) << task.DebugString();
      ASSERT_EQ(tree.files_size(), 1);
      EXPECT_EQ(to_hex(tree.files(0).blob().sha256()),
                to_hex(net::sha256(input + std::to_string(task.index()) + "\n")));
    }
  }
};

// HEARTH_KILLS is the number of cuts; every other one is longer than a lease.
TEST_F(WanTest, AnArrayWithLargeFilesEndsRightThoughCablesAreCut) {
  Api api(pc(0));
  for (int round = 0; round < kills(1); ++round) {
    const std::string input = net::random_bytes(2 * kMiB);
    write_text(pc(0).directory() / "input", input);
    const Ended submitted = pc(0).cli({"run", "--detach", "-n", std::to_string(kTasks), "--input", "input", "--output",
                                       "out-*", "--", "sh", "-c", "cat input > out-{i}; echo {i} >> out-{i}"});
    ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
    pause_for(seconds(2));
    const int lost = 1 + round % 2;
    network().cut(lost);
    pause_for(round % 2 == 0 ? seconds(5) : seconds(40));
    network().mend(lost);
    expect_right(api, std::stoull(submitted.out), input);
  }
}

}  // namespace
}  // namespace hearth::e2e
