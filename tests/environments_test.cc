// `hearth env` and `hearth run --env`: a root file system of one's own, by name.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pool.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class EnvironmentsTest : public PoolFixture {
 protected:
  // A root file system of one program, in the directory where commands run.
  void make_tree(const std::string& name, const std::string& marker) {
    const fs::path tree = pool().directory() / name;
    fs::create_directories(tree / "bin");
    fs::create_directories(tree / "etc");
    fs::copy_file("/bin/busybox", tree / "bin" / "busybox");
    for (const char* link : {"sh", "cat", "ls", "sleep"}) fs::create_symlink("busybox", tree / "bin" / link);
    write_text(tree / "etc" / "marker", marker + "\n");
  }
  void build(const std::string& name, const std::string& directory) {
    const Ended built = pool().cli({"env", "build", name, "--from-dir", directory});
    ASSERT_EQ(built.exit_code, 0) << built.err;
  }
  Ended run_in(const std::string& environment, const std::string& script) {
    return pool().cli({"run", "--env", environment, "--", "sh", "-c", script});
  }
  json list() { return json::parse(pool().cli({"env", "list", "--json"}).out, nullptr, false)["environments"]; }
};

TEST_F(EnvironmentsTest, AProgramRunsInOneAndSeesNothingElse) {
  make_tree("tree", "tiny");
  build("tiny", "tree");
  ASSERT_EQ(list().size(), 1U);
  EXPECT_EQ(list()[0]["name"], "tiny");
  EXPECT_THAT(pool().cli({"env", "list"}).out, HasSubstr("directory tree"));
  const Ended ran = run_in("tiny", "cat /etc/marker; ls /usr 2>/dev/null && echo seen; ls /; exit 5");
  EXPECT_EQ(ran.exit_code, 5) << ran.err;
  EXPECT_EQ(ran.out, "tiny\nbin\ndev\netc\njob\nproc\nrun\nsys\ntmp\nworkspace\n") << ran.err;
  // A program of the host is not there.
  const Ended absent = pool().cli({"run", "--env", "tiny", "--", "python3", "-c", "print(1)"});
  EXPECT_NE(absent.exit_code, 0);
  EXPECT_THAT(absent.err, HasSubstr("'python3' was not found"));
}

TEST_F(EnvironmentsTest, AContainerOfTheOwnersRuntimeShowsOneToo) {
  if (!fs::exists("/usr/bin/crun")) GTEST_SKIP() << "SKIPPED: crun is not here";
  make_tree("tree", "tiny");
  build("tiny", "tree");
  ASSERT_EQ(pool().cli({"limit", "--isolation", "oci"}).exit_code, 0);
  // What stands in front of the program tells at which level it runs.
  ASSERT_TRUE(
      eventually(seconds(60), [&] { return run_in("tiny", "cat /proc/1/cmdline").out.contains("hearth/init"); }));
  const Ended ran = run_in("tiny", "cat /etc/marker; ls /usr 2>/dev/null && echo seen; exit 5");
  EXPECT_EQ(ran.exit_code, 5) << ran.err;
  EXPECT_EQ(ran.out, "tiny\n") << ran.err;
  ASSERT_EQ(pool().cli({"limit", "--oci-runtime", "/usr/bin/false"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(60), [&] {
    return pool().cli({"status"}).out.contains("its owner wants isolation level oci, which fails here");
  }));
}

TEST_F(EnvironmentsTest, ASubmittedJobKeepsWhatTheNameStoodFor) {
  make_tree("old", "old");
  make_tree("new", "new");
  build("it", "old");
  const Ended waiting = pool().cli({"run", "--detach", "--", "sh", "-c", "sleep 2"});
  ASSERT_EQ(waiting.exit_code, 0) << waiting.err;
  const std::string first = waiting.out.substr(0, waiting.out.find('\n'));
  const Ended later = pool().cli({"run", "--detach", "--env", "it", "--after", first, "--", "cat", "/etc/marker"});
  ASSERT_EQ(later.exit_code, 0) << later.err;
  build("it", "new");
  EXPECT_EQ(run_in("it", "cat /etc/marker").out, "new\n");
  EXPECT_EQ(pool().cli({"env", "rm", "it"}).exit_code, 0);
  EXPECT_TRUE(list().empty());
  const Ended logs = pool().cli({"logs", "--follow", later.out.substr(0, later.out.find('\n'))});
  EXPECT_EQ(logs.out, "old\n") << logs.err;
}

TEST_F(EnvironmentsTest, ManyTasksShareOneThatIsUnpackedOnce) {
  make_tree("tree", "shared");
  build("tiny", "tree");
  const Ended ran = pool().cli({"run", "-n", "20", "--env", "tiny", "--", "cat", "/etc/marker"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const fs::path place = pool().home() / "node" / "environments";
  EXPECT_EQ(std::distance(fs::directory_iterator(place), fs::directory_iterator()), 1);
}

TEST_F(EnvironmentsTest, ANodeThatIsToldToEndWhileUnpackingDoes) {
  make_tree("tree", "tiny");
  std::ofstream(pool().directory() / "tree" / "large") << std::string(512 << 20, 'x');
  build("large", "tree");
  const Ended waiting = pool().cli({"run", "--detach", "--env", "large", "--", "cat", "/etc/marker"});
  ASSERT_EQ(waiting.exit_code, 0) << waiting.err;
  const pid_t node = pool().node_process();
  pid_t unpacking = 0;
  for (int look = 0; look < 20'000 && unpacking == 0; ++look) {
    for (const pid_t process : descendants_of(node)) {
      if (command_line(process).starts_with("unsquashfs")) unpacking = process;
    }
  }
  ASSERT_NE(unpacking, 0);
  ::kill(unpacking, SIGSTOP);  // as slow as can be
  ::kill(node, SIGTERM);
  EXPECT_TRUE(eventually(seconds(30), [&] { return ::kill(node, 0) != 0; }));
  EXPECT_TRUE(eventually(seconds(30), [&] { return ::kill(unpacking, 0) != 0; }));
  ::kill(unpacking, SIGKILL);
}

TEST_F(EnvironmentsTest, ANodeKilledWhileUnpackingBelievesNothingOfIt) {
  make_tree("tree", "tiny");
  build("tiny", "tree");
  const fs::path place = pool().home() / "node" / "environments";
  fs::create_directories(place / "incoming" / "root" / "etc");
  fs::create_directories(place / std::string(64, 'a') / "root");
  const pid_t node = pool().node_process();
  ::kill(node, SIGKILL);
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().node_process() != node && pool().node_connected(); }));
  EXPECT_EQ(run_in("tiny", "cat /etc/marker").out, "tiny\n");
  EXPECT_FALSE(fs::exists(place / "incoming"));
  EXPECT_FALSE(fs::exists(place / std::string(64, 'a')));
}

