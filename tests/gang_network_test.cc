// The network of a gang: its tasks reach each other, and nothing and nobody else; and nothing of it stays.
#include <csignal>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/gang.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class GangNetworkTest : public GangFixture {};

// Each member asks every other for its name, and all stay until all have asked.
constexpr const char* kMeet = R"(
import os, socket, threading, time
rank = int(os.environ["HEARTH_GANG_RANK"]); addresses = os.environ["HEARTH_GANG_ADDRESSES"].split(",")
assert addresses[rank] == os.environ["HEARTH_GANG_ADDRESS"] and len(addresses) == int(os.environ["HEARTH_GANG_SIZE"])
server = socket.create_server((addresses[rank], 9000)); asked = threading.Semaphore(0)
def serve():
  while True:
    peer, _ = server.accept(); peer.sendall(socket.gethostname().encode()); peer.close(); asked.release()
threading.Thread(target=serve, daemon=True).start()
def meet(host):
  while True:
    try:
      with socket.create_connection((host, 9000), 10) as peer: return peer.recv(100).decode()
    except OSError: time.sleep(0.1)
print("met", *(meet(f"host-{other}") for other in range(len(addresses))))
)";
constexpr const char* kPart = R"(
for _ in addresses: asked.acquire()
)";

TEST_F(GangNetworkTest, MembersReachEachOther) {
  const std::uint64_t job = start_gang(std::string(kMeet) + kPart);
  Api api(pool());
  ASSERT_EQ(api.wait(job, seconds(120)).state(), v1::JOB_STATE_SUCCEEDED) << api.job(job).first_failure().message();
  const v1::GetJobReply tasks = api.get(job, 3);
  std::set<std::string> nodes;
  for (const v1::Task& task : tasks.tasks()) {
    EXPECT_EQ(api.log_text(task.outcome()), "met host-0 host-1 host-2\n");
    nodes.insert(task.node());
  }
  EXPECT_EQ(nodes.size(), 3U) << "three nodes of one core each";
  EXPECT_TRUE(eventually(seconds(30), [&] { return tools("nebula").empty() && tools("pasta").empty(); }));
}

// What a member tries: "yes" for whatever it reached. `targets`: "host:port".
std::string attempts(const std::vector<std::string>& targets) {
  std::string script = R"(
def tries(host, port):
  try:
    socket.create_connection((host, int(port)), 3).close(); return "yes"
  except OSError as e: return "no"
)";
  for (const std::string& target : targets) {
    const std::size_t colon = target.rfind(':');
    script +=
        fmt::format("print('{}', tries('{}', '{}'))\n", target, target.substr(0, colon), target.substr(colon + 1));
  }
  return script;
}

TEST_F(GangNetworkTest, MembersReachNothingElse) {
  const std::uint16_t port = pool().endpoint().port;
  Process elsewhere = Process::start({"python3", "-m", "http.server", "--bind", "0.0.0.0", "0"}, {});
  const Ended addresses = run_program({"hostname", "-I"});
  std::string own = addresses.out.substr(0, addresses.out.find(' '));
  if (own.empty()) own = "192.0.2.1";
  const std::string hub = fmt::format("127.0.0.1:{}", port);
  // Whatever the host has, the lighthouse's address in the overlay, the carrier's way out, the LAN, the Internet.
  const std::uint64_t job =
      start_gang(std::string(kMeet) +
                 attempts({hub, fmt::format("{}:{}", own, port), fmt::format("169.254.77.1:{}", port), "192.168.1.1:80",
                           "1.1.1.1:443"}) +
                 R"(
lighthouse = ".".join(addresses[0].split(".")[:3]) + ".254"
print("lighthouse", tries(lighthouse, 22))
neighbour = addresses[0].split("."); neighbour[2] = str(int(neighbour[2]) % 254 + 1)
print("other gang", tries(".".join(neighbour), 9000))
print("interfaces", *sorted(name for _, name in socket.if_nameindex()))
import glob
seen = " ".join(open(f, errors="replace").read() for f in glob.glob("/proc/[0-9]*/cmdline"))
print("nebula seen", "nebula" in seen.replace("nebula seen", "").split("-uc")[0])
key = 0
for top in ("/run", "/tmp", "/dev", "/job", "/etc"):
  for folder, _, files in os.walk(top):
    for name in files:
      try:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and b"NEBULA X25519 PRIVATE" in open(path, "rb").read(1 << 20): key += 1
      except OSError: pass
print("keys", key, any("NEBULA" in value for value in os.environ.values()))
import fcntl, struct
def change(what):
  try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
      fcntl.ioctl(s, what, struct.pack("16sh14x", b"gang0", 0)); return "yes"
  except OSError: return "no"
print("changed", change(0x8914), change(0x8916))
)" + kPart);
  Api api(pool());
  ASSERT_EQ(api.wait(job, seconds(180)).state(), v1::JOB_STATE_SUCCEEDED)
      << api.log_text(api.get(job, 3).tasks(0).outcome());
  for (const v1::Task& task : api.get(job, 3).tasks()) {
    const std::string log = api.log_text(task.outcome());
    EXPECT_THAT(log,
                AllOf(HasSubstr("met host-0 host-1 host-2\n"), HasSubstr("interfaces gang0 lo\n"),
                      HasSubstr("keys 0 False\n"), HasSubstr("changed no no\n"), HasSubstr("nebula seen False\n")));
    EXPECT_THAT(log, Not(HasSubstr(" yes"))) << "none of what it tried";
  }
}

