#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "blob/transfer.h"

namespace hearth::blob {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

v1::Tree tree_of(std::vector<std::string> paths) {
  v1::Tree tree;
  for (std::string& path : paths) {
    v1::TreeFile& file = *tree.add_files();
    file.set_path(std::move(path));
    file.mutable_blob()->set_sha256(std::string(32, 'x'));
  }
  return tree;
}

TEST(CheckTree, TakesOrdinaryTrees) {
  EXPECT_TRUE(check_tree({}));
  EXPECT_TRUE(check_tree(tree_of({"a"})));
  EXPECT_TRUE(check_tree(tree_of({"..a/b..", ".profile", "a b", "a-b", "a/b", "a/c/d", "b", "日本/x"})));
  EXPECT_TRUE(check_tree(tree_of({std::string(255, 'x') + "/" + std::string(255, 'y')})));
}

TEST(CheckTree, RefusesPathsThatLeadElsewhere) {
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/etc/passwd"), std::string("."), std::string(".."),
        std::string("../a"), std::string("a/../../b"), std::string("a/.."), std::string("a/./b"), std::string("a//b"),
        std::string("a/"), std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7f"), std::string("\xff"),
        std::string("\xc0\xae\xc0\xae/a"), std::string(256, 'x')}) {
    const auto checked = check_tree(tree_of({path}));
    ASSERT_FALSE(checked.has_value()) << testing::PrintToString(path);
    EXPECT_EQ(checked.error().code, Code::kInvalidArgument);
  }
  std::string deep = "a";
  while (deep.size() <= 4096) deep += "/a";
  EXPECT_FALSE(check_tree(tree_of({deep})));
}

TEST(CheckTree, RefusesWhatIsOutOfOrderOrTwice) {
  EXPECT_THAT(check_tree(tree_of({"b", "a"})).error().message, HasSubstr("order"));
  EXPECT_THAT(check_tree(tree_of({"a", "a"})).error().message, HasSubstr("twice"));
}

TEST(CheckTree, RefusesAFileThatIsAFolderToo) {
  EXPECT_FALSE(check_tree(tree_of({"a", "a/b"})));
  EXPECT_FALSE(check_tree(tree_of({"a", "a-", "a/b/c"})));
  EXPECT_FALSE(check_tree(tree_of({"a/b", "a/b-c", "a/b/c/d"})));
  EXPECT_TRUE(check_tree(tree_of({"a/b", "a/bc/d"})));
}

TEST(CheckTree, RefusesMalformedBlobs) {
  v1::Tree tree = tree_of({"a"});
  tree.mutable_files(0)->mutable_blob()->set_sha256("short");
  EXPECT_FALSE(check_tree(tree));
  tree.mutable_files(0)->clear_blob();
  EXPECT_FALSE(check_tree(tree));
}

