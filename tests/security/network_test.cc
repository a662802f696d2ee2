// Who reaches what: with no network, through the node's proxy, with the full network. Every denial has its control: the
// same address is reached from the owner's PC outside of the sandbox.
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/pool.h"
#include "security/network_world.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

// Prints "TARGET yes" or "TARGET no" for each host:port: over a connection of its own, then over the proxy that the
// environment names, then over its UNIX socket.
constexpr const char* kProbe = R"(
import os, socket, sys, urllib.request, urllib.error
def direct(host, port):
  try: s = socket.create_connection((host, port), 4)
  except OSError: return "no"
  try:
    s.settimeout(8)
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return "yes" if b"hello from" in s.makefile("rb").read() else "no"
  except OSError: return "no"
def proxied(host, port):
  try: return "yes" if b"hello from" in urllib.request.urlopen(f"http://{host}:{port}/", timeout=20).read() else "no"
  except urllib.error.HTTPError as e: return f"{e.code} {e.read().decode().strip()}"
  except OSError as e: return "no"
def tunnel(host, port):
  try:
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.environ.get("HEARTH_PROXY_SOCKET", "/run/hearth/proxy.sock"))
    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    f = s.makefile("rb")
    status = f.readline().split()[1].decode()
    if status != "200": return status
    while f.readline() != b"\r\n": pass
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return "yes" if b"hello from" in f.read() else "no"
  except OSError: return "no"
way = {"direct": direct, "proxied": proxied, "tunnel": tunnel}[sys.argv[1]]
for target in sys.argv[2:]:
  host, port = target.rsplit(":", 1)
  print(target, way(host, int(port)), flush=True)
)";

class NetworkTest : public PoolFixture {
 protected:
  NetworkTest() : world_(scratch().path()) {}

  void SetUp() override {
    ASSERT_EQ(world_.error(), "");
    PoolFixture::SetUp();
  }

  void allow(const std::string& what) {
    ASSERT_EQ(pool().cli({"limit", "--net", what}).exit_code, 0);
    const bool known = eventually(seconds(60), [&] {
      const auto nodes = nlohmann::json::parse(pool().cli({"nodes", "--json"}).out, nullptr, false);
      if (nodes.is_discarded() || nodes["nodes"].empty() || !nodes["nodes"][0].contains("admits")) return false;
      const auto& admits = nodes["nodes"][0]["admits"][0];  // home's
      return admits["listed_hosts"] == (what != "none") && admits["full_network"] == (what == "full");
    });
    ASSERT_TRUE(known) << pool().cli({"nodes", "--json"}).out;
  }