// Two gangs at once: the members of one know the addresses of the other.
TEST_F(GangNetworkTest, GangsDoNotReachEachOther) {
  for (std::size_t each = 0; each < 3; ++each) ASSERT_EQ(node(each).cli({"limit", "--cores", "2"}).exit_code, 0);
  const std::uint64_t first = start_gang(std::string(kMeet) + "print('address', addresses[0])\ntime.sleep(600)");
  Api api(pool());
  const Process log = pool().start_cli({"logs", "--follow", std::to_string(first)});
  ASSERT_TRUE(eventually(seconds(90), [&] { return log.out().contains("address "); }));
  const std::string text = log.out();
  const std::string address =
      text.substr(text.find("address ") + 8, text.find('\n', text.find("address ")) - text.find("address ") - 8);
  const std::uint64_t second = start_gang(std::string(kMeet) + attempts({address + ":9000"}) + kPart);
  ASSERT_EQ(api.wait(second, seconds(120)).state(), v1::JOB_STATE_SUCCEEDED);
  for (const v1::Task& task : api.get(second, 3).tasks()) {
    EXPECT_THAT(api.log_text(task.outcome()), HasSubstr(address + ":9000 no\n"));
  }
  ASSERT_TRUE(api.cancel(first));
  EXPECT_TRUE(eventually(seconds(30), [&] { return tools("nebula").empty(); }));
}

TEST_F(GangNetworkTest, NothingOfItRemains) {
  const std::uint64_t job = start_gang(std::string(kMeet) + "time.sleep(600)");
  const Process log = pool().start_cli({"logs", "--follow", std::to_string(job)});
  ASSERT_TRUE(eventually(seconds(90), [&] { return log.out().contains("met"); }));
  EXPECT_EQ(tools("nebula").size(), 4U) << "the lighthouse, and each member's";
  EXPECT_EQ(tools("pasta").size(), 3U);
  const auto holding_keys = [this] {
    const Ended found = run_program({"grep", "-rl", "NEBULA X25519", scratch().path().string()});
    return found.out;
  };
  EXPECT_EQ(holding_keys(), "") << "while it runs";
  ASSERT_TRUE(Api(pool()).cancel(job));
  EXPECT_TRUE(eventually(seconds(30), [&] { return tools("nebula").empty() && tools("pasta").empty(); }));
  EXPECT_EQ(holding_keys(), "");
}

TEST_F(GangNetworkTest, AGangRunsAgainWhenItsHubWasAway) {
  const std::uint64_t job = start_gang(std::string(kMeet) + kPart + "time.sleep(4)");
  {
    Api api(pool());
    api.wait_until_running(job, seconds(60));
  }
  const pid_t hub = pool().hub_process();
  ::kill(hub, SIGKILL);
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().endpoint().process != hub; }));
  Api api(pool());
  EXPECT_EQ(api.wait(job, seconds(180)).state(), v1::JOB_STATE_SUCCEEDED)
      << pool().cli({"logs", std::to_string(job)}).out << run_program({"ps", "-eo", "pid,ppid,stat,wchan:24,args"}).out;
  EXPECT_EQ(api.job(job).failed(), 0U);
}

TEST_F(GangNetworkTest, WhyTellsWhatIsMissing) {
  for (std::size_t each = 0; each < 3; ++each) {
    ASSERT_EQ(node(each).cli({"limit", "--gang-network", "no"}).exit_code, 0);
  }
  // A node looks at its limits once a second, and a gang that is there before it has looked still gets its network.
  std::uint64_t job = 0;
  std::string why;
  EXPECT_TRUE(eventually(seconds(60), [&] {
    job = start_gang("pass");
    why = pool().cli({"why", std::to_string(job)}).out;
    return why.contains("makes networks for gangs");
  })) << why;
  for (std::size_t each = 0; each < 3; ++each) {
    ASSERT_EQ(node(each).cli({"limit", "--gang-network", "yes"}).exit_code, 0);
  }
  EXPECT_EQ(Api(pool()).wait(job, seconds(120)).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(GangNetworkTest, WrongValuesAreNamed) {
  const auto error = [this](std::vector<std::string> options) {
    options.insert(options.begin(), "run");
    options.insert(options.end(), {"--", "true"});
    return pool().cli(options).err;
  };
  EXPECT_THAT(error({"--net", "gang"}), HasSubstr("say --gang too"));
  EXPECT_THAT(error({"--net", "gang", "--gang", "-n", "201"}), HasSubstr("at most 200"));
  EXPECT_THAT(pool().cli({"cluster", "spark", "-n", "2", "--", "true"}).err, HasSubstr("there are mpi, dask, torch"));
  EXPECT_THAT(pool().cli({"cluster", "mpi", "--net", "full", "--", "true"}).err, HasSubstr("nothing else"));
}

}  // namespace
}  // namespace hearth::e2e
