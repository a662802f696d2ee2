#include "presence/sessions.h"

#include <gtest/gtest.h>

namespace hearth::presence {
namespace {

// Somebody's desktop, in the foreground, with a hint that somebody is there.
Session desktop() { return {.id = "1", .kind = "user", .type = "wayland", .active = true, .on_seat = true}; }

TEST(Sessions, WithoutASeatNobodyIsThere) {
  EXPECT_FALSE(judge({}).has_seat);
  Session ssh = desktop();
  ssh.on_seat = false;
  EXPECT_FALSE(judge({ssh}).has_seat) << "who works from elsewhere does not sit here";
}

TEST(Sessions, AHintOfPresenceIsPresence) { EXPECT_EQ(judge({desktop()}).idle, Duration{}); }

TEST(Sessions, TheLeastIdleSessionCounts) {
  Session first = desktop();
  first.idle = minutes(10);
  Session second = desktop();
  second.idle = minutes(3);
  EXPECT_EQ(judge({first, second}).idle, minutes(3));
}

TEST(Sessions, WhatIsMeasuredCountsMoreThanAHint) {
  Session session = desktop();
  session.measured = minutes(10);
  EXPECT_EQ(judge({session}).idle, minutes(10)) << "its desktop sets no hint";
  session.idle = minutes(60);
  session.measured = seconds(1);
  EXPECT_EQ(judge({session}).idle, seconds(1));
}

TEST(Sessions, ALockedScreenIsIdleUnlessSomebodyTypes) {
  Session session = desktop();
  session.locked = true;
  EXPECT_GE(judge({session}).idle, minutes(60 * 24));
  session.measured = seconds(1);
  EXPECT_EQ(judge({session}).idle, seconds(1)) << "the password";
}

TEST(Sessions, AScreenThatIsKeptAwakeIsWatchedUnlessItIsLocked) {
  Session session = desktop();
  session.kept_awake = true;
  session.measured = minutes(10);
  EXPECT_EQ(judge({session}).idle, Duration{});
  session.locked = true;
  EXPECT_EQ(judge({session}).idle, minutes(10));
}

TEST(Sessions, NobodyIsAtALoginScreenOrInTheBackground) {
  Session greeter = desktop();
  greeter.kind = "greeter";
  Session background = desktop();
  background.active = false;
  const Seats seats = judge({greeter, background});
  EXPECT_TRUE(seats.has_seat);
  EXPECT_GE(seats.idle, minutes(60 * 24));
}

}  // namespace
}  // namespace hearth::presence