TEST(CheckTree, RefusesTooManyFiles) {
  std::vector<std::string> paths;
  paths.reserve(100'001);
  for (int i = 0; i < 100'001; ++i) paths.push_back(std::to_string(1'000'000 + i));
  EXPECT_FALSE(check_tree(tree_of(paths)));
  paths.pop_back();
  EXPECT_TRUE(check_tree(tree_of(paths)));
}

// In a directory of its own, which is the current one.
class ScanInputs : public testing::Test {
 protected:
  void SetUp() override {
    before = fs::current_path();
    fs::create_directories(temporary.path() / "work" / "assets" / "deep");
    fs::current_path(temporary.path() / "work");
    for (const char* name : {"scene.pov", "assets/a.png", "assets/deep/b.png", "../outside.txt"}) {
      std::ofstream(name) << name;
    }
  }
  void TearDown() override { fs::current_path(before); }

  static std::vector<std::string> names(const std::vector<std::string>& paths) {
    const auto files = scan_inputs(paths);
    if (!files) return {"error: " + files.error().message};
    std::vector<std::string> names;
    for (const LocalFile& file : *files) {
      EXPECT_TRUE(fs::is_regular_file(file.source));
      names.push_back(file.tree_path);
    }
    return names;
  }

  TemporaryDirectory temporary;
  fs::path before;
};

TEST_F(ScanInputs, NamesFilesAsPeopleDo) {
  EXPECT_THAT(names({"scene.pov"}), ElementsAre("scene.pov"));
  EXPECT_THAT(names({"./scene.pov", "scene.pov"}), ElementsAre("scene.pov"));
  EXPECT_THAT(names({"assets"}), ElementsAre("assets/a.png", "assets/deep/b.png"));
  EXPECT_THAT(names({"assets/"}), ElementsAre("assets/a.png", "assets/deep/b.png"));
  EXPECT_THAT(names({"assets/deep"}), ElementsAre("assets/deep/b.png"));
  EXPECT_THAT(names({"../work/scene.pov"}), ElementsAre("scene.pov"));
  EXPECT_THAT(names({fs::current_path() / "assets/deep/b.png"}), ElementsAre("assets/deep/b.png"));
  EXPECT_THAT(names({"."}), ElementsAre("assets/a.png", "assets/deep/b.png", "scene.pov"));
}

TEST_F(ScanInputs, KeepsTheLastPartOfWhatIsOutside) {
  EXPECT_THAT(names({"../outside.txt"}), ElementsAre("outside.txt"));
  EXPECT_THAT(names({temporary.path() / "outside.txt"}), ElementsAre("outside.txt"));
  fs::current_path("assets/deep");
  EXPECT_THAT(names({".."}), ElementsAre("assets/a.png", "assets/deep/b.png"));
}

TEST_F(ScanInputs, FollowsLinksThatStayInside) {
  fs::create_symlink("a.png", "assets/link.png");
  fs::create_directory_symlink("deep", "assets/folder");
  EXPECT_THAT(names({"assets"}),
              ElementsAre("assets/a.png", "assets/deep/b.png", "assets/folder/b.png", "assets/link.png"));
}

TEST_F(ScanInputs, RefusesLinksThatLeadOutOrRoundAndRound) {
  fs::create_symlink("../scene.pov", "assets/out");
  EXPECT_THAT(names({"assets"})[0], HasSubstr("outside"));
  fs::remove("assets/out");
  fs::create_directory_symlink(".", "assets/deep/self");
  EXPECT_THAT(names({"assets"})[0], HasSubstr("inside itself"));
}

TEST_F(ScanInputs, LeavesOutOfFoldersWhatIsExcluded) {
  const auto left = [](const std::vector<std::string>& paths, const std::vector<std::string>& excluded) {
    const auto files = scan_inputs(paths, excluded);
    if (!files) return std::vector<std::string>{"error: " + files.error().message};
    std::vector<std::string> names;
    for (const LocalFile& file : *files) names.push_back(file.tree_path);
    return names;
  };
  EXPECT_THAT(left({"."}, {"deep"}), ElementsAre("assets/a.png", "scene.pov"));
  EXPECT_THAT(left({"."}, {"*.png"}), ElementsAre("scene.pov"));
  EXPECT_THAT(left({"."}, {"assets/*.png"}), ElementsAre("assets/deep/b.png", "scene.pov"));
  EXPECT_THAT(left({"."}, {"assets/deep/*", "scene.pov"}), ElementsAre("assets/a.png"));
  EXPECT_THAT(left({"scene.pov"}, {"scene.pov"}), ElementsAre("scene.pov")) << "it was named itself";
  // Each error names what goes on without it.
  fs::create_symlink("/etc/passwd", "assets/out");
  fs::create_symlink("nothing", "assets/gone");
  ASSERT_EQ(::mkfifo("assets/pipe", 0600), 0);
  std::ofstream("assets/\xff[") << "x";
  std::vector<std::string> excluded;
  for (int i = 0; i < 4; ++i) {
    const std::string said = left({"."}, excluded)[0];
    const std::size_t at = said.find("--exclude '");
    ASSERT_NE(at, std::string::npos) << said;
    excluded.push_back(said.substr(at + 11, said.rfind('\'') - at - 11));
  }
  EXPECT_THAT(left({"."}, excluded), ElementsAre("assets/a.png", "assets/deep/b.png", "scene.pov"));
}

TEST_F(ScanInputs, RefusesWhatIsNoFile) {
  ASSERT_EQ(::mkfifo("assets/pipe", 0600), 0);
  EXPECT_THAT(names({"assets"})[0], HasSubstr("neither a file nor a folder"));
  EXPECT_THAT(names({"assets/pipe"})[0], HasSubstr("neither a file nor a folder"));
  EXPECT_EQ(scan_inputs({"/dev/null"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(scan_inputs({"none"}).error().code, Code::kNotFound);
  EXPECT_EQ(scan_inputs({""}).error().code, Code::kInvalidArgument);
}

TEST_F(ScanInputs, RefusesNamesThatAreNoText) {
  std::ofstream("assets/\xff") << "x";
  EXPECT_EQ(scan_inputs({"assets"}).error().code, Code::kInvalidArgument);
}

TEST_F(ScanInputs, RefusesTwoFilesOfOneName) {
  std::ofstream("outside.txt") << "mine";
  EXPECT_THAT(names({"outside.txt", "../outside.txt"})[0], HasSubstr("two inputs would both be outside.txt"));
}

}  // namespace
}  // namespace hearth::blob
