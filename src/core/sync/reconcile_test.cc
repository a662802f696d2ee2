// Two small worlds that somebody edits while they are brought together, with stops at any moment.
#include "core/sync/reconcile.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using What = Action::What;

bool is_below(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }

struct Item {
  Side side;
  std::string content;  // of a file
};

class Folder {
 public:
  std::map<std::string, Item> items;

  std::optional<Side> at(const std::string& path) const {
    const auto found = items.find(path);
    return found == items.end() ? std::nullopt : std::optional(found->second.side);
  }
  bool has_parent(const std::string& path) const {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return true;
    const std::optional<Side> above = at(path.substr(0, slash));
    return above && above->kind == Kind::kFolder;
  }
  std::map<std::string, Side> sides() const {
    std::map<std::string, Side> all;
    for (const auto& [path, item] : items) all[path] = item.side;
    return all;
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& [path, item] : items) all[path] = item.content;
    return all;
  }
  std::vector<Item> take(const std::string& path) {  // with all below
    std::vector<Item> taken;
    std::erase_if(items, [&](const auto& entry) {
      if (entry.first != path && !is_below(entry.first, path)) return false;
      taken.push_back(entry.second);
      return true;
    });
    return taken;
  }
};

class World {
 public:
  World(unsigned seed, std::vector<std::string> names) : random_(seed), names_(std::move(names)) {}

  // One run, which is stopped after `most` actions, with edits in between if `busy`. How many there were to do.
  std::size_t run(std::size_t most, bool busy) {
    Trees trees{.base = base_, .here = here_.sides(), .there = there_.sides(), .left = left, .same = {}};
    for (const std::string& path : to_compare(trees)) {
      if (here_.items[path].content == there_.items[path].content) trees.same.insert(path);
    }
    plan = reconcile(trees, "PC");
    for (std::size_t i = 0; i < std::min(most, plan.actions.size()); ++i) {
      if (busy && chance(4)) edit();
      carry_out(plan.actions[i], trees);
      expect_nothing_lost();
    }
    return plan.actions.size();
  }

  void edit() {
    Folder& folder = chance(2) ? here_ : there_;
    const std::string path = some_path();
    const std::optional<Side> now = folder.at(path);
    if (chance(3)) {  // removed
      for (const Item& item : folder.take(path)) superseded_.insert(item.content);
    } else if (folder.has_parent(path)) {
      if (now && now->kind == Kind::kFile) superseded_.insert(folder.items[path].content);
      if (now && (now->kind == Kind::kFolder || chance(3))) {
        for (const Item& item : folder.take(path)) superseded_.insert(item.content);
      }
      if (chance(3) && !folder.at(path)) {
        folder.items[path] = {.side = {.kind = Kind::kFolder, .version = {}}, .content = {}};
      } else {
        // Now and then both write the same.
        const std::string content = chance(6) ? "common" : "c" + std::to_string(++counter_);
        folder.items[path] = {.side = fresh(), .content = content};
        if (content != "common") written_.insert(content);
      }
    }
  }

  bool chance(unsigned of) { return random_() % of == 0; }

  const Folder& here() const { return here_; }
  const Folder& there() const { return there_; }
  Folder& here() { return here_; }
  Folder& there() { return there_; }
  const std::map<std::string, Base>& base() const { return base_; }

  Plan plan;
  std::set<std::string> left;

 private:
  Side fresh() { return {.kind = Kind::kFile, .version = std::to_string(++counter_)}; }

  std::string some_path() {
    std::string path = names_[random_() % names_.size()];
    while (chance(2) && std::ranges::count(path, '/') < 3) path += "/" + names_[random_() % names_.size()];
    return path;
  }

  void forget(const std::string& path, bool itself) {
    std::erase_if(base_,
                  [&](const auto& entry) { return is_below(entry.first, path) || (itself && entry.first == path); });
  }

  void note(const std::string& path) {
    const bool is_file = here_.items[path].side.kind == Kind::kFile;
    if (is_file) forget(path, false);
    base_[path] = {.here = here_.items[path].side, .there = there_.items[path].side};
  }

