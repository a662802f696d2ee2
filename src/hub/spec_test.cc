#include "hub/spec.h"

#include <functional>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "core/pool/condition.h"

namespace hearth::hub {
namespace {

v1::JobSpec valid() {
  v1::JobSpec spec;
  spec.add_argv("/usr/bin/true");
  return spec;
}

TEST(Spec, FillsInWhatIsUnset) {
  v1::JobSpec spec = valid();
  spec.add_after(9);
  spec.add_after(9);
  ASSERT_TRUE(complete_spec(spec));
  EXPECT_EQ(spec.name(), "true");
  EXPECT_EQ(spec.tasks(), 1U);
  EXPECT_EQ(spec.resources().cores(), 1U);
  EXPECT_EQ(spec.resources().memory_bytes(), kGiB);
  EXPECT_EQ(spec.time_limit_seconds(), 86'400);
  EXPECT_EQ(spec.after_size(), 1);
}

TEST(Spec, WritesHostsInOneForm) {
  v1::JobSpec spec = valid();
  for (const char* host : {"B.example:80", "a.example.:443", "b.example:80"}) spec.add_net_hosts(host);
  ASSERT_TRUE(complete_spec(spec));
  ASSERT_EQ(spec.net_hosts_size(), 2);
  EXPECT_EQ(spec.net_hosts(0), "a.example:443");
  EXPECT_EQ(spec.net_hosts(1), "b.example:80");
}

TEST(Spec, NeedsToBeAdmittedToWhatItAsksFor) {
  v1::JobSpec spec = valid();
  EXPECT_EQ(admission_of(spec, Ring::kHome), Admission(Ring::kHome, {Right::kRun, Right::kHostFiles}));
  spec.set_environment("host");
  EXPECT_EQ(admission_of(spec, Ring::kFriend), Admission(Ring::kFriend, {Right::kRun, Right::kHostFiles}));
  spec.set_environment("python");
  EXPECT_EQ(admission_of(spec, Ring::kStranger), Admission(Ring::kStranger, {Right::kRun}));
  spec.mutable_resources()->set_gpus(1);
  spec.add_net_hosts("a.example:443");
  EXPECT_EQ(admission_of(spec, Ring::kMember),
            Admission(Ring::kMember, {Right::kRun, Right::kGpu, Right::kListedHosts}));
  spec.clear_net_hosts();
  spec.set_net_full(true);
  EXPECT_TRUE(admission_of(spec, Ring::kMember).holds(Ring::kMember, Right::kFullNetwork));
  spec.set_net_gang(true);
  EXPECT_TRUE(admission_of(spec, Ring::kMember).holds(Ring::kMember, Right::kGangNetwork));
}

TEST(Spec, TheNetworkOfAGangIsOfAGangAndNothingElse) {
  const auto refusal = [](const std::function<void(v1::JobSpec&)>& spoil) {
    v1::JobSpec spec = valid();
    spec.set_tasks(2);
    spec.set_gang(true);
    spec.set_net_gang(true);
    spoil(spec);
    const Result<void> completed = complete_spec(spec);
    return completed ? std::string() : completed.error().message;
  };
  EXPECT_EQ(refusal([](v1::JobSpec&) {}), "");
  EXPECT_NE(refusal([](v1::JobSpec& spec) { spec.set_gang(false); }).find("set `gang` too"), std::string::npos);
  EXPECT_NE(refusal([](v1::JobSpec& spec) { spec.set_tasks(201); }).find("at most 200"), std::string::npos);
  EXPECT_NE(refusal([](v1::JobSpec& spec) { spec.set_net_full(true); }).find("nothing else"), std::string::npos);
  EXPECT_NE(refusal([](v1::JobSpec& spec) { spec.add_net_hosts("a.example:443"); }).find("nothing else"),
            std::string::npos);
}

TEST(Spec, AWindowIsOneTaskOfTheHostsOnANodeWithAScreen) {
  v1::JobSpec spec;
  spec.add_argv("xterm");
  spec.set_window(true);
  spec.set_where("cores > 1 || arch == 'x86_64'");
  ASSERT_TRUE(complete_spec(spec));
  pool::JobRequest request;
  fill_request(spec, Ring::kHome, request);
  EXPECT_EQ(request.where, "screen && (cores > 1 || arch == 'x86_64')");
  EXPECT_TRUE(pool::Condition::parse(request.where));
  EXPECT_TRUE(request.no_copies);
  spec.clear_where();
  fill_request(spec, Ring::kHome, request);
  EXPECT_EQ(request.where, "screen");
  v1::JobSpec many = spec;
  many.set_tasks(2);
  EXPECT_FALSE(complete_spec(many));
  v1::JobSpec elsewhere = spec;
  elsewhere.set_environment("python");
  EXPECT_FALSE(complete_spec(elsewhere));
  v1::JobSpec long_winded = spec;
  long_winded.set_where("cores > 1" + std::string(1'000, ' '));
  EXPECT_FALSE(complete_spec(long_winded));
}

TEST(Spec, AScreenThatIsShownIsItsNodesAndNeedsNothing) {
  v1::JobSpec spec = valid();
  spec.set_screen_of(7);
  EXPECT_FALSE(complete_spec(spec)) << "it is no app";
  spec.set_window(true);
  spec.set_where("cores > 4");
  spec.set_prefer("fast");
  ASSERT_TRUE(complete_spec(spec));
  pool::JobRequest request;
  fill_request(spec, Ring::kHome, request);
  EXPECT_EQ(request.own_of, NodeId{7});
  EXPECT_EQ(request.per_task, Resources{});
  EXPECT_TRUE(request.admission.empty());
  EXPECT_EQ(request.where, "");
  EXPECT_TRUE(check_standing(spec, Ring::kHome));
  EXPECT_EQ(check_standing(spec, Ring::kFriend).error().code, Code::kPermissionDenied);
  v1::JobSpec twice = spec;
  twice.set_tasks(2);
  EXPECT_FALSE(complete_spec(twice));
  v1::JobSpec again = spec;
  again.set_retries(1);
  EXPECT_FALSE(complete_spec(again));
}

TEST(Spec, ATerminalIsOneTaskOnANodeThatHasOne) {
  v1::JobSpec spec;
  spec.add_argv("htop");
  spec.set_terminal(true);
  spec.set_environment("python");
  spec.set_where("cores > 1 || arch == 'x86_64'");
  ASSERT_TRUE(complete_spec(spec));
  pool::JobRequest request;
  fill_request(spec, Ring::kHome, request);
  EXPECT_EQ(request.where, "terminal && (cores > 1 || arch == 'x86_64')");
  EXPECT_TRUE(pool::Condition::parse(request.where));
  EXPECT_TRUE(request.no_copies);
  v1::JobSpec many = spec;
  many.set_tasks(2);
  EXPECT_FALSE(complete_spec(many));
  v1::JobSpec both = spec;
  both.set_window(true);
  EXPECT_FALSE(complete_spec(both));
  v1::JobSpec long_winded = spec;
  long_winded.set_where("cores > 1" + std::string(1'000, ' '));
  EXPECT_FALSE(complete_spec(long_winded));
}

TEST(Spec, AWebProgramIsOneTaskAnywhere) {
  v1::JobSpec spec;
  spec.add_argv("jupyter-lab");
  spec.set_web_port(8888);
  spec.set_environment("python");
  ASSERT_TRUE(complete_spec(spec));
  pool::JobRequest request;
  fill_request(spec, Ring::kHome, request);
  EXPECT_EQ(request.where, "");
  EXPECT_TRUE(request.no_copies);
  v1::JobSpec many = spec;
  many.set_tasks(2);
  EXPECT_EQ(complete_spec(many).error().message, "web_port: a program that is seen and used live is a job of one task");
  v1::JobSpec both = spec;
  both.set_terminal(true);
  EXPECT_FALSE(complete_spec(both));
  v1::JobSpec nowhere = spec;
  nowhere.set_web_port(65'536);
  EXPECT_EQ(complete_spec(nowhere).error().message, "web_port: a port from 1 to 65535");
}

TEST(Spec, ATasksOwnInputsLieBelowItsNumber) {
  const auto check = [](const std::string& path) {
    v1::Tree tree;
    tree.add_files()->set_path(path);
    return check_inputs_by_task(tree, 12);
  };
  for (const char* path : {"0/a", "11/b/c"}) EXPECT_TRUE(check(path)) << path;
  for (const char* path : {"12/a", "a/0", "00/a", "+1/a", "0", "0x/a", "-1/a", "99999999999/a", "1 /a"}) {
    const Result<void> checked = check(path);
    ASSERT_FALSE(checked) << path;
    EXPECT_EQ(checked.error().code, Code::kInvalidArgument);
    EXPECT_NE(checked.error().message.find("0/ to 11/"), std::string::npos) << checked.error().message;
  }
}

struct Wrong {
  const char* field;
  std::function<void(v1::JobSpec&)> spoil;
};

class SpecRefuses : public testing::TestWithParam<Wrong> {};

TEST_P(SpecRefuses, AndNamesTheField) {
  v1::JobSpec spec = valid();
  GetParam().spoil(spec);
  const Result<void> done = complete_spec(spec);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(done.error().message.starts_with(GetParam().field)) << done.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    EveryLimit, SpecRefuses,
    testing::Values(
        Wrong{"when", [](auto& s) { s.set_when(v1::WHEN_ALWAYS); }},
        Wrong{"when",
              [](auto& s) {
                s.add_after(1);
                s.set_when(static_cast<v1::When>(9));
              }},
        Wrong{"inputs_by_task", [](auto& s) { s.mutable_inputs_by_task()->set_sha256("short"); }},
        Wrong{"net_hosts", [](auto& s) { s.add_net_hosts("a.example"); }},
        Wrong{"net_hosts", [](auto& s) { s.add_net_hosts("*.example:443"); }},
        Wrong{"net_hosts",
              [](auto& s) {
                s.add_net_hosts("a.example:443");
                s.set_net_full(true);
              }},
        Wrong{"net_hosts",
              [](auto& s) {
                for (int i = 0; i < 65; ++i) s.add_net_hosts("a.example:443");
              }},
        Wrong{"argv", [](auto& s) { s.clear_argv(); }}, Wrong{"argv", [](auto& s) { s.set_argv(0, ""); }},
        Wrong{"argv", [](auto& s) { s.add_argv(std::string("a\0b", 3)); }},
        Wrong{"argv", [](auto& s) { s.add_argv(std::string(129 * kKiB, 'x')); }},
        Wrong{"argv",
              [](auto& s) {
                for (int i = 0; i < 4096; ++i) s.add_argv("x");
              }},
        Wrong{"tasks", [](auto& s) { s.set_tasks(1'000'001); }}, Wrong{"retries", [](auto& s) { s.set_retries(101); }},
        Wrong{"time_limit_seconds", [](auto& s) { s.set_time_limit_seconds(-1); }},
        Wrong{"time_limit_seconds", [](auto& s) { s.set_time_limit_seconds(2'592'001); }},
        Wrong{"resources.cores", [](auto& s) { s.mutable_resources()->set_cores(1025); }},
        Wrong{"resources.gpus", [](auto& s) { s.mutable_resources()->set_gpus(17); }},
        Wrong{"resources.memory_bytes", [](auto& s) { s.mutable_resources()->set_memory_bytes(1000); }},
        Wrong{"resources.memory_bytes", [](auto& s) { s.mutable_resources()->set_memory_bytes(UINT64_MAX); }},
        Wrong{"outputs", [](auto& s) { s.add_outputs("/etc/passwd"); }},
        Wrong{"outputs", [](auto& s) { s.add_outputs("a/../b"); }},
        Wrong{"outputs", [](auto& s) { s.add_outputs(""); }}, Wrong{"outputs", [](auto& s) { s.add_outputs("a//b"); }},
        Wrong{"variables", [](auto& s) { (*s.mutable_variables())["A B"] = "x"; }},
        Wrong{"variables", [](auto& s) { (*s.mutable_variables())["A"] = std::string(65 * kKiB, 'x'); }},
        Wrong{"workspace.name", [](auto& s) { s.mutable_workspace()->set_name("../x"); }},
        Wrong{"workspace.name", [](auto& s) { s.mutable_workspace()->set_bytes(2 << 20); }},
        Wrong{"workspace.bytes",
              [](auto& s) {
                s.mutable_workspace()->set_name("work");
                s.mutable_workspace()->set_bytes(1000);
              }},
        Wrong{"name", [](auto& s) { s.set_name("a\nb"); }},
        Wrong{"environment", [](auto& s) { s.set_environment("Moon"); }},
        Wrong{"environment", [](auto& s) { s.set_environment("../moon"); }},
        Wrong{"environment", [](auto& s) { s.set_environment(std::string(65, 'm')); }},
        Wrong{"inputs.sha256", [](auto& s) { s.mutable_inputs()->set_sha256("short"); }},
        Wrong{"after",
              [](auto& s) {
                for (std::uint64_t i = 1; i < 70; ++i) s.add_after(i);
              }}),
    [](const auto& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace hearth::hub
