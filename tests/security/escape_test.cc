// What a hostile guest tries, one test for each attack of security/attacks/. Each is tried twice: outside of the
// sandbox, where it must succeed, so that the test is known to see; and inside, where it must be refused. An attack
// that this machine refuses outside too (a device or a call that it lacks) is SKIPPED with the reason.
#include <cctype>
#include <iostream>

#include <gtest/gtest.h>

#include "sandbox/microvm/testing.h"
#include "sandbox/testing.h"
#include "security/attack_world.h"
#include "security/network_world.h"

namespace hearth::e2e {
namespace {

using sandbox::Limits;
using sandbox::Ran;
using sandbox::Running;
using sandbox::Sandbox;
using sandbox::TestHost;

constexpr const char* kSucceeded = "succeeded";
constexpr int kFewestAttacksSeen = 100;

// Less than what AttackWorld says is more.
Limits limits() {
  return {.cores = 1,
          .memory_bytes = 64ULL << 20,
          .scratch_bytes = 32ULL << 20,
          .max_processes = 100,
          .max_open_files = 150};
}

// The attack's verdict in a sandbox. Silence is a refusal if the sandbox ended the attack, with whatever ran it.
std::string attempt_inside(const AttackWorld& world, Sandbox& box, const std::string& attack) {
  const sandbox::Command command{.argv = {"./attacks", "try", attack},
                                 .variables = world.variables(),
                                 .bound_files = {{.source = attacks_program(), .path = "attacks"}}};
  const Ran ran = Running(box, command).wait();
  std::string verdict = verdict_of(attack, ran.out);
  if (!verdict.empty()) return verdict;
  if (ran.exit.out_of_memory) return "refused: out of memory";
  if (ran.exit.signalled) return "refused: signal " + std::to_string(ran.exit.exit_code - 128);
  return "not tried: " + ran.exit.message + ran.err;
}

class EscapeTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam().starts_with("network/")) network_ = std::make_unique<NetworkWorld>(directory_.path());
    if (network_) ASSERT_EQ(network_->error(), "");
    world_ = std::make_unique<AttackWorld>(directory_.path());
  }

  sandbox::TemporaryDirectory directory_;
  std::unique_ptr<NetworkWorld> network_;
  std::unique_ptr<AttackWorld> world_;
};

TEST_P(EscapeTest, IsRefusedByTheFence) {
  const std::string outside = world_->attempt(GetParam());
  if (outside != kSucceeded) GTEST_SKIP() << "SKIPPED: outside of the sandbox too it is " << outside;
  TestHost host;
  const std::unique_ptr<Sandbox> box = host.prepare(limits());
  const std::string inside = attempt_inside(*world_, *box, GetParam());
  std::cout << GetParam() << ": outside " << outside << ", inside " << inside << "\n";
  EXPECT_TRUE(inside.starts_with("refused")) << inside;
  EXPECT_TRUE(world_->victim_lives());
  if (!GetParam().starts_with("resources/")) return;
  EXPECT_EQ(host.run({"/bin/true"}).exit.exit_code, 0) << "the next guest has no room";
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Attacks, EscapeTest, testing::ValuesIn(attack_names()), test_name);

// What the attacks print. A machine takes a while to start, so one takes them all, but that an attack which needs too
// much memory ends it: then the next one takes the rest.
std::string attempt_all_in_machines(TestHost& host, const Variables& variables) {
  std::string printed;
  std::vector<std::string> untried = attack_names();
  while (!untried.empty()) {
    sandbox::Command command{.argv = {"./attacks", "try"},
                             .variables = variables,
                             .bound_files = {{.source = attacks_program(), .path = "attacks"}}};
    command.argv.insert(command.argv.end(), untried.begin(), untried.end());
    const Ran ran = sandbox::run_machine([&] {
      const std::unique_ptr<Sandbox> box = host.prepare(limits());
      return Running(*box, command).wait();
    });
    printed += ran.out;
    std::erase_if(untried, [&](const std::string& attack) { return !verdict_of(attack, printed).empty(); });
    if (untried.empty()) break;
    if (!ran.exit.out_of_memory) return printed + "\nnot tried: " + ran.exit.message;
    printed += untried.front() + " refused: out of memory\n";
    untried.erase(untried.begin());
  }
  return printed;
}

