// A node or a member who lies: crafted trees, frames that are none, results of other people's tasks.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "harness/pairing.h"
#include "harness/raw.h"
#include "hearth/v1/session.pb.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A paired node that speaks its session itself.
class LyingNode {
 public:
  LyingNode(Pool& pool, const std::string& name) : api_(pair_device(pool, name, v1::ROLE_MEMBER, true)) {}

  Api& api() { return api_; }

  bool open() {
    net::Headers headers;
    headers.add("Authorization", "Bearer " + api_.token());
    auto socket =
        api_.loop().run_until_done(api_.session().client().websocket("/session", headers, "hearth-node.1", kMiB));
    EXPECT_TRUE(socket) << text_of(socket.error());
    if (socket) socket_ = std::move(*socket);
    return socket.has_value();
  }

  void say(const std::string& bytes) { static_cast<void>(api_.loop().run_until_done(socket_->write(bytes))); }
  void say(const v1::NodeFrame& frame) { say(frame.SerializeAsString()); }

  void greet(std::uint32_t cores) {
    v1::NodeFrame frame;
    v1::Hello& hello = *frame.mutable_hello();
    hello.mutable_offered()->set_cores(cores);
    hello.mutable_offered()->set_memory_bytes(64 * kGiB);
    *hello.mutable_total() = hello.offered();
    v1::Admission& home = *hello.add_admits();
    home.set_ring(v1::RING_HOME);
    home.set_host_files(true);
    say(frame);
  }

  Result<v1::HubFrame> hear(hearth::Duration limit = hearth::seconds(3)) {
    Result<std::string> bytes = api_.loop().run_until_done(socket_->read(limit));
    if (!bytes) return std::unexpected(bytes.error());
    v1::HubFrame frame;
    EXPECT_TRUE(frame.ParseFromString(*bytes));
    return frame;
  }

  // The next assignment; the node keeps its session alive meanwhile.
  v1::AttemptId await_assignment() {
    for (int i = 0; i < 20; ++i) {
      const auto frame = hear();
      if (frame && frame->assign_size() > 0) return frame->assign(0).attempt();
      v1::NodeFrame beat;
      beat.mutable_heartbeat();
      say(beat);
    }
    ADD_FAILURE() << "nothing was assigned";
    return {};
  }

  void finish(const v1::AttemptId& attempt, const v1::Outcome& outcome) {
    v1::NodeFrame frame;
    v1::Finished& finished = *frame.add_finished();
    *finished.mutable_attempt() = attempt;
    *finished.mutable_outcome() = outcome;
    say(frame);
  }

  // Whether the hub has had enough.
  bool cut_off() {
    for (int i = 0; i < 5; ++i) {
      const auto frame = hear(hearth::seconds(20));
      if (!frame) return frame.error().code != Code::kDeadlineExceeded;
    }
    return false;
  }

 private:
  Api api_;
  std::unique_ptr<net::WebSocket> socket_;
};

v1::Tree tree_of(const std::vector<std::string>& paths, const v1::Blob& blob) {
  v1::Tree tree;
  for (const std::string& path : paths) {
    v1::TreeFile& file = *tree.add_files();
    file.set_path(path);
    *file.mutable_blob() = blob;
  }
  return tree;
}

std::vector<v1::Tree> evil_trees(const v1::Blob& blob) {
  v1::Blob lying = blob;
  lying.set_size(blob.size() + 1);
  v1::Blob nameless = blob;
  nameless.set_sha256("short");
  return {tree_of({"../evil"}, blob),
          tree_of({"/tmp/hearth-evil"}, blob),
          tree_of({"a/../../evil"}, blob),
          tree_of({""}, blob),
          tree_of({"."}, blob),
          tree_of({"a//b"}, blob),
          tree_of({"a/"}, blob),
          tree_of({"a", "a"}, blob),
          tree_of({"a", "a/b"}, blob),
          tree_of({"b", "a"}, blob),
          tree_of({std::string("a\0b", 3)}, blob),
          tree_of({std::string(5000, 'a')}, blob),
          tree_of({"x"}, lying),
          tree_of({"x"}, nameless)};
}

class EvilTest : public PoolFixture {};

