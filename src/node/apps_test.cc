#include "node/apps.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kEntry =
    "# of a program\n[Desktop Entry]\nType=Application\nName=Paint\nName[de]=Malen\n"
    "Exec=sh -c \"a \\\"b\\\" c\" 100%% --open %U --icon %i\nIcon=paint\nTerminal=false\n"
    "[Desktop Action new]\nName=New\nExec=other\n";

TEST(Apps, ReadsADesktopEntry) {
  const std::optional<DesktopEntry> entry = parse_desktop_entry(kEntry);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->name, "Paint");
  EXPECT_THAT(entry->argv, ElementsAre("sh", "-c", "a \"b\" c", "100%", "--open", "--icon"));
  EXPECT_EQ(entry->icon, "paint");
  EXPECT_FALSE(entry->terminal);
}

TEST(Apps, LeavesOutWhatIsNotToBeShown) {
  const std::string entry = "[Desktop Entry]\nType=Application\nName=A\nExec=true\n";
  EXPECT_TRUE(parse_desktop_entry(entry));
  for (const char* line :
       {"NoDisplay=true", "Hidden=true", "OnlyShowIn=KDE;", "Type=Link", "Name=", "Exec=", "Exec=%f", "Name=a\tb"}) {
    EXPECT_FALSE(parse_desktop_entry(entry + line + "\n")) << line;
  }
  EXPECT_TRUE(parse_desktop_entry(entry + "Terminal=true\n")->terminal);
  EXPECT_FALSE(parse_desktop_entry(entry)->gpu);
  EXPECT_TRUE(parse_desktop_entry(entry + "PrefersNonDefaultGPU=true\n")->gpu);
  EXPECT_TRUE(parse_desktop_entry(entry + "X-KDE-RunOnDiscreteGpu=true\n")->gpu);
  EXPECT_FALSE(parse_desktop_entry("Type=Application\nName=A\nExec=true\n"));
  EXPECT_FALSE(parse_desktop_entry(""));
}

TEST(Apps, ReadsWhatTheOwnerAdded) {
  const std::vector<v1::App> apps =
      parse_added_apps(R"({"apps": [{"name": "Clock", "argv": ["xclock", "-update", "1"], "gpus": 2},
                                                {"name": "Notes", "argv": ["jupyter-lab"], "web": 8888},
                                                {"name": "Top", "argv": ["htop"], "terminal": true}]})")
          .apps;
  ASSERT_EQ(apps.size(), 3U);
  EXPECT_EQ(apps.front().web_port(), 0U);
  EXPECT_EQ(apps.front().gpus(), 2U);
  EXPECT_EQ(apps.back().gpus(), 0U);
  EXPECT_EQ(apps[1].web_port(), 8888U);
  EXPECT_FALSE(apps.front().terminal());
  EXPECT_TRUE(apps.back().terminal());
  EXPECT_EQ(apps.front().name(), "Clock");
  EXPECT_THAT(apps.front().argv(), ElementsAre("xclock", "-update", "1"));
  EXPECT_TRUE(apps.front().added());
  for (const char* bad :
       {"", "[]", R"({"apps": 1})", R"({"apps": [{"name": "", "argv": ["a"]}]})", R"({"apps": [{"name": "a"}]})",
        R"({"apps": [{"name": "a", "argv": []}]})", R"({"apps": [{"name": "a", "argv": ["a"], "terminal": 1}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "web": 0}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "web": -1}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "web": 65536}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "web": "80"}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "web": 80, "terminal": true}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "gpus": 17}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "gpus": "1"}]})",
        R"({"apps": [{"name": "a", "argv": ["a"], "gpus": -1}]})", R"({"apps": [{"name": "a", "argv": [1]}]})",
        R"({"apps": [{"name": "a", "argv": [""]}]})"}) {
    const AddedApps added = parse_added_apps(bad);
    EXPECT_TRUE(added.apps.empty()) << bad;
    EXPECT_THAT(added.refused, ElementsAre(HasSubstr("apps.json"))) << bad;
  }
}

TEST(Apps, OneThatIsWrongHidesNoOther) {
  const AddedApps added =
      parse_added_apps(R"({"apps": [{"name": "", "argv": ["a"]}, 7, {"name": "B", "argv": ["b"]}]})");
  ASSERT_EQ(added.apps.size(), 1U);
  EXPECT_EQ(added.apps.front().name(), "B");
  EXPECT_THAT(added.refused, ElementsAre(HasSubstr(R"({"argv":["a"],"name":""})"), HasSubstr("7")));
  std::string many = R"({"apps": [{"name": "a", "argv": ["a"]})";
  for (int i = 0; i < 200; ++i) many += R"(, {"name": "a", "argv": ["a"]})";
  const AddedApps first = parse_added_apps(many + "]}");
  EXPECT_EQ(first.apps.size(), 200U);
  EXPECT_THAT(first.refused, ElementsAre(HasSubstr("201")));
}

