#include "core/sync/names.h"

#include <gtest/gtest.h>

namespace hearth::sync {
namespace {

TEST(SyncNamesTest, FoldsCaseAndNormalForms) {
  EXPECT_EQ(folded_name("README.md"), folded_name("Readme.MD"));
  EXPECT_EQ(folded_name("Größe"), folded_name("GRO\u0308SSE"));
  EXPECT_EQ(folded_name("\u212bngstrom"), folded_name("\u00e5ngstrom"));
  EXPECT_NE(folded_name("a"), folded_name("ä"));
  EXPECT_NE(folded_name("a"), folded_name("b"));
  EXPECT_EQ(folded_name("\xff\xfe"), "\xff\xfe");
  EXPECT_EQ(folded_name(""), "");
}

TEST(SyncNamesTest, AConflictsNameIsFreeAndKeepsItsEnding) {
  const auto free = [](const std::string&) { return false; };
  EXPECT_EQ(conflict_name("a.txt", "PC 2026-11-27", free), "a (conflict PC 2026-11-27).txt");
  EXPECT_EQ(conflict_name(".profile", "PC", free), ".profile (conflict PC)");
  EXPECT_EQ(conflict_name("a", "PC", [](const std::string& name) { return name == "a (conflict PC)"; }),
            "a (conflict PC 2)");
  std::string long_name;
  for (int i = 0; i < 125; ++i) long_name += "ü";
  const std::string made = conflict_name(long_name + ".txt", "PC", free);
  EXPECT_LE(made.size(), 255U);
  EXPECT_TRUE(made.ends_with("ü (conflict PC).txt"));
}

}  // namespace
}  // namespace hearth::sync