TEST_F(EvilTest, CraftedInputTreesLeadNowhere) {
  Api api(pool());
  const v1::Blob blob = api.put("evil content");
  std::vector<std::string> trees;
  for (const v1::Tree& tree : evil_trees(blob)) trees.push_back(tree.SerializeAsString());
  trees.push_back(net::random_bytes(1000));
  trees.push_back(tree_of({"x"},
                          [] {
                            v1::Blob absent;
                            absent.set_sha256(net::sha256("never uploaded"));
                            absent.set_size(14);
                            return absent;
                          }())
                      .SerializeAsString());
  for (const std::string& tree : trees) {
    v1::JobSpec spec = shell("true");
    *spec.mutable_inputs() = api.put(tree);
    const auto job = api.submit(spec);
    if (!job) {
      EXPECT_TRUE(job.error().code == Code::kInvalidArgument || job.error().code == Code::kFailedPrecondition)
          << text_of(job.error());
      continue;
    }
    const v1::Job ended = api.wait(*job);
    EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED) << to_hex(tree.substr(0, 40)) << ended.DebugString();
    EXPECT_EQ(ended.first_failure().reason(), v1::FAILURE_REASON_START) << ended.DebugString();
    EXPECT_FALSE(ended.first_failure().message().empty());
  }
  EXPECT_FALSE(fs::exists("/tmp/hearth-evil"));
}

TEST_F(EvilTest, CraftedResultTreesAreNotWritten) {
  close_own_node(pool());
  LyingNode node(pool(), "liar");
  ASSERT_TRUE(node.open());
  node.greet(4);
  Api api(pool());
  const v1::Blob blob = node.api().put("evil content");
  for (const v1::Tree& tree : evil_trees(blob)) {
    v1::JobSpec spec = shell("true");
    spec.add_outputs("**");
    const auto job = api.submit(spec);
    ASSERT_TRUE(job) << text_of(job.error());
    const v1::AttemptId attempt = node.await_assignment();
    ASSERT_EQ(attempt.job_id(), *job);
    v1::Outcome outcome;
    *outcome.mutable_outputs() = node.api().put(tree.SerializeAsString());
    node.finish(attempt, outcome);
    api.wait(*job);
    const fs::path place = pool().directory() / "deep" / "place";
    fs::create_directories(place);
    const Ended ended = pool().cli({"get", std::to_string(*job), "--to", place.string()});
    EXPECT_NE(ended.exit_code, 0) << tree.ShortDebugString();
    EXPECT_THAT(ended.err, HasSubstr("error:"));
    EXPECT_FALSE(fs::exists(pool().directory() / "deep" / "evil"));
    EXPECT_FALSE(fs::exists(pool().directory() / "evil"));
    EXPECT_TRUE(fs::is_empty(place)) << tree.ShortDebugString();
  }
  EXPECT_FALSE(fs::exists("/tmp/hearth-evil"));
}

