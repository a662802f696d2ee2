// How far a guest is trusted decides whether and how it runs: by the owner's word, never by its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class RingsTest : public PoolFixture {
 protected:
  // A command line that is paired as a member of that ring.
  Pool& pair_laptop(const std::string& ring) {
    Pool& laptop = add_pool("laptop");
    const Ended invitation = pool().cli({"invite", "--ring", ring, "--no-wait", "--json"});
    const std::size_t begin = invitation.out.find("https://");
    const std::string link = invitation.out.substr(begin, invitation.out.find('"', begin) - begin);
    Process pairing = laptop.start_cli({"pair", link, "--name", "laptop"});
    EXPECT_TRUE(eventually(seconds(20), [&] { return pairing.err().find("shows") != std::string::npos; }))
        << invitation.out << invitation.err << pairing.err();
    EXPECT_EQ(pool().cli({"devices", "allow", "laptop"}).exit_code, 0);
    EXPECT_EQ(pairing.wait(seconds(30)).exit_code, 0);
    return laptop;
  }

  // The number of a job that the laptop asks for.
  static std::string submit(Pool& laptop, std::vector<std::string> options = {}) {
    std::vector<std::string> command = {"run", "--detach"};
    command.insert(command.end(), options.begin(), options.end());
    command.insert(command.end(), {"--", "true"});
    const Ended ended = laptop.cli(command);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out.substr(0, ended.out.find('\n'));
  }

  void expect_success(const std::string& job) {
    EXPECT_TRUE(eventually(seconds(60), [&] {
      return pool().cli({"job", job, "--json"}).out.find("JOB_STATE_SUCCEEDED") != std::string::npos;
    })) << pool().cli({"why", job}).out;
  }
};

TEST_F(RingsTest, AFriendsTaskSeesNothingOfTheHostUnlessItsOwnerSaysSo) {
  Pool& laptop = pair_laptop("friend");
  EXPECT_THAT(pool().cli({"devices"}).out, HasSubstr("friend"));
  const std::string job = submit(laptop);
  EXPECT_THAT(laptop.cli({"why", job}).out, HasSubstr("hearth run --env NAME"));
  EXPECT_EQ(pool().cli({"run", "--", "true"}).exit_code, 0) << "home is not held up";
  ASSERT_EQ(pool().cli({"limit", "--for", "friend", "--host-files", "yes"}).exit_code, 0);
  expect_success(job);
}

TEST_F(RingsTest, AStrangersTaskIsRefusedWithoutAMicroVmUnlessTheOwnerAcceptsLessInPlainWords) {
  Pool& laptop = pair_laptop("stranger");
  const std::string job = submit(laptop);
  EXPECT_THAT(laptop.cli({"why", job}).out, HasSubstr("hearth limit --for stranger --isolation microvm"));
  const Ended refused = pool().cli({"limit", "--for", "stranger", "--isolation", "fence"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--strangers-may-share-my-kernel"));
  ASSERT_EQ(pool()
                .cli({"limit", "--for", "stranger", "--isolation", "fence", "--host-files", "yes",
                      "--strangers-may-share-my-kernel"})
                .exit_code,
            0);
  expect_success(job);
  ASSERT_EQ(pool().cli({"limit", "--for", "stranger", "--isolation", "none"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] {
    return laptop.cli({"why", submit(laptop)}).out.find("takes tasks of ring stranger") != std::string::npos;
  }));
}

TEST_F(RingsTest, ADevicesRingIsItsOwnersWordAndHoldsForWhatItAsksFromThenOn) {
  Pool& laptop = pair_laptop("member");
  EXPECT_EQ(laptop.cli({"devices", "ring", "laptop", "home"}).exit_code, 1) << "nobody raises oneself";
  const std::string before = submit(laptop);
  ASSERT_EQ(pool().cli({"devices", "ring", "laptop", "home"}).exit_code, 0);
  const std::string after = submit(laptop);
  expect_success(after);
  EXPECT_THAT(pool().cli({"why", before}).out, HasSubstr("of ring member"));
  // The restart changes nothing of that.
  pool().down();
  pool().up();
  pool().await_node();
  EXPECT_THAT(pool().cli({"why", before}).out, HasSubstr("of ring member"));
  EXPECT_EQ(laptop.cli({"cancel", before}).exit_code, 0);

  const Ended owner = pool().cli({"invite", "--role", "owner", "--ring", "friend"});
  EXPECT_EQ(owner.exit_code, 2);
  EXPECT_THAT(owner.err, HasSubstr("owns or runs the pool"));
}

TEST_F(RingsTest, AFriendsListsSayThatTheyAreItsOwn) {
  Pool& laptop = pair_laptop("friend");
  ASSERT_EQ(pool().cli({"run", "--name", "secret-job", "--", "true"}).exit_code, 0);
  const Ended none = laptop.cli({"jobs"});
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, HasSubstr("no jobs of this device, and it is shown no others'"));
  const std::string own = submit(laptop);
  const Ended jobs = laptop.cli({"jobs"});
  EXPECT_THAT(jobs.out, HasSubstr(own));
  EXPECT_THAT(jobs.out, testing::Not(HasSubstr("secret-job")));
  const Ended other = laptop.cli({"job", "1"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("there is no job 1"));
  EXPECT_THAT(laptop.cli({"devices"}).err, HasSubstr("is shown no others"));
  EXPECT_THAT(laptop.cli({"nodes"}).err, HasSubstr("this device's own"));
  EXPECT_THAT(laptop.cli({"status"}).out, HasSubstr("not of ring home"));
  EXPECT_THAT(pool().cli({"devices"}).err, testing::Not(HasSubstr("is shown no others")));
  EXPECT_THAT(pool().cli({"jobs"}).out, HasSubstr("secret-job"));
}

}  // namespace
}  // namespace hearth::e2e
