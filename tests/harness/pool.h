// A pool for a test: a HOME of its own, the real program in it, and proof that nothing is left afterwards.
//
//   class JobsTest : public PoolFixture {};
//   TEST_F(JobsTest, RunsAProgram) {
//     const Ended ended = pool().cli({"run", "--", "echo", "hello"});
//     EXPECT_EQ(ended.out, "hello\n");
//   }
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "harness/proc.h"
#include "harness/process.h"

namespace hearth::e2e {

// The temporary directory of one test. Should the test die, a watcher ends the processes that were started in it (they
// carry its name in their environment) and removes it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }
  pid_t watcher() const { return watcher_; }

 private:
  std::filesystem::path path_;
  pid_t watcher_ = -1;
  int alive_ = -1;  // its end is the watcher's signal
};

struct Endpoint {
  std::uint16_t port = 0;
  std::string identity;  // 32 bytes
  pid_t process = 0;     // the hub's
};

class Pool {
 public:
  // Nothing is started or written yet. Its daemons see neither this PC's system bus nor its display: whether somebody
  // sits at it is no matter of a test.
  Pool(const Scratch& scratch, const std::string& name);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const std::filesystem::path& home() const { return home_; }
  const std::filesystem::path& directory() const { return directory_; }  // where its commands run

  // `hearth ARGUMENTS` with this HOME.
  Ended cli(const std::vector<std::string>& arguments, RunOptions options = {}) const;
  Process start_cli(const std::vector<std::string>& arguments, RunOptions options = {}) const;

  // Added to the environment of all commands and daemons started from now on.
  void set_env(const std::string& name, const std::string& value);

  // Where all commands and daemons started from now on are: a namespace's descriptor, see RunOptions.
  void set_network(int space) { network_ = space; }

  void up();
  void down();

  Endpoint endpoint() const;  // waits for the hub
  pid_t hub_process() const { return endpoint().process; }
  pid_t node_process() const;   // waits for it; by its command line
  pid_t supervisor() const;     // 0: none
  bool node_connected() const;  // as node/status.json says
  void await_node() const;      // fails the test after 30 s

  // Mode bits, sanitizer reports, control groups, mounts: what `down` must leave in order.
  void expect_nothing_left() const;

 private:
  RunOptions completed(RunOptions options) const;

  std::filesystem::path root_;
  std::filesystem::path home_;
  std::filesystem::path directory_;
  std::vector<std::pair<std::string, std::string>> env_;
  int network_ = -1;
};

class PoolFixture : public testing::Test {
 protected:
  PoolFixture();
  void SetUp() override;     // brings pool() up, with its node connected
  void TearDown() override;  // brings all pools down and checks that nothing is left

  const Scratch& scratch() const { return scratch_; }
  Pool& pool() { return *pools_.front(); }
  // Another HOME on this machine; brought down with the rest.
  Pool& add_pool(const std::string& name);

 private:
  void expect_no_process_left();

  Scratch scratch_;
  std::set<pid_t> others_;  // our children before there was a pool: the watcher, what a test has started
  std::vector<std::unique_ptr<Pool>> pools_;
};

// The path of the `hearth` program under test.
std::string hearth_program();

}  // namespace hearth::e2e