  // The lines of a probe run as a task with these options.
  std::map<std::string, std::string> probe(const std::string& way, const std::vector<std::string>& targets,
                                           const std::string& net = "") {
    std::vector<std::string> argv = {"run"};
    if (!net.empty()) argv.insert(argv.end(), {"--net", net});
    argv.insert(argv.end(), {"--", "python3", "-c", kProbe, way});
    argv.insert(argv.end(), targets.begin(), targets.end());
    const Ended ended = pool().cli(argv, {.limit = seconds(200)});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    std::map<std::string, std::string> found;
    std::istringstream lines(ended.out);
    for (std::string line; std::getline(lines, line);)
      found[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
    EXPECT_EQ(found.size(), targets.size()) << ended.out << ended.err;
    return found;
  }

  // The hub itself, at each of the owner's addresses.
  std::vector<std::string> hub_addresses() {
    const std::string port = ":" + std::to_string(pool().endpoint().port);
    return {"127.0.0.1" + port, "192.168.77.1" + port, "13.0.0.1" + port, "11.1.1.1" + port};
  }

  const std::vector<std::string> everything_ = {"12.0.0.2:80",        "192.168.77.2:80", "13.0.0.2:80",
                                                "169.254.169.254:80", "100.64.0.2:80",   "192.168.77.1:8080",
                                                "13.0.0.1:8080",      "11.1.1.1:8080",   "12.0.0.2:25"};
  NetworkWorld world_;
};

TEST_F(NetworkTest, TheControlReachesEverything) {
  for (const std::string& target : everything_) {
    const std::size_t colon = target.rfind(':');
    EXPECT_TRUE(NetworkWorld::reaches(target.substr(0, colon), std::stoi(target.substr(colon + 1)))) << target;
  }
  for (const char* name : {"a.example", "lan.example", "near.example", "meta.example", "cgn.example"}) {
    EXPECT_TRUE(NetworkWorld::reaches(name, 80)) << name;
  }
  EXPECT_TRUE(NetworkWorld::reaches("own.example", 8080));
}

TEST_F(NetworkTest, ByDefaultNothingIsReached) {
  std::vector<std::string> targets = everything_;
  for (const std::string& hub : hub_addresses()) targets.push_back(hub);
  for (const auto& [target, found] : probe("direct", targets)) EXPECT_EQ(found, "no") << target;
  for (const auto& [target, found] : probe("tunnel", {"a.example:80"})) EXPECT_EQ(found, "no") << target;
}

TEST_F(NetworkTest, ATaskThatAsksWaitsForAnOwnerWhoAdmitsIt) {
  const Ended detached = pool().cli({"run", "--detach", "--net", "hosts=a.example:80", "--", "true"});
  ASSERT_EQ(detached.exit_code, 0) << detached.err;
  const std::string job = detached.out.substr(0, detached.out.find('\n'));
  const Ended why = pool().cli({"why", job});
  EXPECT_THAT(why.out, HasSubstr("hearth limit --for home --net listed"));
  allow("listed");
  EXPECT_TRUE(
      eventually(seconds(60), [&] { return pool().cli({"why", job}).out.find("has ended") != std::string::npos; }));
}

TEST_F(NetworkTest, WhatWentThroughTheProxyIsShown) {
  allow("listed");
  probe("tunnel", {"a.example:80"}, "hosts=a.example:80");
  const Ended job = pool().cli({"job", "1"});
  EXPECT_THAT(job.out, HasSubstr("SENT"));
  EXPECT_THAT(job.out, HasSubstr("RECEIVED"));
  const auto outcome = nlohmann::json::parse(pool().cli({"job", "1", "--json"}).out)["tasks"][0]["outcome"];
  for (const char* count : {"net_bytes_sent", "net_bytes_received"}) {
    EXPECT_GT(std::stoull(outcome[count].get<std::string>()), 0U) << count;
  }
  EXPECT_EQ(pool().cli({"run", "--", "true"}).exit_code, 0);
  EXPECT_THAT(pool().cli({"job", "2"}).out, testing::Not(HasSubstr("SENT"))) << "it had no network";
}

TEST_F(NetworkTest, TheProxyReachesListedHostsAndNothingOfTheOwners) {
  allow("listed");
  const std::string net =
      "hosts=a.example:80,lan.example:80,near.example:80,meta.example:80,cgn.example:80,own.example:8080,mapped."
      "example:80,12.0.0.2:25,"
      "192.168.77.2:80,127.0.0.1:" +
      std::to_string(pool().endpoint().port);
  for (const char* way : {"proxied", "tunnel"}) {
    // Names that turn out to be the owner's are what rebinding comes to.
    auto found =
        probe(way,
              {"a.example:80", "b.example:80", "a.example:25", "12.0.0.2:80", "lan.example:80", "near.example:80",
               "meta.example:80", "cgn.example:80", "own.example:8080", "mapped.example:80", "192.168.77.2:80"},
              net);
    EXPECT_EQ(found["a.example:80"], "yes") << way;
    found.erase("a.example:80");
    for (const auto& [target, answer] : found) EXPECT_THAT(answer, testing::StartsWith("403")) << way << " " << target;
  }
  EXPECT_THAT(probe("tunnel", {"127.0.0.1:" + std::to_string(pool().endpoint().port)}, net).begin()->second, "403")
      << "the hub";
  std::vector<std::string> targets = everything_;
  for (const std::string& hub : hub_addresses()) targets.push_back(hub);
  for (const auto& [target, answer] : probe("direct", targets, net)) EXPECT_EQ(answer, "no") << target;
}

TEST_F(NetworkTest, TheFullNetworkIsTheInternetAndNothingOfTheOwners) {
  const nlohmann::json report = nlohmann::json::parse(pool().cli({"doctor", "--json"}).out, nullptr, false);
  for (const nlohmann::json& finding : report["findings"]) {
    if (finding["name"] == "full network" && !finding["ok"]) GTEST_SKIP() << "SKIPPED: " << finding["remedy"];
  }
  allow("full");
  std::vector<std::string> targets = everything_;
  for (const std::string& hub : hub_addresses()) targets.push_back(hub);
  auto found = probe("direct", targets, "full");
  EXPECT_EQ(found["12.0.0.2:80"], "yes");
  found.erase("12.0.0.2:80");
  for (const auto& [target, answer] : found) EXPECT_EQ(answer, "no") << target;
}

}  // namespace
}  // namespace hearth::e2e
