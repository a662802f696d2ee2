// Bad input on the command line: exit code 2 (wrong usage) or 1 (failed), and a sentence that names the value and what
// is allowed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

struct Wrong {
  std::vector<std::string> arguments;
  int exit_code;
  std::vector<std::string> said;  // each is part of standard error
};

class UsageTest : public PoolFixture {
 protected:
  void expect(const std::vector<Wrong>& cases) {
    for (const Wrong& wrong : cases) {
      const Ended ended = pool().cli(wrong.arguments);
      std::string typed;
      for (const std::string& argument : wrong.arguments) typed += argument + " ";
      EXPECT_EQ(ended.exit_code, wrong.exit_code) << typed << "\n" << ended.err;
      for (const std::string& part : wrong.said) EXPECT_THAT(ended.err, HasSubstr(part)) << typed;
      EXPECT_EQ(ended.out, "") << typed;
    }
  }
};

TEST_F(UsageTest, OptionsOfRun) {
  expect({
      {{"run", "-n", "0", "--", "true"}, 2, {"-n 0", "1 to 1000000"}},
      {{"run", "-n", "1000001", "--", "true"}, 2, {"1000001", "1 to 1000000"}},
      {{"run", "-n", "-3", "--", "true"}, 2, {"-3"}},
      {{"run", "-n", "many", "--", "true"}, 2, {"many"}},
      {{"run", "--cores", "0", "--", "true"}, 2, {"--cores 0", "1 to 1024"}},
      {{"run", "--cores", "1.5", "--", "true"}, 2, {"1.5"}},
      {{"run", "--cores", "99999999999999999999", "--", "true"}, 2, {"99999999999999999999"}},
      {{"run", "--memory", "1K", "--", "true"}, 2, {"--memory 1K", "1 MiB"}},
      {{"run", "--memory", "lots", "--", "true"}, 2, {"lots"}},
      {{"run", "--gpu", "17", "--", "true"}, 2, {"--gpu 17", "0 to 16"}},
      {{"run", "--time", "0s", "--", "true"}, 2, {"0s"}},
      {{"run", "--time", "31d", "--", "true"}, 2, {"31d", "30 d"}},
      {{"run", "--time", "soon", "--", "true"}, 2, {"soon"}},
      {{"run", "--retries", "101", "--", "true"}, 2, {"101", "0 to 100"}},
      {{"run", "--after", "first", "--", "true"}, 2, {"first"}},
      {{"run", "--after", "4711", "--", "true"}, 1, {"4711"}},
      {{"run", "--env", "mars", "--", "true"}, 1, {"mars", "host"}},
      {{"run", "--var", "1X=2", "--", "true"}, 2, {"1X=2", "NAME=VALUE"}},
      {{"run", "--output", "../x", "--", "true"}, 2, {"../x"}},
      {{"run", "--output", "/etc/passwd", "--", "true"}, 2, {"/etc/passwd"}},
      {{"run", "--output", "a/../../x", "--", "true"}, 2, {"a/../../x"}},
      {{"run", "--name", std::string(129, 'n'), "--", "true"}, 2, {"128"}},
      {{"run", "--name", "a\nb", "--", "true"}, 2, {"--name"}},
      {{"run", "--workspace", "A b", "--", "true"}, 2, {"--workspace A b", "NAME or NAME:SIZE"}},
      {{"run", "--workspace", "../x", "--", "true"}, 2, {"../x", "a letter or digit first"}},
      {{"run", "--workspace", "x:1K", "--", "true"}, 2, {"1K", "1 MiB"}},
      {{"run", "--workspace", "x:", "--", "true"}, 2, {"--workspace"}},
      {{"run", "--unknown", "--", "true"}, 2, {"--unknown"}},
      {{"run"}, 2, {"PROGRAM"}},
      {{"run", "--"}, 2, {"PROGRAM"}},
  });
}

TEST_F(UsageTest, InputsOfRun) {
  write_text(pool().directory() / "plain.sh", "#!/bin/sh\n");
  expect({
      {{"run", "--input", "absent", "--", "true"}, 1, {"absent"}},
      {{"run", "--", "./absent"}, 1, {"./absent"}},
      {{"run", "--", "./plain.sh"}, 2, {"chmod +x"}},
      {{"run", "--", "plain.sh"}, 2, {"./plain.sh"}},
      {{"run", "--input", "/dev/null", "--", "true"}, 2, {"/dev/null"}},
  });
  std::filesystem::create_symlink("/etc/shadow", pool().directory() / "link");
  std::filesystem::create_directory(pool().directory() / "folder");
  std::filesystem::create_symlink("/etc/shadow", pool().directory() / "folder" / "link");
  const Ended ended = pool().cli({"run", "--input", "folder", "--", "cat", "folder/link"});
  EXPECT_NE(ended.exit_code, 0) << "a symbolic link out of the folder was followed";
  EXPECT_THAT(ended.out, testing::Not(HasSubstr("root:")));
}