TEST_F(EnvironmentsTest, TheOwnersDiskLimitHolds) {
  make_tree("tree", "large");
  std::ofstream(pool().directory() / "tree" / "large") << std::string(96 << 20, 'x');
  build("large", "tree");
  ASSERT_EQ(pool().cli({"limit", "--disk", "64M"}).exit_code, 0);
  std::string said;
  EXPECT_TRUE(eventually(seconds(60), [&] {
    said = run_in("large", "true").err;
    return said.find("hearth limit --disk") != std::string::npos;
  })) << said;
  ASSERT_EQ(pool().cli({"limit", "--disk", "1G"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] { return run_in("large", "cat /etc/marker").out == "large\n"; }));
}

TEST_F(EnvironmentsTest, GoOutAsContainerImagesAndComeBack) {
  make_tree("tree", "travelled");
  build("tiny", "tree");
  const Ended out = pool().cli({"env", "export", "tiny", "--to-oci", "tiny.tar"});
  ASSERT_EQ(out.exit_code, 0) << out.err;
  const Ended back = pool().cli({"env", "build", "back", "--from-oci", "tiny.tar"});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(list()[0]["image"], list()[1]["image"]) << "not the same bytes after the round trip";
  EXPECT_EQ(run_in("back", "cat /etc/marker; ls -d /usr 2>/dev/null").out, "travelled\n");
  const Ended inspected =
      run_program({"skopeo", "inspect", "oci-archive:" + (pool().directory() / "tiny.tar").string()});
  EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
}

TEST_F(EnvironmentsTest, WrongValuesAreNamed) {
  make_tree("tree", "tiny");
  build("tiny", "tree");
  write_text(pool().directory() / "no.tar", "no archive");
  const std::vector<std::tuple<std::vector<std::string>, int, std::string>> cases = {
      {{"run", "--env", "moon", "--", "true"}, 1, "there is no 'moon'; there are: host, tiny"},
      {{"run", "--env", "../x", "--", "true"}, 2, "environment"},
      {{"env", "build", "host", "--from-dir", "tree"}, 2, "is not \"host\""},
      {{"env", "build", "A B", "--from-dir", "tree"}, 2, "A B: a name has"},
      {{"env", "build", "x"}, 2, "--packages LIST, --recipe NAME (base, python, cpp, media)"},
      {{"env", "build", "x", "--recipe", "base", "--from-dir", "tree"}, 2, "give one of"},
      {{"env", "build", "x", "--recipe", "bread"}, 2, "bread: there are: base"},
      {{"env", "build", "x", "--packages", "python3,--evil"}, 2, "--evil: this is no package's name"},
      {{"env", "build", "x", "--from-dir", "nowhere"}, 2, "nowhere: this is no directory"},
      {{"env", "build", "x", "--from-oci", "nowhere.tar"}, 2, "nowhere.tar: there is no such file"},
      {{"env", "build", "x", "--from-oci", "no.tar"}, 2, "neither an OCI nor a docker archive"},
      {{"env", "rm", "moon"}, 1, "there is no environment moon; there are: tiny"},
      {{"env", "export", "moon", "--to-oci", "x.tar"}, 1, "there is no environment moon"},
      {{"env", "export", "tiny"}, 2, "--to-oci FILE is needed"},
      {{"limit", "--disk", "1K"}, 2, "--disk 1K"},
  };
  for (const auto& [arguments, code, said] : cases) {
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(said));
    EXPECT_EQ(ended.out, "");
  }
  EXPECT_EQ(list().size(), 1U);
  // Nothing of a build is left.
  for (const auto& entry : fs::directory_iterator(pool().home() / "cli")) {
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("work-")));
  }
}

}  // namespace
}  // namespace hearth::e2e
