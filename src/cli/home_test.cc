#include "cli/home.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "cli/documents.h"
#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

TEST(Home, TheNearestSourceDecides) {
  HomeSources sources = {.option = "/a", .hearth_home = "/b", .xdg_data_home = "/c", .user_home = "/d"};
  EXPECT_EQ(resolve_home(sources)->root, "/a");
  sources.option = "";
  EXPECT_EQ(resolve_home(sources)->root, "/b");
  sources.hearth_home = "";
  EXPECT_EQ(resolve_home(sources)->root, "/c/hearth");
  sources.xdg_data_home = "relative";
  EXPECT_EQ(resolve_home(sources)->root, "/d/.local/share/hearth");
  sources.user_home = "";
  sources.xdg_data_home = "";
  ASSERT_FALSE(resolve_home(sources));
  EXPECT_NE(resolve_home(sources).error().message.find("--home"), std::string::npos);
}

TEST(Home, IsAbsoluteAndNormal) {
  EXPECT_EQ(resolve_home({.option = "/a/./b/../c", .hearth_home = "", .xdg_data_home = "", .user_home = ""})->root,
            "/a/c");
  EXPECT_TRUE(
      resolve_home({.option = "here", .hearth_home = "", .xdg_data_home = "", .user_home = ""})->root.is_absolute());
}

TEST(Home, DirectoriesAreForTheOwnerAlone) {
  const TempDirectory temporary;
  ASSERT_TRUE(make_directory(temporary.path() / "a/b"));
  struct stat status = {};
  ASSERT_EQ(::stat((temporary.path() / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_TRUE(make_directory(temporary.path() / "a/b"));
  temporary.write("file", "");
  EXPECT_FALSE(make_directory(temporary.path() / "file"));
  EXPECT_FALSE(make_directory(temporary.path() / "file/below"));
}

TEST(Home, SmallFilesAreWrittenWholeAndRead) {
  const TempDirectory temporary;
  const std::filesystem::path file = temporary.path() / "deep/er/config.json";
  ASSERT_TRUE(write_file_atomically(file, "one"));
  ASSERT_TRUE(write_file_atomically(file, "two"));
  EXPECT_EQ(read_small_file(file).value(), "two");
  struct stat status = {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto entries = std::filesystem::directory_iterator(file.parent_path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
  EXPECT_EQ(read_small_file(temporary.path() / "absent").error().code, Code::kNotFound);
  temporary.write("large", std::string(kMiB + 1, 'x'));
  EXPECT_EQ(read_small_file(temporary.path() / "large").error().code, Code::kResourceExhausted);
}

TEST(Home, OneHoldsTheLock) {
  const TempDirectory temporary;
  const Home home{temporary.path() / "home"};
  EXPECT_FALSE(Lock::holder(home));
  {
    const Result<std::optional<Lock>> first = Lock::take(home);
    ASSERT_TRUE(first && first->has_value());
    ASSERT_TRUE((*first)->sign());
    const Result<std::optional<Lock>> second = Lock::take(home);
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->has_value());
    const std::optional<Holder> holder = Lock::holder(home);
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->process, ::getpid());
    EXPECT_GT(holder->since.unix_millis, 0);
  }
  EXPECT_FALSE(Lock::holder(home));
}

TEST(Documents, ConfigSurvivesItsFile) {
  const Config config = {.hub = false, .address = "192.168.1.7", .port = 8000, .name = "Küche"};
  EXPECT_EQ(parse_config(format_config(config)).value(), config);
  EXPECT_EQ(parse_config("{}").value(), Config{});
  for (const char* wrong : {"", "[]", "{", R"({"port": 65536})", R"({"port": -1})", R"({"port": "7443"})",
                            R"({"hub": 1})", R"({"name": 7})"}) {
    EXPECT_FALSE(parse_config(wrong)) << wrong;
  }
}

TEST(Documents, PolicySurvivesItsFile) {
  const Policy policy = {.cores = 0,
                         .memory_bytes = 8 * kGiB,
                         .hours = Hours{1320, 420},
                         .rings = {},
                         .oci_runtime = "runsc --x",
                         .draining = true};
  Policy rings;
  rings.rings["stranger"] = {
      .isolation = "fence", .host_files = true, .gpu = false, .net = "listed", .may_share_my_kernel = true};
  EXPECT_EQ(parse_policy(format_policy(rings)).value(), rings);
  EXPECT_EQ(parse_policy(format_policy(policy)).value(), policy);
  EXPECT_EQ(parse_policy(format_policy(Policy{})).value(), Policy{});
  EXPECT_EQ(parse_policy(R"({"cores": null})").value(), Policy{});
  EXPECT_FALSE(parse_policy(R"({"hours": "always"})"));
  EXPECT_FALSE(parse_policy(R"({"rings": "home"})"));
  EXPECT_FALSE(parse_policy(R"({"rings": {"cousin": {}}})"));
  EXPECT_FALSE(parse_policy(R"({"rings": {"home": {"gpu": "yes"}}})"));
}

TEST(Documents, ADamagedFileIsNamed) {
  const TempDirectory temporary;
  temporary.write("config.json", "no json");
  const Result<Config> config = load_config(Home{temporary.path()});
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("config.json"), std::string::npos);
}

TEST(Documents, ObjectsKeepTheirOrder) {
  const std::string text =
      object_json({{"z", true}, {"a", std::int64_t{7}}, {"m", "x\"\xff"}, {"l", std::vector<std::string>{"1"}}});
  EXPECT_LT(text.find("\"z\": true"), text.find("\"a\": 7"));
  EXPECT_NE(text.find(R"("m": "x\")"), std::string::npos);
  EXPECT_EQ(findings_json({}), "{\n  \"findings\": []\n}\n");
}

}  // namespace
}  // namespace hearth::cli
