// What a node says that is not so, or says of others: the hub goes on, and nobody is harmed by it.
#include <gtest/gtest.h>

#include "hub/hub_test_world.h"

namespace hearth::hub {
namespace {

class EvilNodesTest : public HubTest {
 protected:
  bool await(const std::function<bool()>& condition) {
    for (int i = 0; i < 1'000 && !condition(); ++i) loop_.run_until_done(net::sleep_for(milliseconds(10)));
    return condition();
  }
  static v1::NodeFrame piece_of(const v1::AttemptId& attempt, const std::string& bytes) {
    v1::NodeFrame frame;
    v1::LogPiece& piece = *frame.add_logs();
    *piece.mutable_attempt() = attempt;
    piece.set_data(bytes);
    return frame;
  }
  static v1::NodeFrame end_of(const v1::AttemptId& attempt, const v1::Outcome& outcome) {
    v1::NodeFrame frame;
    v1::Finished& finished = *frame.add_finished();
    *finished.mutable_attempt() = attempt;
    *finished.mutable_outcome() = outcome;
    return frame;
  }
  void await_watch(net::WebSocket& node) {
    for (bool watched = false; !watched && !HasFailure();) watched = read_frame(node).watch_logs_size() > 0;
  }
  std::vector<v1::Task> tasks(std::uint64_t id) {
    v1::GetJobRequest request;
    request.set_job_id(id);
    request.set_task_limit(10);
    const auto reply = call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    EXPECT_TRUE(reply);
    return {reply->tasks().begin(), reply->tasks().end()};
  }
};

TEST_F(EvilNodesTest, ALogThatIsShorterThanItWasSaidToBeIsRead) {
  const auto node = open_node();
  const auto submitted = submit(1);
  const auto attempts = read_assignments(*node, 1);
  std::string seen;
  bool ended = false;
  follow(submitted->job_id(), seen, ended);
  await_watch(*node);
  write(*node, piece_of(attempts[0], delimited("much that was told live")));
  ASSERT_TRUE(await([&] { return !seen.empty(); }));
  v1::Outcome outcome;
  *outcome.mutable_log() = put(delimited("x"));
  outcome.mutable_log()->set_size(1'000);
  finish(*node, attempts, outcome);
  EXPECT_TRUE(await([&] { return ended; }));
  EXPECT_EQ(seen, "much that was told live");
}

TEST_F(EvilNodesTest, WordsAreCutAtACharacter) {
  const auto node = open_node();
  const auto submitted = submit(2);
  const auto attempts = read_assignments(*node, 2);
  v1::Outcome outcome;
  outcome.set_reason(v1::FAILURE_REASON_EXIT_CODE);
  outcome.set_exit_code(1);
  outcome.set_message(std::string(1'023, 'a') + "ä");
  finish(*node, {attempts[0]}, outcome);
  EXPECT_EQ(job(submitted->job_id()).first_failure().message(), std::string(1'023, 'a'));
  stop();
  start();
  EXPECT_EQ(job(submitted->job_id()).first_failure().message(), std::string(1'023, 'a')) << "the hub starts again";
}

TEST_F(EvilNodesTest, ANodeSpeaksForItsOwnTasksAlone) {
  const auto other = pair("other", v1::RING_HOME, true);
  const auto node = open_node();
  const auto evil = open_node(*other->session);
  v1::JobSpec spec;
  spec.set_gang(true);
  spec.mutable_resources()->set_cores(3);  // so one for each node
  const auto submitted = submit(2, std::string(16, 'r'), spec);
  ASSERT_TRUE(submitted) << submitted.error().message;
  const v1::AttemptId honest = read_assignments(*node, 1)[0];
  const v1::AttemptId own = read_assignments(*evil, 1)[0];
  std::string seen;
  bool ended = false;
  follow(submitted->job_id(), seen, ended);
  await_watch(*node);
  write(*evil, piece_of(honest, delimited("evil")));

  v1::Outcome outcome;
  *outcome.mutable_outputs() = put_tree({put("right")});
  write(*node, end_of(honest, outcome));  // kept until the gang has ended
  v1::Outcome forged;
  *forged.mutable_outputs() = put_tree({put("wrong")});
  finish(*evil, {honest}, forged);
  finish(*evil, {own});
  EXPECT_TRUE(await([&] { return ended; }));
  EXPECT_EQ(seen, "");
  EXPECT_EQ(tasks(submitted->job_id())[honest.task()].outcome().outputs().sha256(), outcome.outputs().sha256());
}

}  // namespace
}  // namespace hearth::hub
