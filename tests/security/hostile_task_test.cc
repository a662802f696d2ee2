// Hostile tasks in a real pool: what they try against the daemons of the PC that they run on. As in escape_test.cc,
// each attempt succeeds outside of the sandbox.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sizes.h"
#include "harness/pool.h"
#include "security/attack_world.h"

namespace hearth::e2e {
namespace {

struct Attempt {
  std::string attack;
  Variables variables;
};

std::string reversed(const std::string& text) { return {text.rbegin(), text.rend()}; }

class HostileTaskTest : public PoolFixture {
 protected:
  std::vector<Attempt> attempts() {
    const std::filesystem::path& home = pool().home();
    const Variables key = {{"TARGET_SECRET", home / "node" / "identity.pem"}, {"TARGET_MARK", reversed("PRIVATE KEY")}};
    const Variables database = {{"TARGET_SECRET", home / "hub" / "pool.db"},
                                {"TARGET_MARK", reversed("SQLite format 3")}};
    std::vector<Attempt> all = {
        {"files/read_secret", key},
        {"files/secret_through_roots", key},
        {"files/read_secret", database},
        {"files/write_beside_secret", {{"TARGET_DIRECTORY", home / "node"}}},
        {"processes/read_others_variables", {{"TARGET_MARK", reversed("HEARTH_HOME=" + home.string())}}},
        {"processes/read_others_arguments", {{"TARGET_MARK", reversed(home)}}},
        {"network/reach_owners_loopback", {{"TARGET_PORT", std::to_string(pool().endpoint().port)}}},
        {"resources/fork_bomb", {{"TARGET_PROCESSES", "3000"}}},
        {"resources/memory_bomb", {{"TARGET_BYTES", "300000000"}}},
        {"resources/fill_working_directory", {{"TARGET_BYTES", "300000000"}}},
        {"resources/descriptor_bomb", {{"TARGET_PROCESSES", "5000"}}}};
    for (const pid_t daemon : {pool().hub_process(), pool().node_process(), pool().supervisor()}) {
      for (const char* attack :
           {"processes/signal_another", "processes/signal_another_by_pidfd", "processes/trace_another",
            "processes/take_others_descriptor", "processes/read_others_memory", "namespaces/enter_others_mounts"}) {
        all.push_back({attack, {{"TARGET_VICTIM", std::to_string(daemon)}}});
      }
    }
    return all;
  }

  // One task for each, in one job: its number stands before what it prints.
  std::string run_as_tasks(const std::vector<Attempt>& attempts) {
    std::string script = "case $1 in\n";
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      script.append(std::to_string(i)).append(")");
      for (const auto& [name, value] : attempts[i].variables) {
        script.append(" export ").append(name).append("='").append(value).append("';");
      }
      script.append(" ./attacks try ").append(attempts[i].attack).append(";;\n");
    }
    write_text(pool().directory() / "try.sh", script + "esac\n");
    std::filesystem::copy_file(attacks_program(), pool().directory() / "attacks");
    const Ended ended = pool().cli({"run", "-n", std::to_string(attempts.size()), "--memory", "64M", "--input",
                                    "try.sh", "--input", "attacks", "--", "sh", "try.sh", "{i}"},
                                   {.limit = seconds(300)});
    return ended.out + ended.err;
  }
};

TEST_F(HostileTaskTest, ReachesNeitherTheDaemonsNorTheirFiles) {
  const std::vector<Attempt> all = attempts();
  for (const Attempt& attempt : all) {
    EXPECT_EQ(attempt_outside(attempt.attack, attempt.variables, pool().directory()), "succeeded") << attempt.attack;
  }
  const pid_t hub = pool().hub_process();
  const pid_t node = pool().node_process();
  const std::string printed = run_as_tasks(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string verdict = verdict_of("[" + std::to_string(i) + "] " + all[i].attack, printed);
    // A bomb may take with it what would tell of it.
    const bool silent = verdict.empty() && all[i].attack.starts_with("resources/");
    EXPECT_TRUE(silent || verdict.starts_with("refused")) << all[i].attack << ": " << verdict << printed;
  }
  EXPECT_EQ(pool().hub_process(), hub);
  EXPECT_EQ(pool().node_process(), node);
  EXPECT_EQ(pool().cli({"run", "--", "echo", "well"}).out, "well\n");
}

TEST_F(HostileTaskTest, FloodsNobodyWithItsOutput) {
  const std::vector<std::string> flood = {"sh", "-c", "head -c 40000000 /dev/zero | tr '\\0' x"};
  EXPECT_EQ(run_program(flood).out.size(), 40'000'000U);
  std::vector<std::string> task = {"run", "--"};
  task.insert(task.end(), flood.begin(), flood.end());
  const Ended ended = pool().cli(task, {.limit = seconds(200)});
  EXPECT_LE(ended.out.size(), 16 * kMiB);
  EXPECT_THAT(ended.err, testing::HasSubstr("the rest of the output was dropped"));
}

}  // namespace
}  // namespace hearth::e2e
