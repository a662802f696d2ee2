// Large inputs that several nodes fetch at once: they give each other what they have, the hub sends it about once, and
// whatever becomes of the swarm, no job notices.
#include <algorithm>
#include <fstream>
#include <random>
#include <set>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "harness/raw.h"
#include "hearth/v1/swarm.pb.h"
#include "net/cipher.h"
#include "net/crypto.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr std::uint64_t kInputBytes = 64ULL << 20;

class SwarmTest : public PoolFixture {
 protected:
  void SetUp() override {
    if (!fs::exists(fs::path(hearth_program()).parent_path() / "hearth-swarm")) {
      GTEST_SKIP() << "SKIPPED: hearth-swarm was not built (libtorrent-rasterbar-dev)";
    }
    PoolFixture::SetUp();
    attic_ = &add_pool("attic");
    cellar_ = &add_pool("cellar");
    join(pool(), *attic_, "attic");
    if (HasFatalFailure()) return;
    join(pool(), *cellar_, "cellar");
    for (const Pool* one : all()) {
      ASSERT_TRUE(eventually(seconds(30), [&] { return port_of(*one) != 0; })) << read_text(one->home() / "log");
    }
    std::mt19937_64 random(7);
    std::string bytes;
    while (bytes.size() < kInputBytes) {
      const std::uint64_t word = random();
      bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    write_text(pool().directory() / "big", bytes);
    digest_ = net::sha256(bytes);
  }

  std::vector<Pool*> all() { return {&pool(), attic_, cellar_}; }
  static std::uint32_t port_of(const Pool& one) {
    const json status = json::parse(read_text(one.home() / "node" / "status.json"), nullptr, false);
    return status.is_object() ? status.value("swarm_port", 0U) : 0;
  }
  static std::vector<pid_t> helpers_of(const Pool& one) {
    std::vector<pid_t> found = children_of(one.node_process());
    std::erase_if(found, [](pid_t child) { return !command_line(child).starts_with("hearth-swarm"); });
    return found;
  }
  // What the hub has sent of blobs.
  std::uint64_t sent() {
    Api api(pool());
    const HttpAnswer answer =
        https(pool().endpoint().port, "GET", "/metrics", {{"Authorization", "Bearer " + api.token()}}, "");
    const std::string name = "\nhearth_blob_sent_bytes_total ";
    const std::size_t at = answer.body.find(name);
    return at == std::string::npos ? 0 : static_cast<std::uint64_t>(std::stod(answer.body.substr(at + name.size())));
  }
  // One task on each node: each takes all of a node's cores.
  Process start(const std::vector<std::string>& options = {"-n", "3"}) {
    Api api(pool());
    const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    const std::string cores = std::to_string(nodes->nodes(0).offered().cores());
    std::vector<std::string> words = {"run", "--cores", cores, "--memory", "64M", "--input", "big"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "sha256sum", "big"});
    return pool().start_cli(words, {.limit = seconds(240)});
  }
  void expect_right(const Ended& ended, int tasks) {
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    std::size_t count = 0;
    for (std::size_t at = ended.out.find(to_hex(digest_)); at != std::string::npos;
         at = ended.out.find(to_hex(digest_), at + 1)) {
      ++count;
    }
    EXPECT_EQ(count, static_cast<std::size_t>(tasks)) << ended.out;
  }
  static std::vector<fs::path> ciphertexts_of(const Pool& one) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(one.home() / "node" / "swarms")) {
      if (entry.path().extension().empty()) files.push_back(entry.path());
    }
    return files;
  }
  std::string logs() {
    std::string text;
    for (const Pool* one : all()) text += read_text(one->home() / "log");
    return text;
  }

  Pool* attic_ = nullptr;
  Pool* cellar_ = nullptr;
  std::string digest_;
};

TEST_F(SwarmTest, TheHubSendsALargeInputOfThreeNodesAboutOnce) {
  const std::uint64_t before = sent();
  expect_right(start().wait(seconds(240)), 3);
  EXPECT_LT(sent() - before, 2 * kInputBytes) << logs();
  EXPECT_GE(sent() - before, kInputBytes);
  EXPECT_THAT(logs(), HasSubstr("a blob came from other nodes"));
  for (const Pool* one : all()) {
    const std::vector<fs::path> files = ciphertexts_of(*one);
    ASSERT_EQ(files.size(), 1U);
    EXPECT_NE(files[0].filename(), to_hex(digest_)) << "the swarm is not called as the blob is";
    EXPECT_NE(net::sha256(read_text(files[0])), digest_) << "what lies there and travels is ciphertext";
  }
}