  void make(Folder& folder, const Folder& other, const std::string& path) {
    if (folder.at(path) || !folder.has_parent(path)) return;
    folder.items[path] = {.side = {.kind = Kind::kFolder, .version = {}}, .content = {}};
    if (other.at(path) == folder.at(path)) note(path);
  }

  void copy(const Folder& from, Folder& to, const std::string& path, const std::optional<Side>& source,
            const std::optional<Side>& target) {
    if (from.at(path) != source || to.at(path) != target || !to.has_parent(path)) return;
    to.items[path] = {.side = fresh(), .content = from.items.at(path).content};
    note(path);
  }

  void remove_there(const Action& action, const Trees& trees) {
    const auto below = [&](const std::map<std::string, Side>& all) {
      std::map<std::string, Side> found;
      for (const auto& [path, side] : all) {
        if (is_below(path, action.path)) found[path] = side;
      }
      return found;
    };
    if (there_.at(action.path) != action.there || below(there_.sides()) != below(trees.there)) return;
    there_.take(action.path);
    forget(action.path, true);
  }

  void rename(const Action& action) {
    if (here_.at(action.path) != action.here || here_.at(action.to)) return;
    std::map<std::string, Item> moved;
    for (const auto& [path, item] : here_.items) {
      const bool goes = path == action.path || is_below(path, action.path);
      moved[goes ? action.to + path.substr(action.path.size()) : path] = item;
    }
    here_.items = std::move(moved);
    forget(action.path, true);
  }

  void carry_out(const Action& action, const Trees& trees) {
    const std::string& path = action.path;
    const auto is_empty = [&] {
      return std::ranges::none_of(here_.items, [&](const auto& entry) { return is_below(entry.first, path); });
    };
    switch (action.what) {
      case What::kAdopt:
        if (here_.at(path) == action.here && there_.at(path) == action.there) note(path);
        break;
      case What::kForget:
        forget(path, true);
        break;
      case What::kRenameHere:
        rename(action);
        break;
      case What::kMakeHere:
        make(here_, there_, path);
        break;
      case What::kMakeThere:
        make(there_, here_, path);
        break;
      case What::kFetch:
        copy(there_, here_, path, action.there, action.here);
        break;
      case What::kSend:
        copy(here_, there_, path, action.here, action.there);
        break;
      case What::kRemoveHere:
        if (here_.at(path) != action.here || !is_empty()) break;
        here_.take(path);
        forget(path, true);
        break;
      case What::kRemoveThere:
        remove_there(action, trees);
        break;
    }
  }

  // What somebody wrote, and nobody who saw it has replaced or removed, is on one side at least, and not in the trash.
  void expect_nothing_lost() {
    std::set<std::string> all;
    for (const Folder* folder : {&here_, &there_}) {
      for (const auto& [path, item] : folder->items) {
        all.insert(item.content);
        ASSERT_TRUE(folder->has_parent(path)) << path;
      }
    }
    for (const std::string& content : written_) {
      ASSERT_TRUE(all.contains(content) || superseded_.contains(content)) << content;
    }
  }

  std::mt19937 random_;
  std::vector<std::string> names_;
  Folder here_;
  Folder there_;
  std::map<std::string, Base> base_;
  std::set<std::string> written_;
  std::set<std::string> superseded_;
  int counter_ = 0;
};

constexpr std::size_t kAll = 1'000'000;

class ReconcileWorlds : public testing::TestWithParam<unsigned> {};