// What counts is the PC: the machine's own memory and disk are the guest's.
TEST(EscapeFromMicroVm, IsRefused) {
  if (const std::string missing = sandbox::why_no_machine(); !missing.empty()) GTEST_SKIP() << "SKIPPED: " << missing;
  sandbox::TemporaryDirectory directory;
  const NetworkWorld network(directory.path());
  ASSERT_EQ(network.error(), "");
  AttackWorld world(directory.path());
  TestHost host(sandbox::options_with_tcg());
  host.set_up({.level = sandbox::Level::kMicroVm, .image = sandbox::make_image(host.directory())});
  Variables variables = world.variables();
  variables.emplace_back("TARGET_BYTES", "600000000");
  const std::string inside = attempt_all_in_machines(host, variables);
  const std::string outside = world.attempt_all();
  for (const std::string& attack : attack_names()) {
    if (verdict_of(attack, outside) != kSucceeded) continue;
    const std::string verdict = verdict_of(attack, inside);
    EXPECT_TRUE(verdict.starts_with("refused")) << attack << ": " << verdict;
  }
  EXPECT_TRUE(world.victim_lives());
}

// Were all of them skipped, nothing would be proven.
TEST(EscapeControl, SeesThatAttacksSucceedWhereNothingStopsThem) {
  sandbox::TemporaryDirectory directory;
  const NetworkWorld network(directory.path());
  ASSERT_EQ(network.error(), "");
  const AttackWorld world(directory.path());
  const std::string printed = world.attempt_all();
  int seen = 0;
  for (const std::string& attack : attack_names()) seen += verdict_of(attack, printed) == kSucceeded ? 1 : 0;
  EXPECT_GE(seen, kFewestAttacksSeen) << printed;
}

// Results that are to be something else than what the guest made. SECRET and DIRECTORY are the owner's.
struct Trick {
  const char* name;
  const char* script;  // in the working directory
  const char* output;  // asked for; a shell's word
};

void PrintTo(const Trick& trick, std::ostream* out) { *out << trick.name; }

constexpr Trick kTricks[] = {
    {"link", "ln -s $SECRET out", "out"},
    {"chain_of_links", "ln -s $SECRET first; ln -s first out", "out"},
    {"relative_link", "ln -s ../../../../../../../../../..$SECRET out", "out"},
    {"link_through_proc", "ln -s /proc/self/root$SECRET out", "out"},
    {"link_to_folder", "ln -s $DIRECTORY out", "out/secret"},
    {"link_to_folder_of_many", "ln -s $DIRECTORY out", "out/s*"},
    {"link_to_root", "ln -s / out", "out$SECRET"},
    {"hard_link", "ln $SECRET out", "out"},
    {"input_that_became_a_link", "rm -f input; ln -s $SECRET input", "input"},
};

class OutputTrickTest : public testing::TestWithParam<Trick> {};

TEST_P(OutputTrickTest, BringsBackNothingOfTheOwners) {
  sandbox::TemporaryDirectory directory;
  const AttackWorld world(directory.path());
  const std::filesystem::path owner = directory.path() / "owner";
  const Variables names = {{"SECRET", owner / "secret"}, {"DIRECTORY", owner}};
  const std::string read_as_it_is = std::string(GetParam().script) + "; cat " + GetParam().output;
  const std::filesystem::path plain = directory.path() / "plain";
  std::filesystem::create_directories(plain);
  ASSERT_EQ(run_program({"sh", "-c", read_as_it_is}, {.cwd = plain, .env = names}).out, world.mark())
      << "who follows links reads the secret";

  TestHost host;
  const std::unique_ptr<Sandbox> box = host.prepare();
  sandbox::put(*box, "input", "x");
  Running(*box, {.argv = {"/bin/sh", "-c", GetParam().script}, .variables = names}).wait();
  std::string pattern = GetParam().output;
  if (const std::size_t at = pattern.find("$SECRET"); at != std::string::npos) {
    pattern.replace(at, std::string("$SECRET").size(), owner / "secret");
  }
  const auto outputs = box->collect({pattern}, {});
  EXPECT_FALSE(outputs) << outputs->size();
  EXPECT_FALSE(box->open_output(pattern));
}

INSTANTIATE_TEST_SUITE_P(Tricks, OutputTrickTest, testing::ValuesIn(kTricks),
                         [](const testing::TestParamInfo<Trick>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace hearth::e2e