class AppsOfAPc : public testing::Test {
 protected:
  AppsOfAPc() {
    std::string made = (std::filesystem::temp_directory_path() / "hearth-apps-XXXXXX").string();
    EXPECT_NE(::mkdtemp(made.data()), nullptr);
    directory_ = made;
    std::filesystem::create_directories(directory_ / "applications");
    std::filesystem::create_directories(directory_ / "pixmaps");
  }
  ~AppsOfAPc() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& content) const { std::ofstream(directory_ / name) << content; }

  std::filesystem::path directory_;
};

TEST_F(AppsOfAPc, AreThoseThatWereAddedAndThoseThatTheSystemLists) {
  write("applications/paint.desktop", kEntry);
  write("applications/gone.desktop", "[Desktop Entry]\nType=Application\nName=Gone\nExec=no-such-program-here\n");
  write("applications/readme.txt", kEntry);
  write("pixmaps/paint.png", "\x89PNG...");
  Apps apps(directory_, {}, {directory_});
  EXPECT_TRUE(apps.look());
  ASSERT_EQ(apps.list().apps_size(), 1);
  EXPECT_EQ(apps.list().apps(0).name(), "Paint");
  EXPECT_EQ(apps.list().apps(0).icon(), "\x89PNG...");
  EXPECT_FALSE(apps.list().apps(0).added());
  EXPECT_FALSE(apps.look());
  write("apps.json", R"({"apps": [{"name": "Clock", "argv": ["xclock"]}]})");
  EXPECT_TRUE(apps.look());
  ASSERT_EQ(apps.list().apps_size(), 2);
  EXPECT_EQ(apps.list().apps(0).name(), "Clock");
}

TEST_F(AppsOfAPc, AreThoseThatItCanShow) {
  write("applications/paint.desktop", kEntry);
  write("applications/shell.desktop", "[Desktop Entry]\nType=Application\nName=Shell\nExec=sh\nTerminal=true\n");
  write("apps.json", R"({"apps": [{"name": "Clock", "argv": ["xclock"]},
                                  {"name": "Notes", "argv": ["jupyter-lab"], "web": 8888},
                                  {"name": "Top", "argv": ["htop"], "terminal": true}]})");
  const auto names = [this](Apps::Kinds kinds) {
    Apps apps(directory_, kinds, {directory_});
    apps.look();
    std::vector<std::string> names;
    for (const v1::App& app : apps.list().apps()) names.push_back(app.name());
    return names;
  };
  EXPECT_THAT(names({}), ElementsAre("Clock", "Notes", "Top", "Paint", "Shell"));
  EXPECT_THAT(names({.windows = false}), ElementsAre("Notes", "Top", "Shell"));
  EXPECT_THAT(names({.terminals = false}), ElementsAre("Clock", "Notes", "Paint"));
  EXPECT_THAT(names(kNoApps), testing::IsEmpty());
}

TEST_F(AppsOfAPc, AreLentAGpuThatTheyPreferWhereThereIsOne) {
  write("applications/game.desktop",
        "[Desktop Entry]\nType=Application\nName=Game\nExec=sh\nPrefersNonDefaultGPU=true\n");
  write("applications/paint.desktop", kEntry);
  const auto gpus = [this](std::uint32_t of_the_pc) {
    Apps apps(directory_, {.gpus = of_the_pc}, {directory_});
    apps.look();
    std::vector<std::pair<std::string, std::uint32_t>> found;
    for (const v1::App& app : apps.list().apps()) found.emplace_back(app.name(), app.gpus());
    return found;
  };
  EXPECT_THAT(gpus(0), ElementsAre(std::pair("Game", 0), std::pair("Paint", 0)));
  EXPECT_THAT(gpus(4), ElementsAre(std::pair("Game", 1), std::pair("Paint", 0)));
}

TEST_F(AppsOfAPc, HaveNoIconThatIsNoPictureOrTooLarge) {
  write("applications/paint.desktop", kEntry);
  write("pixmaps/paint.png", "text");
  Apps text(directory_, {}, {directory_});
  text.look();
  EXPECT_EQ(text.list().apps(0).icon(), "");
  write("pixmaps/paint.png", "\x89PNG" + std::string(17 << 10, 'x'));
  Apps large(directory_, {}, {directory_});
  large.look();
  EXPECT_EQ(large.list().apps(0).icon(), "");
}

TEST(Apps, NeedAHelperProgram) {
  EXPECT_THAT(screen_lack("/nowhere/hearth-screen"), HasSubstr("hearth-screen"));
  EXPECT_FALSE(apps_shown_by("", "/nowhere/hearth-terminal", 0).terminals);
  EXPECT_FALSE(apps_shown_by("", "", 0).terminals);
  EXPECT_TRUE(apps_shown_by("", "/usr/bin/env", 0).terminals);
  EXPECT_FALSE(apps_shown_by("", "/usr/bin/env", 0).windows);
}

}  // namespace
}  // namespace hearth::node
