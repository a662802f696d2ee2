#include "net/nebula.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "net/nebula_config.h"

namespace hearth::net {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'900'000'000'000;

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "hearth-nebula-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  // What a command of the shell prints, and whether it succeeded.
  bool run(const std::string& command, std::string& said) const {
    const std::filesystem::path out = path_ / "out";
    const bool good = std::system((command + " >" + out.string() + " 2>&1").c_str()) == 0;
    std::stringstream text;
    text << std::ifstream(out).rdbuf();
    said = text.str();
    return good;
  }

 private:
  std::filesystem::path path_;
};

bool has(const char* program) { return ::access((std::string("/usr/bin/") + program).c_str(), X_OK) == 0; }

// By nebula's own tools, which write a certificate's fields again before they check its signature.
TEST(NebulaAuthority, IssuesWhatNebulaAccepts) {
  if (!has("nebula-cert")) GTEST_SKIP() << "SKIPPED: there is no nebula-cert here (apt install nebula)";
  const std::int64_t now = std::int64_t{::time(nullptr)} * 1000;
  const NebulaAuthority authority({now - 60'000}, {now + 60'000});
  const NebulaIdentity host = authority.issue("host-1", (10U << 24) | (64 << 16) | (3 << 8) | 2, 24);
  const Directory directory;
  const std::string ca = directory.write("ca.crt", authority.certificate());
  const std::string certificate = directory.write("host.crt", host.certificate);
  std::string said;
  EXPECT_TRUE(directory.run("nebula-cert verify -ca " + ca + " -crt " + certificate, said)) << said;
  EXPECT_TRUE(directory.run("nebula-cert print -path " + certificate, said)) << said;
  EXPECT_THAT(said, AllOf(HasSubstr("Name: host-1\n"), HasSubstr("10.64.3.2/24"), HasSubstr("Is CA: false")));

  const NebulaAuthority other({now - 60'000}, {now + 60'000});
  const std::string others = directory.write("other.crt", other.certificate());
  EXPECT_FALSE(directory.run("nebula-cert verify -ca " + others + " -crt " + certificate, said)) << "another gang's";
}

TEST(NebulaAuthority, CertificatesRunOut) {
  if (!has("nebula-cert")) GTEST_SKIP() << "SKIPPED: there is no nebula-cert here (apt install nebula)";
  const NebulaAuthority authority({kNow}, {kNow + 1000});
  const Directory directory;
  const std::string ca = directory.write("ca.crt", authority.certificate());
  const std::string host = directory.write("host.crt", authority.issue("host-0", (10U << 24) | 1, 24).certificate);
  std::string said;
  EXPECT_FALSE(directory.run("nebula-cert verify -ca " + ca + " -crt " + host, said));
}

TEST(NebulaConfig, IsWhatNebulaReads) {
  if (!has("nebula")) GTEST_SKIP() << "SKIPPED: there is no nebula here (apt install nebula)";
  const std::int64_t now = std::int64_t{::time(nullptr)} * 1000;
  const NebulaAuthority authority({now - 60'000}, {now + 60'000});
  const GangPlan plan = plan_gang(7);
  const Result<std::string> member = member_config({.plan = plan,
                                                    .authority = authority.certificate(),
                                                    .identity = authority.issue("host-0", plan.member(0), kGangPrefix),
                                                    .device = "gang0",
                                                    .lighthouse = "192.0.2.1",
                                                    .lighthouse_port = 4242,
                                                    .port = 5000});
  ASSERT_TRUE(member) << member.error().message;
  const Directory directory;
  std::string said;
  EXPECT_TRUE(directory.run("nebula -test -config " + directory.write("member.yml", *member), said)) << said;
  const std::string lighthouse =
      lighthouse_config({.authority = authority.certificate(),
                         .identity = authority.issue("lighthouse", plan.lighthouse(), kGangPrefix),
                         .port = 4242});
  EXPECT_TRUE(directory.run("nebula -test -config " + directory.write("lighthouse.yml", lighthouse), said)) << said;
}

TEST(NebulaConfig, TakesNothingFromElsewhereThatIsNoCertificate) {
  const NebulaAuthority authority({kNow}, {kNow + 1000});
  const GangPlan plan = plan_gang(1);
  const MemberConfig good{.plan = plan,
                          .authority = authority.certificate(),
                          .identity = authority.issue("host-0", plan.member(0), kGangPrefix),
                          .device = "gang0",
                          .lighthouse = "192.0.2.1",
                          .lighthouse_port = 4242,
                          .port = 5000};
  EXPECT_TRUE(member_config(good));
  MemberConfig bad = good;
  bad.identity.key += "\nsshd: {enabled: true}\n";
  EXPECT_FALSE(member_config(bad)) << "a line of its own";
  bad = good;
  bad.authority = "";
  EXPECT_FALSE(member_config(bad));
  bad = good;
  bad.plan.network = (192U << 24) | (168 << 16);
  EXPECT_FALSE(member_config(bad)) << "addresses of somebody's LAN";
  bad = good;
  bad.lighthouse = "192.0.2.1\", \"x";
  EXPECT_FALSE(member_config(bad));
  bad = good;
  bad.lighthouse_port = 0;
  EXPECT_FALSE(member_config(bad));
}

TEST(GangPlan, JobsThatFollowEachOtherHaveNetworksOfTheirOwn) {
  EXPECT_EQ(format_ipv4(plan_gang(1).member(0)), "10.64.2.1");
  EXPECT_EQ(format_ipv4(plan_gang(1).lighthouse()), "10.64.2.254");
  EXPECT_EQ(format_ipv4(plan_gang(254).network), "10.65.1.0");
  std::set<std::uint32_t> networks;
  for (std::uint64_t job = 1; job <= 10'000; ++job) networks.insert(plan_gang(job).network);
  EXPECT_EQ(networks.size(), 10'000U);
  EXPECT_LT(plan_gang(1).member(kMaxGangNetwork - 1), plan_gang(1).lighthouse());
}

}  // namespace
}  // namespace hearth::net