TEST_F(EvilTest, NobodyFinishesAnotherNodesTask) {
  Api api(pool());
  const auto job = api.submit(shell("sleep 4; echo honest"));
  ASSERT_TRUE(job);
  api.wait_until_running(*job);
  LyingNode node(pool(), "liar");
  ASSERT_TRUE(node.open());
  node.greet(1);
  v1::Outcome stolen;
  stolen.set_exit_code(0);
  for (std::uint32_t epoch = 0; epoch < 4; ++epoch) {
    v1::AttemptId attempt;
    attempt.set_job_id(*job);
    attempt.set_epoch(epoch);
    node.finish(attempt, stolen);
    attempt.set_task(4'000'000'000U);
    node.finish(attempt, stolen);
    attempt.set_job_id(999'999);
    node.finish(attempt, stolen);
  }
  const v1::Job ended = api.wait(*job);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  const v1::Task task = api.get(*job, 1).tasks(0);
  EXPECT_NE(task.node(), "liar");
  EXPECT_EQ(api.log_text(task.outcome()), "honest\n") << "a stranger's result was accepted";
}

TEST_F(EvilTest, FramesThatAreNoneEndTheSession) {
  v1::NodeFrame before_hello;
  before_hello.mutable_heartbeat();
  v1::NodeFrame too_many;
  for (int i = 0; i < 20'000; ++i) too_many.mutable_hello()->add_held()->set_job_id(1);
  v1::NodeFrame odd;
  odd.mutable_hello();
  odd.add_finished()->mutable_outcome()->set_reason(static_cast<v1::FailureReason>(77));
  LyingNode node(pool(), "liar");
  for (const std::string& bytes : {before_hello.SerializeAsString(), too_many.SerializeAsString(),
                                   odd.SerializeAsString(), net::random_bytes(500), std::string(kMiB + 1, 'x')}) {
    ASSERT_TRUE(node.open());
    node.say(bytes);
    EXPECT_TRUE(node.cut_off()) << to_hex(bytes.substr(0, 20));
  }
}

TEST_F(EvilTest, BoundlessOffersAreBounded) {
  close_own_node(pool());
  LyingNode node(pool(), "liar");
  ASSERT_TRUE(node.open());
  v1::NodeFrame frame;
  frame.mutable_hello()->mutable_offered()->set_cores(UINT32_MAX);
  frame.mutable_hello()->mutable_offered()->set_memory_bytes(UINT64_MAX);
  frame.mutable_hello()->mutable_offered()->set_gpus(UINT32_MAX);
  *frame.mutable_hello()->mutable_total() = frame.hello().offered();
  frame.mutable_hello()->set_cpu_model(std::string(200'000, 'c'));
  for (int i = 0; i < 2'000; ++i) {
    v1::Attribute& attribute = *frame.mutable_hello()->add_attributes();
    attribute.set_name("label.a" + std::to_string(i));
    attribute.set_text(std::string(300, 'x'));
  }
  node.say(frame);
  (void)node.hear();  // welcome or goodbye
  Api api(pool());
  EXPECT_TRUE(api.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest()));
  EXPECT_EQ(pool().cli({"nodes"}).exit_code, 0);
  const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  ASSERT_TRUE(nodes);
  for (const v1::Node& shown : nodes->nodes()) {
    EXPECT_LE(shown.attributes_size(), 129);
    for (const v1::Attribute& attribute : shown.attributes()) EXPECT_LE(attribute.text().size(), 256U);
  }
}

TEST_F(EvilTest, WebSocketGarbageEndsTheSession) {
  LyingNode node(pool(), "liar");
  const std::string upgrade =
      "GET /session HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + node.api().token() +
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
      "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: hearth-node.1\r\n\r\n";
  const std::string mask("\1\2\3\4", 4);
  const std::vector<std::pair<std::string, std::string>> frames = {
      {"an unmasked frame", std::string("\x82\x01x", 3)},
      {"a reserved opcode", std::string("\x83\x81", 2) + mask + "x"},
      {"reserved bits", std::string("\xf2\x81", 2) + mask + "x"},
      {"a text message", std::string("\x81\x81", 2) + mask + "x"},
      {"a claim of 2^62 bytes", std::string("\x82\xff\x40\0\0\0\0\0\0\0", 10) + mask + "x"},
      {"a claim of 2 MiB", std::string("\x82\xff\0\0\0\0\0\x20\0\0", 10) + mask + std::string(1000, 'x')},
      {"a fragmented ping", std::string("\x09\x81", 2) + mask + "x"},
      {"a continuation of nothing", std::string("\x80\x81", 2) + mask + "x"},
      {"random bytes", net::random_bytes(5000)},
      {"half a frame", std::string("\x82\x85", 2)},
  };
  const std::uint16_t port = pool().endpoint().port;
  for (const auto& [name, frame] : frames) {
    RawConnection connection(port, Layer::kTls);
    connection.send(upgrade);
    ASSERT_THAT(connection.receive(seconds(5), 20), HasSubstr(" 101 ")) << name;
    connection.send(frame);
    EXPECT_TRUE(connection.closed_within(seconds(20))) << name;
  }
}

TEST_F(EvilTest, AUpgradeThatIsNoneIsRefused) {
  LyingNode node(pool(), "liar");
  const HeaderList session = {{"Authorization", "Bearer " + node.api().token()}};
  const std::uint16_t port = pool().endpoint().port;
  EXPECT_GE(https(port, "GET", "/session", session, "").status, 400U);
  HeaderList other = session;
  for (const auto& [name, value] : HeaderList{{"Upgrade", "websocket"},
                                              {"Connection", "Upgrade"},
                                              {"Sec-WebSocket-Version", "8"},
                                              {"Sec-WebSocket-Key", "x"},
                                              {"Sec-WebSocket-Protocol", "other"}}) {
    other.emplace_back(name, value);
  }
  EXPECT_GE(https(port, "GET", "/session", other, "").status, 400U);
}

}  // namespace
}  // namespace hearth::e2e
