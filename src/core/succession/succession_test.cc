// What must hold whatever is lost, late, cut or killed: nothing that was told to anybody is missing from what the next
// holder has, and two hubs never both speak of one moment.
#include "core/succession/succession.h"

#include <map>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace hearth::succession {
namespace {

const std::string kKitchen = "kitchen";
const std::string kAttic = "attic";

Time at(std::int64_t second) { return Time{seconds(second).micros}; }

Witness witness_of_pair() { return Witness({.version = 1, .epoch = 3, .holder = kKitchen, .alone = false}, at(0)); }

TEST(Witness, GivesThePoolToThePartnerOnceItsHolderIsSilent) {
  Witness witness = witness_of_pair();
  EXPECT_FALSE(witness.on_bid(kAttic, 3, at(4)));
  EXPECT_FALSE(witness.on_claim({3, kKitchen, false}, at(4)));
  EXPECT_FALSE(witness.on_bid(kAttic, 3, at(8)));
  EXPECT_TRUE(witness.on_bid(kAttic, 3, at(9)));
  EXPECT_EQ(witness.standing(), (Register{2, 4, kAttic, true}));
}

TEST(Witness, NeverGivesItToAPartnerThatLacksSomething) {
  Witness witness = witness_of_pair();
  EXPECT_TRUE(witness.on_claim({3, kKitchen, true}, at(0)));
  EXPECT_FALSE(witness.on_bid(kAttic, 3, at(100)));
}

TEST(Witness, HearsNoMoreOfAFormerHolder) {
  Witness witness = witness_of_pair();
  ASSERT_TRUE(witness.on_bid(kAttic, 3, at(10)));
  EXPECT_FALSE(witness.on_claim({3, kKitchen, true}, at(11)));
  EXPECT_EQ(witness.standing().holder, kAttic);
  EXPECT_FALSE(witness.on_claim({4, kKitchen, true}, at(11))) << "one epoch has one holder";
}

TEST(Witness, TakesAHoldersWordForANewerEpoch) {
  Witness witness({}, at(0));
  EXPECT_FALSE(witness.on_bid(kAttic, 0, at(100))) << "nothing was noted yet";
  EXPECT_TRUE(witness.on_claim({1, kKitchen, true}, at(0)));
  EXPECT_TRUE(witness.on_claim({2, kAttic, true}, at(1)));
  EXPECT_EQ(witness.standing().holder, kAttic);
}

View view_of(const std::string& self, bool has_witness) {
  return {.self = self,
          .own = {.epoch = 3, .holder = kKitchen},
          .has_partner = true,
          .partner = {},
          .has_witness = has_witness,
          .witness = {}};
}

TEST(NextStep, OfAHubWithoutAPartnerIsToHoldWhatItHolds) {
  View view = view_of(kKitchen, false);
  view.has_partner = false;
  EXPECT_EQ(next_step(view), Step::kHold);
  view.own = {};
  EXPECT_EQ(next_step(view), Step::kStandBy) << "it has no pool yet";
}

TEST(NextStep, OfTheHolderWhoseWitnessIsAwayIsToWaitForAWord) {
  View view = view_of(kKitchen, true);
  EXPECT_EQ(next_step(view), Step::kClaim);
  view.witness.hear({5, 3, kKitchen, true});
  EXPECT_EQ(next_step(view), Step::kHold);
  view.witness.hear({6, 4, kAttic, true});
  EXPECT_EQ(next_step(view), Step::kStandBy);
}

TEST(NextStep, OfAHolderThatHandedOverIsToStandBy) {
  View view = view_of(kKitchen, false);
  view.own.released = true;
  EXPECT_EQ(next_step(view), Step::kStandBy);
  view.self = kAttic;
  EXPECT_EQ(next_step(view), Step::kTakeOver);
  EXPECT_EQ(next_epoch(view), 4U);
}

TEST(NextStep, OfThePartnerIsNotToTakeOverWithoutAWitnessOrAPerson) {
  View view = view_of(kAttic, false);
  EXPECT_EQ(next_step(view), Step::kStandBy);
  view.ordered = true;
  view.partner = Standing{.epoch = 7, .holder = kKitchen};
  EXPECT_EQ(next_step(view), Step::kTakeOver);
  EXPECT_EQ(next_epoch(view), 8U) << "newer than all that is known";
}

TEST(Hearing, TakesNoLateWordForANewOne) {
  Hearing hearing;
  hearing.hear({5, 3, kKitchen, true});
  EXPECT_TRUE(hearing.says_alone(3, kKitchen));
  hearing.revoke();
  hearing.hear({5, 3, kKitchen, true});
  hearing.hear({4, 3, kKitchen, true});
  EXPECT_FALSE(hearing.says_alone(3, kKitchen));
  hearing.hear({7, 3, kKitchen, true});
  EXPECT_TRUE(hearing.says_alone(3, kKitchen));
}

TEST(Witness, SaysItAgainToAHolderThatHasRevokedWhatItSaid) {
  Witness witness({}, at(0));
  Hearing hearing;
  ASSERT_TRUE(witness.on_claim({1, kKitchen, true}, at(0)));
  hearing.hear(witness.standing());
  hearing.revoke();  // and the claim that it is not alone is lost
  EXPECT_TRUE(witness.on_claim({1, kKitchen, true, hearing.revoked()}, at(1)));
  hearing.hear(witness.standing());
  EXPECT_TRUE(hearing.says_alone(1, kKitchen));
  EXPECT_FALSE(witness.on_claim({1, kKitchen, true, hearing.revoked()}, at(2))) << "once is enough";
}

// --- a world of two hubs and a witness, which breaks at every step ---------------------------------------------------

struct File {
  Standing standing;
  std::vector<int> commits;
};

struct ModelHub {
  std::string name;
  File file;  // what a crash leaves
  bool runs = true;
  bool holds = false;
  bool follows = false;  // the partner has all that we have
  std::optional<Standing> partner;
  Hearing witness;
  bool claims_alone = true;
};

class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed), witness_({}, Time{}) {
    for (int i = 0; i < 2; ++i) hubs_[i].name = i == 0 ? kKitchen : kAttic;
    hubs_[0].file.standing = {.epoch = 1, .holder = kKitchen};
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      now_ = now_ + (chance(4) ? seconds(6) : milliseconds(300));
      const int self = chance(2) ? 0 : 1;
      switch (std::uniform_int_distribution<int>(0, 9)(random_)) {
        case 0:
          if (chance(3)) crash(hubs_[self]);
          break;
        case 1:
          hubs_[self].runs = true;
          break;
        case 2:
          for (bool& cut : cuts_) cut = chance(3);
          break;
        case 3:
        case 4:
          poll(self);
          break;
        case 5:
          meet(self);
          break;
        default:
          commit(self);
      }
    }
  }
  int told() const { return static_cast<int>(told_.size()); }
  int taken_over() const { return taken_over_; }

 private:
  bool chance(int of) { return std::uniform_int_distribution<int>(1, of)(random_) == 1; }
  // Between the hubs: 0; between the witness and a hub: 1, 2. Whatever goes may also be lost.
  bool arrives(int way) { return !cuts_[way] && !chance(12); }

  void crash(ModelHub& hub) { hub = ModelHub{.name = hub.name, .file = hub.file, .runs = false}; }

  View view(const ModelHub& hub) const {
    return {.self = hub.name,
            .own = hub.file.standing,
            .has_partner = true,
            .partner = hub.partner,
            .has_witness = true,
            .witness = hub.witness};
  }

  void greet(int self) {
    ModelHub& other = hubs_[1 - self];
    const bool answered = other.runs && arrives(0) && arrives(0);
    hubs_[self].partner = answered ? std::optional(other.file.standing) : std::nullopt;
  }

  // The witness asks a hub what it wants, keeps what comes of it, and tells.
  void poll(int self) {
    ModelHub& hub = hubs_[self];
    if (!hub.runs || !arrives(1 + self)) return;
    hub.witness.hear(chance(4) ? late_ : witness_.standing());
    late_ = witness_.standing();
    if (hub.holds && !hub.claims_alone) hub.witness.revoke();
    if (!arrives(1 + self)) return;
    if (hub.holds || next_step(view(hub)) == Step::kClaim) {
      const bool alone = hub.holds ? hub.claims_alone : true;
      witness_.on_claim({hub.file.standing.epoch, hub.name, alone, hub.witness.revoked()}, now_);
    } else if (next_step(view(hub)) == Step::kBid) {
      witness_.on_bid(hub.name, hub.file.standing.epoch, now_);
    }
  }

  void meet(int self) {
    ModelHub& hub = hubs_[self];
    if (!hub.runs) return;
    greet(self);
    if (hub.holds) return catch_up(self);
    const View seen = view(hub);
    const Step step = next_step(seen);
    if (step == Step::kTakeOver) {
      hub.file.standing = {.epoch = next_epoch(seen), .holder = hub.name};
      ++taken_over_;
    }
    hub.holds = step == Step::kTakeOver || step == Step::kHold;
    hub.claims_alone = true;
    hub.follows = false;
  }

  // The holder sends its whole file.
  void catch_up(int self) {
    ModelHub& hub = hubs_[self];
    ModelHub& other = hubs_[1 - self];
    if (may_speak(view(hub), true) == Speech::kEnd) return crash(hub);
    if (hub.follows || !other.runs || other.holds || !arrives(0)) return;
    if (other.file.standing.epoch > hub.file.standing.epoch) return;
    other.file = hub.file;
    if (!arrives(0)) return;
    hub.follows = true;
    hub.claims_alone = false;
    hub.witness.revoke();
  }

  bool send(int self, int commit) {
    ModelHub& hub = hubs_[self];
    ModelHub& other = hubs_[1 - self];
    if (!hub.follows || !other.runs || !arrives(0)) return false;
    if (other.holds || other.file.standing.epoch != hub.file.standing.epoch) {
      hub.partner = other.file.standing;
      return false;
    }
    std::vector<int> before = hub.file.commits;
    before.pop_back();
    if (other.file.commits != before) return false;
    other.file.commits.push_back(commit);
    return arrives(0);
  }

  void commit(int self) {
    ModelHub& hub = hubs_[self];
    if (!hub.runs || !hub.holds) return;
    const int commit = ++last_commit_;
    hub.file.commits.push_back(commit);
    if (chance(30)) return crash(hub);
    const bool confirmed = send(self, commit);
    if (!confirmed) {
      hub.follows = false;
      hub.claims_alone = true;
    }
    for (int tries = 0; tries < 3 && may_speak(view(hub), confirmed) == Speech::kClaim; ++tries) {
      poll(self);
      poll(self);
    }
    if (may_speak(view(hub), confirmed) != Speech::kSpeak) return crash(hub);
    told_.insert(commit);
    // Whoever may speak has all that was ever told.
    const std::set<int> has(hub.file.commits.begin(), hub.file.commits.end());
    for (const int one : told_) ASSERT_TRUE(has.contains(one)) << one << " was told, and " << hub.name << " lacks it";
  }

  std::mt19937 random_;
  Witness witness_;
  Register late_;
  ModelHub hubs_[2];
  bool cuts_[3] = {false, false, false};
  Time now_;
  int last_commit_ = 0;
  int taken_over_ = 0;
  std::set<int> told_;
};

TEST(Succession, LosesNothingThatWasToldAndNeverHasTwoThatSpeak) {
  int told = 0;
  int taken_over = 0;
  for (std::uint32_t seed = 1; seed <= 2'000 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    world.run(400);
    told += world.told();
    taken_over += world.taken_over();
  }
  EXPECT_GT(told, 20'000) << "nobody spoke: nothing was tested";
  EXPECT_GT(taken_over, 200) << "nobody took over: nothing was tested";
}

}  // namespace
}  // namespace hearth::succession
