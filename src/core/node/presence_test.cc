#include "core/node/presence.h"

#include <gtest/gtest.h>

namespace hearth::node {
namespace {

// A desktop that nobody has touched for an hour, unless a test says otherwise.
Surroundings quiet_desktop() { return {.has_seat = true, .idle = minutes(60)}; }

Surroundings idle_for(Duration idle) { return {.has_seat = true, .idle = idle}; }

class World {
 public:
  explicit World(const OwnerFirst& policy = {}) { presence.on_policy(policy, now); }
  Verdict see(const Surroundings& seen) {
    presence.on_surroundings(seen, now);
    return presence.verdict();
  }
  // Time passes with a look a second, each showing that nothing was touched since.
  Verdict pass(Duration span, Surroundings seen) {
    for (const Time end = now + span; now < end;) {
      now = now + seconds(1);
      if (seen.idle) seen.idle = *seen.idle + seconds(1);
      see(seen);
    }
    return presence.verdict();
  }

  Time now{minutes(1000).micros};
  Presence presence;
};

TEST(Presence, TheOwnersReturnFreezesAtOnceAndAQuietSpellThaws) {
  World world;
  EXPECT_EQ(world.see(quiet_desktop()), Verdict::kOpen);
  EXPECT_EQ(world.presence.reason(), "");
  EXPECT_EQ(world.see(idle_for({})), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "its owner is at the PC");
  EXPECT_EQ(world.pass(minutes(5) - seconds(1), idle_for({})), Verdict::kFrozen);
  EXPECT_EQ(world.pass(seconds(1), idle_for(minutes(5) - seconds(1))), Verdict::kOpen);
}

TEST(Presence, EachSignBeginsTheQuietSpellAnew) {
  World world({.quiet = seconds(60)});
  world.see(idle_for({}));
  EXPECT_EQ(world.pass(seconds(50), idle_for({})), Verdict::kFrozen);
  world.see(idle_for(seconds(1)));
  EXPECT_EQ(world.pass(seconds(58), idle_for(seconds(1))), Verdict::kFrozen);
  EXPECT_EQ(world.pass(seconds(1), idle_for(seconds(59))), Verdict::kOpen);
}

// A source that forgets (a session that ended) does not make the spell shorter.
TEST(Presence, ASignIsNotForgotten) {
  World world;
  world.see(idle_for({}));
  EXPECT_EQ(world.see(quiet_desktop()), Verdict::kFrozen);
}

TEST(Presence, WhatCannotBeToldCountsAsTheOwner) {
  World world;
  world.see(quiet_desktop());
  EXPECT_EQ(world.see({.has_seat = true}), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "whether its owner is at the PC cannot be told");
  EXPECT_EQ(world.pass(minutes(10), {.has_seat = true}), Verdict::kFrozen);
  EXPECT_EQ(world.see(quiet_desktop()), Verdict::kFrozen) << "the spell begins when it can be told again";
}

TEST(Presence, LooksThatStopCountAsTheOwner) {
  World world;
  world.see(quiet_desktop());
  ASSERT_TRUE(world.presence.next_deadline());
  world.now = *world.presence.next_deadline();
  world.presence.tick(world.now);
  EXPECT_EQ(world.presence.verdict(), Verdict::kFrozen);
  EXPECT_EQ(world.see(quiet_desktop()), Verdict::kOpen) << "nobody had been there";
}

TEST(Presence, APcWithoutASeatDisturbsNobody) {
  World world;
  EXPECT_EQ(world.see({.pressure = 1.0}), Verdict::kOpen);
  EXPECT_FALSE(world.presence.heeds_owner());
  world.now = world.now + minutes(60);
  world.presence.tick(world.now);
  EXPECT_EQ(world.presence.verdict(), Verdict::kOpen);
  world.presence.on_policy({.mode = OwnerFirstMode::kOn}, world.now);
  EXPECT_EQ(world.presence.verdict(), Verdict::kFrozen) << "asked for, but nothing can tell";
}

TEST(Presence, AnOwnerWhoWantsNoHeedGetsNone) {
  World world({.mode = OwnerFirstMode::kOff});
  EXPECT_EQ(world.see(idle_for({})), Verdict::kOpen);
  EXPECT_EQ(world.see({.has_seat = true}), Verdict::kOpen);
  EXPECT_EQ(world.see({.has_seat = true, .on_battery = true}), Verdict::kFrozen) << "a rule of its own";
}

TEST(Presence, AFilmIsASignOfTheOwner) {
  World world;
  Surroundings film = quiet_desktop();
  film.inhibited = true;
  EXPECT_EQ(world.see(film), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "its owner watches or presents something");
  EXPECT_EQ(world.see(quiet_desktop()), Verdict::kFrozen) << "the owner watched until now";
  EXPECT_EQ(world.pass(minutes(5), quiet_desktop()), Verdict::kOpen);
}

TEST(Presence, OtherProgramsComeFirstForAShorterSpell) {
  World world;
  Surroundings busy = quiet_desktop();
  busy.pressure = 0.5;
  EXPECT_EQ(world.see(busy), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "its owner's programs need the processor");
  EXPECT_EQ(world.pass(seconds(29), quiet_desktop()), Verdict::kFrozen);
  EXPECT_EQ(world.pass(seconds(1), quiet_desktop()), Verdict::kOpen);
  busy.pressure = 0.1;
  EXPECT_EQ(world.see(busy), Verdict::kOpen);
}

TEST(Presence, Battery) {
  World world;
  EXPECT_EQ(world.see({.on_battery = true}), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "on battery");
  EXPECT_EQ(world.see({.on_battery = false}), Verdict::kOpen);
  world.presence.on_policy({.on_battery = true}, world.now);
  EXPECT_EQ(world.see({.on_battery = true}), Verdict::kOpen);
}

TEST(Presence, HeatGoesDownByTenBeforeGuestsGoOn) {
  World world({.max_celsius = 80});
  EXPECT_EQ(world.see({.celsius = 79}), Verdict::kOpen);
  EXPECT_EQ(world.see({.celsius = 80}), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "too hot (80 °C)");
  EXPECT_EQ(world.see({.celsius = 71}), Verdict::kFrozen);
  EXPECT_EQ(world.see({.celsius = 70}), Verdict::kOpen);
  EXPECT_EQ(world.see({.celsius = 79}), Verdict::kOpen);
  world.presence.on_policy({.max_celsius = 0}, world.now);
  EXPECT_EQ(world.see({.celsius = 120}), Verdict::kOpen);
}

TEST(Presence, DearElectricity) {
  World world({.max_price = 300});
  EXPECT_EQ(world.see({.price = 300}), Verdict::kOpen);
  EXPECT_EQ(world.see({.price = 415}), Verdict::kFrozen);
  EXPECT_EQ(world.presence.reason(), "electricity costs 0.415, more than 0.3");
  EXPECT_EQ(world.see({}), Verdict::kOpen);
}

TEST(Presence, AMeteredLinkLetsWhatRunsGoOn) {
  World world;
  EXPECT_EQ(world.see({.metered = true}), Verdict::kNothingNew);
  EXPECT_EQ(world.presence.reason(), "on a metered link");
  EXPECT_EQ(world.see({.on_battery = true, .metered = true}), Verdict::kFrozen) << "the stricter rule counts";
  world.presence.on_policy({.on_metered = true}, world.now);
  EXPECT_EQ(world.see({.metered = true}), Verdict::kOpen);
}

TEST(Presence, TheReturnIsNoLaterThanTheLastLookWithoutIt) {
  World world;
  world.see(quiet_desktop());
  const Time last_quiet = world.now;
  world.now = world.now + milliseconds(250);
  world.see(idle_for(milliseconds(100)));
  EXPECT_EQ(world.presence.frozen_since(), last_quiet);
}

TEST(Presence, AsksToBeAskedAgainWhenTheSpellEnds) {
  World world;
  world.see(idle_for(seconds(10)));
  EXPECT_EQ(world.presence.next_deadline(), world.now + minutes(5) - seconds(10));
  world.see({.has_seat = true, .idle = minutes(60), .on_battery = true});
  world.pass(minutes(6), {.has_seat = true, .idle = minutes(60), .on_battery = true});
  const auto next = world.presence.next_deadline();
  EXPECT_TRUE(!next || *next > world.now) << "a deadline that has come would be asked for ever";
}

}  // namespace
}  // namespace hearth::node