TEST_F(SwarmTest, TheHelperDiesInTheMiddleAndTheJobGoesOn) {
  for (const Pool* one : all()) ASSERT_EQ(one->cli({"limit", "--swarm-rate", "256K"}).exit_code, 0);
  Process job = start();
  ASSERT_TRUE(eventually(seconds(60), [&] {
    return std::ranges::all_of(all(), [](const Pool* one) { return !ciphertexts_of(*one).empty(); });
  }));
  for (const Pool* one : all()) {
    for (const pid_t helper : helpers_of(*one)) ::kill(helper, SIGKILL);
  }
  expect_right(job.wait(seconds(240)), 3);
  EXPECT_THAT(logs(), HasSubstr("hearth-swarm has ended"));
}

TEST_F(SwarmTest, WhatAnAttackerServesReachesNoJob) {
  ASSERT_EQ(cellar_->cli({"limit", "--cores", "0"}).exit_code, 0);
  expect_right(start({"-n", "2"}).wait(seconds(240)), 2);
  for (const Pool* one : {&pool(), attic_}) {
    for (const fs::path& file : ciphertexts_of(*one)) {
      std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
      for (std::uint64_t offset = 1'000; offset < kInputBytes; offset += 64 << 10) {
        stream.seekp(static_cast<std::streamoff>(offset));
        stream.put('!').put('?');
      }
    }
  }
  ASSERT_EQ(cellar_->cli({"limit", "--none"}).exit_code, 0);
  expect_right(start({"-n", "1", "--where", "name == 'cellar'"}).wait(seconds(240)), 1);
}

// A socket to a node's helper, and what comes back for some bytes.
std::string exchange(std::uint32_t port, const std::string& bytes) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(static_cast<std::uint16_t>(port)), .sin_addr = {}};
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  timeval limit{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  EXPECT_EQ(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  std::string answer(4096, '\0');
  const ssize_t count = ::recv(socket, answer.data(), answer.size(), 0);
  ::close(socket);
  answer.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return answer;
}

// The hub tells nodes one port of each other's, and they come by whichever network.
TEST_F(SwarmTest, OnePortServesEveryAddressOfThePc) {
  ifaddrs* first = nullptr;
  ASSERT_EQ(::getifaddrs(&first), 0);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_UP) == 0) continue;
    sockaddr_in address = *reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    address.sin_port = htons(static_cast<std::uint16_t>(port_of(*attic_)));
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << one->ifa_name;
    ::close(socket);
  }
  ::freeifaddrs(first);
}

TEST_F(SwarmTest, WhoHasNoLeaseGetsNothing) {
  expect_right(start().wait(seconds(240)), 3);
  const fs::path file = ciphertexts_of(*attic_).at(0);
  v1::SwarmLayout layout;
  ASSERT_TRUE(layout.ParseFromString(read_text(file.string() + ".layout")));
  // Even somebody who knows how the swarm is called among BitTorrent's programs is not talked to in clear.
  const std::string info = "d6:lengthi" + std::to_string(layout.size()) + "e4:name64:" + to_hex(layout.name()) +
                           "12:piece lengthi" + std::to_string(layout.piece_bytes()) + "e6:pieces" +
                           std::to_string(layout.hashes().size()) + ":" + layout.hashes() + "7:privatei1ee";
  const std::string handshake =
      std::string("\x13") + "BitTorrent protocol" + std::string(8, '\0') + net::sha1(info) + std::string(20, 'p');
  EXPECT_EQ(exchange(port_of(*attic_), handshake), "");

  // Neither the pieces nor the key are told to a device that may not fetch the blob.
  Api owner(pool());
  v1::InviteRequest wanted;
  wanted.set_role(v1::ROLE_MEMBER);
  wanted.set_ring(v1::RING_FRIEND);
  const auto invitation = owner.call<v1::InviteReply>("hearth.v1.DeviceService/Invite", wanted);
  ASSERT_TRUE(invitation);
  PairingDevice pairing(link_of(*invitation), scratch().path() / "friend", "friend", true);
  const auto pending = pending_with(owner, pairing.digits());
  ASSERT_TRUE(answer(owner, pending, true));
  ASSERT_TRUE(pairing.finish());
  Api node(scratch().path() / "friend");
  const HttpAnswer refused = https(pool().endpoint().port, "GET", "/blob/" + to_hex(digest_) + "?swarm=1",
                                   {{"Authorization", "Bearer " + node.token()}}, "");
  EXPECT_EQ(refused.status, 404U) << refused.body.size();
}

TEST_F(SwarmTest, AnOwnerTurnsItOff) {
  for (const Pool* one : all()) {
    ASSERT_EQ(one->cli({"limit", "--swarm", "off"}).exit_code, 0);
    ASSERT_TRUE(eventually(seconds(20), [&] { return helpers_of(*one).empty() && port_of(*one) == 0; }));
  }
  EXPECT_THAT(pool().cli({"limit"}).out, HasSubstr("swarm   off"));
  expect_right(start().wait(seconds(240)), 3);
  for (const Pool* one : all()) EXPECT_TRUE(ciphertexts_of(*one).empty());
  EXPECT_NE(pool().cli({"limit", "--swarm", "everywhere"}).exit_code, 0);
}

}  // namespace
}  // namespace hearth::e2e