TEST_F(UsageTest, OtherCommands) {
  expect({
      {{"jobs", "--limit", "0"}, 2, {"--limit 0", "1 to 1000"}},
      {{"job", "x"}, 2, {"x"}},
      {{"job", "4711"}, 1, {"4711", "hearth jobs"}},
      {{"job"}, 2, {"JOB"}},
      {{"logs", "4711"}, 1, {"4711"}},
      {{"logs", "1", "--task", "-1"}, 2, {"-1"}},
      {{"cancel", "4711"}, 1, {"4711"}},
      {{"rm", "4711"}, 1, {"4711"}},
      {{"rm", "1", "x"}, 2, {"x"}},
      {{"rm"}, 2, {"JOB"}},
      {{"get", "4711"}, 1, {"4711"}},
      {{"why", "4711"}, 1, {"4711"}},
      {{"limit", "--cores", "-1"}, 2, {"-1"}},
      {{"limit", "--memory", "x"}, 2, {"x"}},
      {{"limit", "--hours", "25-7"}, 2, {"25-7"}},
      {{"limit", "--hours", "8"}, 2, {"8"}},
      {{"limit", "--workspaces", "many"}, 2, {"--workspaces many"}},
      {{"limit", "--workspaces", "11G"}, 2, {"--workspaces 11 GiB", "10 GiB, at most", "--disk 22 GiB"}},
      {{"workspace", "rm"}, 2, {"NAME"}},
      {{"workspace", "rm", "moon"}, 1, {"there is no workspace moon", "hearth run --workspace NAME"}},
      {{"limit", "--owner-first", "never"}, 2, {"--owner-first never", "auto, on or off"}},
      {{"limit", "--oci-runtime", "/no/such runtime"}, 2, {"--oci-runtime /no/such", "apt install crun"}},
      {{"limit", "--quiet", "0"}, 2, {"--quiet 0"}},
      {{"limit", "--battery", "maybe"}, 2, {"--battery maybe", "yes or no"}},
      {{"limit", "--max-temperature", "200"}, 2, {"200", "0 to 150"}},
      {{"limit", "--max-price", "0.3"}, 2, {"--tariff FILE"}},
      {{"limit", "--tariff", "absent"}, 1, {"absent"}},
      {{"run", "--gpu-memory", "8G", "--", "true"}, 2, {"--gpu-memory 8G", "--gpu N"}},
      {{"microvm", "fetch", "--into", "/"}, 2, {"--into /", "empty"}},
      {{"limit", "--for", "friend"}, 2, {"--for friend", "--isolation, --host-files, --gpu, --net or --gang-network"}},
      {{"limit", "--for", "cousin"}, 2, {"--for cousin", "home, friend, member, stranger"}},
      {{"limit", "--for", "friend,friend"}, 2, {"--for friend,friend"}},
      {{"limit", "--isolation", "moat"}, 2, {"--isolation moat", "fence, oci, microvm, none"}},
      {{"limit", "--net", "all"}, 2, {"--net all", "none, listed, full"}},
      {{"limit", "--gpu", "maybe"}, 2, {"--gpu maybe", "yes or no"}},
      {{"limit", "--for", "stranger", "--isolation", "oci"}, 2, {"--strangers-may-share-my-kernel"}},
      {{"devices", "ring", "nobody", "home"}, 1, {"nobody", "hearth devices"}},
      {{"devices", "ring", "nobody", "cousin"}, 2, {"cousin", "home, friend, member or stranger"}},
      {{"invite", "--ring", "cousin"}, 2, {"--ring cousin"}},
      {{"devices", "revoke", "nobody"}, 1, {"nobody"}},
      {{"devices", "allow", "000000"}, 1, {"000000"}},
      {{"devices", "burn"}, 2, {"burn"}},
      {{"invite", "--role", "king"}, 2, {"king", "member, operator or owner"}},
      {{"pair", "not-a-link"}, 1, {"belongs to its own pool"}},
      {{"up", "--port", "65536"}, 2, {"65536", "65535"}},
      {{"leave"}, 1, {"joined no other"}},
      {{"conquer"}, 2, {"conquer"}},
      {{}, 2, {"hearth"}},
  });
}

TEST_F(UsageTest, WithoutAPoolTheWayToOneIsTold) {
  Pool& nobody = add_pool("nobody");
  const Ended ended = nobody.cli({"run", "--", "true"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("hearth up"));
  const Ended wrong = nobody.cli({"pair", "not-a-link"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("link"));
  pool().down();
  const Ended down = pool().cli({"status"});
  EXPECT_EQ(down.exit_code, 1);
  EXPECT_THAT(down.err, HasSubstr("hearth up"));
}

}  // namespace
}  // namespace hearth::e2e
