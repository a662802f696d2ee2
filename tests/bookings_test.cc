// Bookings: nodes that are kept for an account from a time until a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "hearth/v1/bookings.pb.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class BookingsTest : public PoolFixture {
 protected:
  std::string succeed(const std::vector<std::string>& arguments) {
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  }
  void refused(const std::vector<std::string>& arguments, int exit_code, const std::string& why) {
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, exit_code) << ended.out;
    EXPECT_THAT(ended.err, HasSubstr(why));
  }
  json booking() { return json::parse(succeed({"bookings", "--json"}), nullptr, false).at("bookings").at(0); }
};

TEST_F(BookingsTest, KeepANodeForAnAccountOverARestartUntilTheyAreTakenBack) {
  Api owner(pool());
  const auto job = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(job);
  owner.wait_until_running(*job);
  succeed({"account", "set", "lab"});
  succeed({"book", "lab", "--until", "2h"});
  EXPECT_TRUE(eventually(seconds(30), [&] { return owner.job(*job).pending() == 1; })) << "it is sent back";
  const v1::Task task = owner.get(*job, 1).tasks(0);
  EXPECT_EQ(task.attempts(), 0U);
  EXPECT_EQ(task.outcome().reason(), v1::FAILURE_REASON_BOOKED);
  EXPECT_THAT(pool().cli({"why", std::to_string(*job)}).out,
              HasSubstr("1 node could take it, but it is kept for lab until 20"));
  EXPECT_EQ(booking().at("node_names").size(), 1U);
  EXPECT_THAT(succeed({"nodes"}), HasSubstr("idle, booking 1"));
  pool().down();
  pool().up();
  pool().await_node();
  Api again(pool());
  EXPECT_TRUE(eventually(seconds(30), [&] { return booking().value("node_names", json::array()).size() == 1; }));
  EXPECT_EQ(again.job(*job).running(), 0U);
  succeed({"account", "assign", again.device_name(), "lab"});
  again.wait_until_running(*job);
  refused({"account", "rm", "lab"}, 1, "hearth unbook 1");
  succeed({"account", "assign", again.device_name(), "none"});
  succeed({"unbook", "1"});
  EXPECT_EQ(again.job(*job).running(), 1U) << "what runs there goes on";
  EXPECT_THAT(pool().cli({"bookings"}).err, HasSubstr("no nodes are booked"));
  refused({"unbook", "1"}, 1, "there is no booking 1");
  pool().down();
  pool().up();
  EXPECT_THAT(pool().cli({"bookings"}).err, HasSubstr("no nodes are booked"));
  succeed({"book", "lab", "--until", "3h"});
  EXPECT_EQ(booking().at("id"), "2") << "a number comes once";
  EXPECT_THAT(succeed({"audit", "--csv"}), HasSubstr("booking.remove"));
  ASSERT_TRUE(again.cancel(*job));
}

TEST_F(BookingsTest, ThatLieAheadLetRunWhatEndsInTime) {
  succeed({"account", "set", "lab"});
  succeed({"book", "lab", "--from", "1h", "--until", "3h", "--notice", "2h"});
  Api owner(pool());
  const auto job = owner.submit(shell("true"));
  ASSERT_TRUE(job);
  EXPECT_THAT(pool().cli({"why", std::to_string(*job)}).out, HasSubstr("what is known to end before, by its --time"));
  v1::JobSpec brief = shell("true");
  brief.set_time_limit_seconds(600);
  const auto ends = owner.submit(brief);
  ASSERT_TRUE(ends);
  EXPECT_EQ(owner.wait(*ends).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(owner.job(*job).running(), 0U);
  ASSERT_TRUE(owner.cancel(*job));
}

TEST_F(BookingsTest, WhichCannotBeHadAreRefusedWithTheReason) {
  refused({"book", "lab", "--until", "2h"}, 1, "there is no account 'lab'");
  succeed({"account", "set", "lab"});
  refused({"book", "lab"}, 2, "--until is needed");
  refused({"book", "lab", "--until", "yesterday"}, 2, "a span from now");
  refused({"book", "lab", "--from", "3h", "--until", "2h"}, 2, "that is before --from");
  refused({"book", "lab", "--until", "2h", "--nodes", "0"}, 2, "--nodes 0");
  refused({"book", "lab", "--until", "2h", "--notice", "8d"}, 2, "at most 7d");
  refused({"book", "lab", "--until", "2h", "--where", "os =="}, 2, "where");
  refused({"book", "lab", "--until", "2h", "--nodes", "2"}, 1, "it asks for 2 nodes, and the pool has 1 node");
  succeed({"book", "lab", "--from", "1h", "--until", "2h"});
  refused({"book", "lab", "--until", "90m"}, 1, "other bookings have 1 of the 1");
}

TEST_F(BookingsTest, AreShownToMembersAndOfOthersNothingToThoseFurtherAway) {
  succeed({"account", "set", "lab"});
  succeed({"book", "lab", "--until", "2h"});
  Api member(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  const auto count = [&] {
    const auto reply = member.call<v1::ListBookingsReply>("hearth.v1.BookingService/List", v1::ListBookingsRequest());
    return reply ? reply->bookings_size() : -1;
  };
  EXPECT_EQ(count(), 1);
  succeed({"devices", "ring", "phone", "friend"});
  EXPECT_EQ(count(), 0);
  succeed({"account", "assign", "phone", "lab"});
  EXPECT_EQ(count(), 1) << "it is for its own account";
}

}  // namespace
}  // namespace hearth::e2e
