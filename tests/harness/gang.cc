#include "harness/gang.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "harness/proc.h"

namespace hearth::e2e {
namespace {

constexpr unsigned kTunMajor = 10;
constexpr unsigned kTunMinor = 200;

bool all_may_use_tun() {
  struct stat info{};
  return ::stat("/dev/net/tun", &info) == 0 && (info.st_mode & 0666) == 0666;
}

// A device of the test's own, in a mount namespace of its own.
bool make_tun() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", "/dev/net", "tmpfs", 0, nullptr) == 0 &&
         ::mknod("/dev/net/tun", S_IFCHR | 0666, makedev(kTunMajor, kTunMinor)) == 0 &&
         ::chmod("/dev/net/tun", 0666) == 0;
}

bool is_there(const char* program) {
  return ::access((std::string("/usr/bin/") + program).c_str(), X_OK) == 0 ||
         ::access((std::string("/usr/sbin/") + program).c_str(), X_OK) == 0;
}

}  // namespace

void GangFixture::SetUp() {
  for (const char* program : {"nebula", "pasta", "nft"}) {
    if (!is_there(program)) GTEST_SKIP() << "SKIPPED: networks of gangs need " << program << ", which is not here";
  }
  if (!all_may_use_tun() && !make_tun()) {
    GTEST_SKIP() << "SKIPPED: networks of gangs need /dev/net/tun for all users, and only root can make the test's own";
  }
  PoolFixture::SetUp();
  nodes_ = {&pool(), &add_pool("second"), &add_pool("third")};
  join(pool(), node(1), "second");
  join(pool(), node(2), "third");
  for (Pool* each : nodes_) ASSERT_EQ(each->cli({"limit", "--cores", "1"}).exit_code, 0);
  Api api(pool());
  ASSERT_TRUE(eventually(seconds(60), [&] {
    const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    int ready = 0;
    for (const v1::Node& each : nodes->nodes()) ready += each.connected() && each.offered().cores() == 1 ? 1 : 0;
    return ready == 3;
  }));
}

std::vector<pid_t> GangFixture::tools(const std::string& name) {
  std::vector<pid_t> found;
  for (const pid_t process : descendants_of(::getpid())) {
    const std::string line = command_line(process);
    if (std::filesystem::path(line.substr(0, line.find(' '))).filename() == name) found.push_back(process);
  }
  return found;
}

std::uint64_t GangFixture::start_gang(const std::string& script) {
  const Ended ended =
      pool().cli({"run", "--gang", "--net", "gang", "-n", "3", "--detach", "--", "/usr/bin/python3", "-uc", script});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  return ended.out.empty() ? 0 : std::stoull(ended.out);
}

}  // namespace hearth::e2e