TEST_P(ReconcileWorlds, LosesNothingAndEndsWithTheSameOnBothSides) {
  for (unsigned round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    World world(GetParam() * 1'000 + round, {"a", "b", "c"});
    for (int phase = 0; phase < 6; ++phase) {
      for (int i = 0; i < 8; ++i) world.edit();
      world.run(world.chance(3) ? kAll : GetParam() % 7, true);
      ASSERT_FALSE(HasFatalFailure());
    }
    world.run(kAll, false);
    world.run(kAll, false);
    ASSERT_EQ(world.here().contents(), world.there().contents());
    ASSERT_EQ(world.run(kAll, false), 0U);
    ASSERT_EQ(world.base().size(), world.here().items.size());
  }
}

TEST_P(ReconcileWorlds, LosesNothingWhereNamesAreAlikeAndComesToRest) {
  for (unsigned round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    World world(GetParam() * 1'000 + round, {"a", "A", "\u00e4", "a\u0308"});
    world.left = {"a/a"};
    for (int phase = 0; phase < 6; ++phase) {
      for (int i = 0; i < 8; ++i) world.edit();
      world.run(world.chance(3) ? kAll : GetParam() % 7, true);
      ASSERT_FALSE(HasFatalFailure());
    }
    for (int i = 0; i < 4; ++i) world.run(kAll, false);
    ASSERT_EQ(world.run(kAll, false), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReconcileWorlds, testing::Range(1U, 11U));

class ReconcileTest : public testing::Test {
 protected:
  static Side file(const std::string& version) { return {.kind = Kind::kFile, .version = version}; }
  static Side folder() { return {.kind = Kind::kFolder, .version = {}}; }
  std::vector<std::string> planned() {
    std::vector<std::string> words;
    for (const Action& action : reconcile(trees_, "PC").actions) {
      constexpr const char* kWords[] = {"adopt", "forget", "rename",  "mkdir here", "mkdir there",
                                        "fetch", "send",   "rm here", "rm there"};
      words.push_back(std::string(kWords[static_cast<int>(action.what)]) + " " + action.path);
    }
    return words;
  }
  Trees trees_;
};

TEST_F(ReconcileTest, WhatIsNewGoesToTheOtherSideFoldersFirst) {
  trees_.here = {{"d", folder()}, {"d/x", file("1")}};
  trees_.there = {{"e", folder()}, {"e/y", file("1")}};
  EXPECT_THAT(planned(), ElementsAre("mkdir there d", "mkdir here e", "send d/x", "fetch e/y"));
}

TEST_F(ReconcileTest, AFolderThatWasRemovedGoesWholeUnlessSomethingInItIsNew) {
  trees_.base = {{"d", {folder(), folder()}}, {"d/x", {file("1"), file("1")}}};
  trees_.there = {{"d", folder()}, {"d/x", file("1")}};
  EXPECT_THAT(planned(), ElementsAre("rm there d"));
  trees_.there["d/new"] = file("7");
  EXPECT_THAT(planned(), ElementsAre("mkdir here d", "fetch d/new", "rm there d/x"));
  std::swap(trees_.here, trees_.there);
  EXPECT_THAT(planned(), ElementsAre("mkdir there d", "send d/new", "rm here d/x"));
  trees_.here.erase("d/new");
  EXPECT_THAT(planned(), ElementsAre("rm here d/x", "rm here d"));
  trees_.left = {"d/link"};
  EXPECT_THAT(planned(), ElementsAre("mkdir there d", "rm here d/x")) << "what is left there keeps it";
}

TEST_F(ReconcileTest, ARemovalNeverWinsOverAChange) {
  trees_.base = {{"x", {file("1"), file("1")}}, {"y", {file("1"), file("1")}}};
  trees_.here = {{"x", file("2")}};
  trees_.there = {{"y", file("2")}};
  EXPECT_THAT(planned(), ElementsAre("send x", "fetch y"));
}

TEST_F(ReconcileTest, WhatBothChangedIsKeptTwiceUnlessItIsTheSame) {
  trees_.here = {{"x.txt", file("1")}, {"x (conflict PC).txt", file("3")}};
  trees_.there = {{"x.txt", file("2")}, {"x (conflict PC).txt", file("4")}};
  EXPECT_THAT(to_compare(trees_), ElementsAre("x (conflict PC).txt", "x.txt"));
  trees_.same = {"x (conflict PC).txt"};
  const Plan plan = reconcile(trees_, "PC");
  EXPECT_EQ(plan.actions[0].to, "x (conflict PC 2).txt");
  EXPECT_THAT(plan.conflicts, ElementsAre("x.txt"));
  EXPECT_THAT(planned(),
              ElementsAre("rename x.txt", "adopt x (conflict PC).txt", "send x (conflict PC 2).txt", "fetch x.txt"));
}

TEST_F(ReconcileTest, AFileThatBecameAFolderAndBack) {
  trees_.base = {{"x", {file("1"), file("1")}}};
  trees_.here = {{"x", folder()}, {"x/y", file("2")}};
  trees_.there = {{"x", file("1")}};
  EXPECT_THAT(planned(), ElementsAre("rm there x", "mkdir there x", "send x/y"));
  trees_.there = {{"x", file("9")}};
  EXPECT_THAT(planned(), ElementsAre("rename x", "fetch x"));
  trees_.base = {{"x", {folder(), folder()}}, {"x/y", {file("2"), file("2")}}};
  EXPECT_THAT(planned(), ElementsAre("rm here x/y", "rm here x", "fetch x"));
}

TEST_F(ReconcileTest, NamesThatAreAlikeAreLeftAndAnotherCaseIsNot) {
  trees_.here = {{"D", folder()}, {"D/x", file("1")}, {"e", file("1")}};
  trees_.there = {{"d", folder()}, {"E", file("1")}};
  trees_.base = {{"e", {file("1"), file("1")}}};
  const Plan plan = reconcile(trees_, "PC");
  EXPECT_THAT(plan.collisions, ElementsAre(ElementsAre("D", "d")));
  EXPECT_THAT(planned(), ElementsAre("fetch E", "rm here e")) << "it has been renamed there";
}

TEST_F(ReconcileTest, WhatIsClosedIsNotTakenForRemoved) {
  trees_.base = {{"d", {folder(), folder()}}, {"d/x", {file("1"), file("1")}}, {"e", {folder(), folder()}}};
  trees_.here = {{"d", folder()}, {"d/x", file("1")}, {"d/new", file("1")}, {"e", folder()}, {"f", folder()}};
  EXPECT_THAT(to_ask(trees_), ElementsAre("d", "e", "f"));
  trees_.closed = {"d", "f"};
  EXPECT_THAT(planned(), ElementsAre("rm here e"));

  // What was removed here meanwhile goes there once it is open again, and what was changed on both sides is kept twice.
  trees_.here = {{"d", folder()}, {"d/new", file("1")}};
  EXPECT_THAT(planned(), ElementsAre("forget e"));
  trees_.closed.clear();
  trees_.there = {{"d", folder()}, {"d/x", file("1")}, {"d/new", file("2")}};
  EXPECT_THAT(to_ask(trees_), ElementsAre("e"));
  EXPECT_THAT(planned(),
              ElementsAre("rename d/new", "forget e", "send d/new (conflict PC)", "fetch d/new", "rm there d/x"));
}

TEST_F(ReconcileTest, OnlyFoldersAtTheTopAreAskedAbout) {
  trees_.base = {{"x", {file("1"), file("1")}}, {"d", {folder(), folder()}}, {"d/e", {folder(), folder()}}};
  trees_.here = {{"x", file("1")}, {"d", folder()}, {"d/e", folder()}, {"left", folder()}};
  trees_.there = {{"d", folder()}};
  trees_.left = {"left"};
  EXPECT_THAT(to_ask(trees_), IsEmpty());
}

TEST_F(ReconcileTest, WhatIsLeftStaysAsItIs) {
  trees_.base = {{"d", {folder(), folder()}}, {"d/x", {file("1"), file("1")}}};
  trees_.here = {{"d", folder()}};
  trees_.there = {{"d", folder()}, {"d/x", file("1")}};
  trees_.left = {"d"};
  EXPECT_THAT(planned(), IsEmpty()) << "nobody could look into it";
}

}  // namespace
}  // namespace hearth::sync
