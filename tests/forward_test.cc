// `hearth forward`: a running program's port, reached from another PC through the hub, by those who may and nobody
// else.
#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "net/tunnel.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

// Answers each connection, once its other side has said all, with the same backwards.
constexpr const char* kBackwards = R"(
import socket, threading
def serve(connection):
  with connection:
    said = bytearray()
    while piece := connection.recv(65536):
      said += piece
    connection.sendall(said[::-1])
listener = socket.create_server(("127.0.0.1", 9000), backlog=64)
while True:
  threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
)";

// Speaks with it: COUNT connections at once, of SIZE random bytes each.
constexpr const char* kAsk = R"(
import os, socket, sys, threading
port, count, size = map(int, sys.argv[1:])
right = []
def ask():
  said = os.urandom(size)
  with socket.create_connection(("127.0.0.1", port), 60) as connection:
    threading.Thread(target=lambda: (connection.sendall(said), connection.shutdown(socket.SHUT_WR))).start()
    heard = bytearray()
    while piece := connection.recv(65536):
      heard += piece
  right.append(heard == said[::-1])
threads = [threading.Thread(target=ask) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(right.count(True), "of", count)
)";

class ForwardTest : public PoolFixture {
 protected:
  std::string start_listener() {
    v1::JobSpec spec = shell("");
    spec.clear_argv();
    for (const char* word : {"/usr/bin/python3", "-c", kBackwards}) spec.add_argv(word);
    const auto job = Api(pool()).submit(spec);
    EXPECT_TRUE(job) << text_of(job.error());
    Api(pool()).wait_until_running(*job);
    const std::string number = std::to_string(*job);
    Api owner(pool());
    EXPECT_TRUE(eventually(seconds(60), [&] { return open(owner, "task=0&port=9000&job=" + number).has_value(); }));
    return number;
  }
  // The port of this PC; 0: none came.
  static int port_of(const Process& forward) {
    if (!eventually(seconds(30), [&] { return forward.out().ends_with("\n"); })) return 0;
    return nlohmann::json::parse(forward.out())["port"];
  }
  static Ended ask(int port, int count, int size) {
    return run_program(
        {"/usr/bin/python3", "-c", kAsk, std::to_string(port), std::to_string(count), std::to_string(size)});
  }
  static Result<void> open(Api& api, const std::string& query) {
    net::Headers headers;
    headers.add("authorization", "Bearer " + api.token(false));
    const auto opened = api.loop().run_until_done(
        api.session().client().websocket("/forward?" + query, headers, net::kTunnelProtocol, net::kMaxTunnelMessage));
    if (!opened) return std::unexpected(opened.error());
    return {};
  }
};

TEST_F(ForwardTest, CarriesWhatBothSidesSayUntilTheJobEnds) {
  const std::string job = start_listener();
  Process forward = pool().start_cli({"forward", "--json", job, "9000"});
  const int port = port_of(forward);
  ASSERT_NE(port, 0) << forward.err();
  EXPECT_EQ(ask(port, 1, 0).out, "1 of 1\n") << forward.err();
  EXPECT_EQ(ask(port, 1, 8 << 20).out, "1 of 1\n") << forward.err();
  EXPECT_EQ(ask(port, 32, 100'000).out, "32 of 32\n") << forward.err();

  // Through the hub's death: the program goes on, and so does the way to it.
  ::kill(pool().hub_process(), SIGKILL);
  EXPECT_TRUE(eventually(seconds(60), [&] { return ask(port, 1, 1000).out == "1 of 1\n"; })) << forward.err();

  ASSERT_EQ(pool().cli({"cancel", job}).exit_code, 0);
  const Ended ended = forward.wait(seconds(60));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("job " + job + " has ended"));
}

TEST_F(ForwardTest, SaysWhatIsWrong) {
  const std::string job = start_listener();
  Process forward = pool().start_cli({"forward", "--json", job, "9001"});
  const int port = port_of(forward);
  ASSERT_NE(port, 0) << forward.err();
  EXPECT_EQ(ask(port, 1, 0).out, "1 of 1\n") << "an empty answer: the connection is closed";
  EXPECT_TRUE(eventually(seconds(10), [&] {
    return forward.err().contains("nothing in the task takes connections on port 9001 (Connection refused)");
  })) << forward.err();
  const auto says = [&](const std::vector<std::string>& words, int code, const std::string& text) {
    std::vector<std::string> all = {"forward"};
    all.insert(all.end(), words.begin(), words.end());
    const Ended ended = pool().cli(all);
    EXPECT_EQ(ended.exit_code, code) << text;
    EXPECT_THAT(ended.err, HasSubstr(text));
  };
  says({job, "0"}, 2, "from 1 to 65535");
  says({job, "web"}, 2, "PORT");
  says({"99999", "80"}, 1, "99999");
  says({job, "80", "--task", "3"}, 2, "the tasks 0 to 0");
  says({job, "80", "--listen", "nowhere:80"}, 2, "nowhere is no address");
  ASSERT_EQ(pool().cli({"cancel", job}).exit_code, 0);
  says({job, "9000"}, 1, "job " + job + " has ended");
}

TEST_F(ForwardTest, IsForTheJobsOwnDeviceAndThePoolsOwners) {
  const std::string job = start_listener();
  const std::string way = "job=" + job + "&task=0&port=9000";
  Api owner(pool());
  ASSERT_TRUE(open(owner, way));
  Api member(pair_device(pool(), "member", v1::ROLE_MEMBER));
  const Result<void> refused = open(member, way);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("only that device, an owner's or an operator's"));
  Api node(pair_device(pool(), "other-node", v1::ROLE_MEMBER, true));
  EXPECT_THAT(open(node, way).error().message, HasSubstr("tunnels are for people's devices"));

  const auto own = member.submit(shell("exec python3 -m http.server --bind 127.0.0.1 9000"));
  ASSERT_TRUE(own) << text_of(own.error());
  member.wait_until_running(*own);
  const std::string others = "job=" + std::to_string(*own) + "&task=0&port=9000";
  EXPECT_TRUE(eventually(seconds(30), [&] { return open(member, others).has_value(); }));
  EXPECT_TRUE(open(owner, others));
  EXPECT_THAT(pool().cli({"audit"}).out, HasSubstr("job.forward"));
  // Of the other end, too, only whoever was asked.
  net::Headers headers;
  headers.add("authorization", "Bearer " + node.token(false));
  const auto stolen = node.loop().run_until_done(node.session().client().websocket(
      "/tunnel?id=00112233445566778899aabbccddeeff", headers, net::kTunnelProtocol, net::kMaxTunnelMessage));
  ASSERT_FALSE(stolen);
  EXPECT_THAT(stolen.error().message, HasSubstr("no such tunnel"));
}

}  // namespace
}  // namespace hearth::e2e
