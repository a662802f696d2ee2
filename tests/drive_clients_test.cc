// The drive as the programs that people mount it with see it, and as WebDAV's own test suite judges it.
#include <filesystem>
#include <fstream>
#include <regex>

#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

class DriveClientsTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    const Ended made = pool().cli({"token", "new", "files"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    token_ = made.out.substr(0, made.out.find('\n'));
  }
  std::filesystem::path drive(const std::string& name) { return pool().home() / "drive" / name; }
  std::string url() { return "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + "/dav/"; }
  std::string certificate() { return pool().home() / "hub" / "certificate.pem"; }

  std::string token_;
};

// litmus speaks TLS, but leaves one test out then (Expect: 100-continue); so it speaks to the hub through a program
// that wraps what it says in TLS.
TEST_F(DriveClientsTest, LitmusFindsNothing) {
  const std::filesystem::path folder = pool().directory() / "litmus";
  std::filesystem::create_directory(folder);
  const std::filesystem::path log = folder / "socat.log";
  const Process bridge = Process::start({"socat", "-d", "-d", "-lf", log, "TCP-LISTEN:0,bind=127.0.0.1,fork",
                                         "OPENSSL:127.0.0.1:" + std::to_string(pool().endpoint().port) + ",verify=0"},
                                        {.cwd = folder});
  std::string port;
  ASSERT_TRUE(eventually(seconds(10), [&] {
    std::ifstream stream(log);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    std::smatch match;
    if (!std::regex_search(text, match, std::regex("listening on AF=2 127.0.0.1:(\\d+)"))) return false;
    port = match[1];
    return true;
  }));
  const Ended litmus = run_program({"litmus", "-k", "http://127.0.0.1:" + port + "/dav/", "anybody", token_},
                                   {.cwd = folder, .limit = seconds(120)});
  EXPECT_EQ(litmus.exit_code, 0);
  std::size_t passed = 0;
  const std::regex summary("tests run: (\\d+) passed");
  for (std::sregex_iterator at(litmus.out.begin(), litmus.out.end(), summary), end; at != end; ++at) {
    passed += std::stoul((*at)[1]);
  }
  EXPECT_EQ(passed, 104U);
  EXPECT_THAT(litmus.out, AllOf(Not(HasSubstr("WARNING")), Not(HasSubstr("FAIL")), Not(HasSubstr("SKIPPED"))));
}

}  // namespace
}  // namespace hearth::e2e
