// Which files of a stranger's directory are taken for results, and that none from outside of it is.
#include "sandbox/outputs.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "sandbox/fd.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

class LinksAmongOutputs : public testing::Test {
 protected:
  LinksAmongOutputs() {
    write(outside() / "secret", "secret");
    write(work() / "lib.so.1", "library");
    fs::permissions(work() / "lib.so.1", fs::perms::owner_exec, fs::perm_options::add);
    write(work() / "d/deep", "deep");
    directory_ = Fd(::open(work().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  fs::path work() const { return temporary_.path() / "work"; }
  fs::path outside() const { return temporary_.path() / "outside"; }

  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  void link(const std::string& name, const std::string& to) const { fs::create_symlink(to, work() / name); }

  Result<std::vector<Output>> collect(const std::vector<std::string>& patterns, CollectLimits limits = {}) const {
    return collect_outputs(directory_.get(), patterns, limits, {});
  }

  // "": it cannot be opened.
  std::string read(const std::string& path) const {
    const Result<int> opened = open_output_beneath(directory_.get(), path);
    if (!opened) return "";
    const Fd file(*opened);
    char text[64];
    const ssize_t length = ::read(file.get(), text, sizeof text);
    return {text, static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
  }

  TemporaryDirectory temporary_;
  Fd directory_;
};

TEST_F(LinksAmongOutputs, WithinComeAsTheFileThatTheyLeadTo) {
  link("lib.so", "lib.so.1");
  link("lib", "lib.so");
  link("d/up", "../lib.so.1");
  link("round", "d/../d/deep");
  const auto outputs = collect({"**"});
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(outputs->size(), 6U);
  for (const Output& output : *outputs) {
    const bool is_library = output.path.starts_with("lib") || output.path == "d/up";
    EXPECT_EQ(output.size, is_library ? 7U : 4U) << output.path;
    EXPECT_EQ(output.executable, is_library) << output.path;
    EXPECT_EQ(read(output.path), is_library ? "library" : "deep") << output.path;
  }
  EXPECT_TRUE(collect({"lib.so"}));
  EXPECT_FALSE(collect({"lib*"}, {.max_bytes = 20})) << "three of 7 bytes each";
}

TEST_F(LinksAmongOutputs, ThatLeadOutOrNowhereAreRefused) {
  link("out", "../outside/secret");
  link("far", "../../../../../../../../etc/passwd");
  link("absolute", work() / "lib.so.1");
  link("process", "/proc/self/root/etc/passwd");
  link("out-folder", "../outside");
  link("over", "out-folder/secret");
  link("back", "../work/lib.so.1");
  link("loop", "loop");
  link("ping", "pong");
  link("pong", "ping");
  link("gone", "nothing");
  link("folder", "d");
  link("pipe-link", "pipe");
  ASSERT_EQ(::mkfifo((work() / "pipe").c_str(), 0600), 0);
  for (const char* name : {"out", "far", "absolute", "process", "out-folder", "over", "back", "loop", "ping", "pong",
                           "gone", "folder", "pipe-link"}) {
    const auto one = collect({name});
    ASSERT_FALSE(one) << name;
    EXPECT_NE(one.error().message.find("is a symbolic link that leads to no file"), std::string::npos)
        << one.error().message;
    EXPECT_FALSE(collect({std::string(name) + "*"})) << name;
    EXPECT_EQ(read(name), "") << name;
  }
  for (const char* name : {"out-folder/secret", "folder/deep", "loop/x"}) {
    EXPECT_FALSE(collect({name})) << name;
    EXPECT_EQ(read(name), "") << name;
  }
  const auto fitting = collect({"**"}, {.takes_what_fits = true});
  ASSERT_TRUE(fitting);
  EXPECT_EQ(fitting->size(), 2U) << "what else there is comes all the same";
}

TEST_F(LinksAmongOutputs, ThatAreChangedMeanwhileLeadNowhereElse) {
  link("moving", "lib.so.1");
  ASSERT_TRUE(collect({"moving"}));
  fs::remove(work() / "moving");
  link("moving", "../outside/secret");
  EXPECT_EQ(read("moving"), "");

  // A file, a link within, a link out and a folder by turns, while it is collected and read.
  std::atomic<bool> over = false;
  std::thread changing([&] {
    const fs::path next = work() / "next";
    for (int turn = 0; !over; ++turn) {
      if (turn % 3 == 0) write(next, "own");
      if (turn % 3 == 1) fs::create_symlink("lib.so.1", next);
      if (turn % 3 == 2) fs::create_symlink("../outside/secret", next);
      fs::rename(next, work() / "moving");
      fs::create_directory_symlink(turn % 2 == 0 ? "d" : "../outside", next);
      fs::rename(next, work() / "way");
    }
  });
  link("secret", "way/secret");
  link("deep", "way/deep");
  int seen = 0;
  for (int i = 0; i < 5000; ++i) {
    for (const char* name : {"moving", "secret", "deep"}) {
      const std::string text = read(name);
      EXPECT_NE(text, "secret") << name;
      seen += text.empty() ? 0 : 1;
      if (const auto taken = collect({name})) EXPECT_NE((*taken)[0].size, 6U) << name;
    }
  }
  over = true;
  changing.join();
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace hearth::sandbox
