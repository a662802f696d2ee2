// Whose blobs a device may have, by its ring.
#include "hub/blob_access.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "hearth/v1/blobs.pb.h"
#include "hub/hub_test_world.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

class BlobAccessTest : public HubTest {
 public:
  static v1::Blob blob_of(const std::string& bytes) {
    v1::Blob blob;
    blob.set_sha256(net::sha256(bytes));
    blob.set_size(bytes.size());
    return blob;
  }

  // The status of PUT, GET or HEAD.
  unsigned http(PairedDevice& device, const std::string& method, const v1::Blob& blob, const std::string& body = "") {
    return loop_.run_until_done(
        [](account::Session& session, std::string verb, std::string path, std::string bytes) -> net::Async<unsigned> {
          Result<std::string> token = co_await session.token();
          net::Headers headers;
          headers.add("Authorization", "Bearer " + token.value_or(""));
          Result<net::Response> response =
              co_await session.client().request(std::move(verb), std::move(path), headers, std::move(bytes));
          co_return response ? response->status : 0;
        }(*device.session, method, "/blob/" + to_hex(blob.sha256()), body));
  }
  bool may_fetch(PairedDevice& device, const v1::Blob& blob) {
    const unsigned status = http(device, "GET", blob);
    EXPECT_EQ(http(device, "HEAD", blob), status);
    EXPECT_TRUE(status == 200 || status == 404) << status;
    return status == 200;
  }
  bool is_missing(PairedDevice& device, const v1::Blob& blob) {
    v1::MissingRequest request;
    request.add_sha256(blob.sha256());
    const auto reply = call_as<v1::MissingReply>(device, "hearth.v1.BlobService/Missing", request);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply && reply->sha256_size() == 1;
  }
  v1::Blob send(PairedDevice& device, const std::string& bytes) {
    const v1::Blob blob = blob_of(bytes);
    EXPECT_EQ(http(device, "PUT", blob, bytes), 201U);
    return blob;
  }
  static std::string tree_bytes(const v1::Blob& file) {
    v1::Tree tree;
    tree.add_files()->set_path("file");
    *tree.mutable_files(0)->mutable_blob() = file;
    return tree.SerializeAsString();
  }
  // The attempt by which the task runs again.
  v1::AttemptId report(net::WebSocket& node, const v1::AttemptId& attempt, const v1::Outcome& outcome) {
    v1::NodeFrame frame;
    *frame.add_finished()->mutable_attempt() = attempt;
    *frame.mutable_finished(0)->mutable_outcome() = outcome;
    EXPECT_TRUE(loop_.run_until_done(node.write(frame.SerializeAsString())));
    return read_assignments(node, 1).at(0);
  }
  Result<v1::SubmitReply> submit_as(PairedDevice& device, const v1::Blob& inputs, std::uint64_t after = 0) {
    v1::SubmitRequest request;
    request.mutable_spec()->add_argv("/usr/bin/true");
    *request.mutable_spec()->mutable_inputs() = inputs;
    if (after != 0) request.mutable_spec()->add_after(after);
    request.set_request_id(net::random_bytes(16));
    return call_as<v1::SubmitReply>(device, "hearth.v1.JobService/Submit", request);
  }
};

TEST_F(BlobAccessTest, AnothersBlobIsOneThatIsNotHereUntilItIsSent) {
  const std::string bytes = "the owner's";
  const v1::Blob owners = put(bytes);
  const auto home = pair("home", v1::RING_HOME);
  EXPECT_TRUE(may_fetch(*home, owners));
  EXPECT_FALSE(is_missing(*home, owners));
  for (const v1::Ring ring : {v1::RING_FRIEND, v1::RING_MEMBER, v1::RING_STRANGER}) {
    const auto other = pair("other", ring);
    EXPECT_FALSE(may_fetch(*other, owners));
    EXPECT_TRUE(is_missing(*other, owners));
    EXPECT_EQ(http(*other, "PUT", owners, "other bytes"), 400U) << "it was told that the blob is here";
    EXPECT_FALSE(may_fetch(*other, owners));
    EXPECT_EQ(http(*other, "PUT", owners, bytes), 201U);
    EXPECT_TRUE(may_fetch(*other, owners));
    EXPECT_FALSE(is_missing(*other, owners));
    EXPECT_EQ(http(*other, "PUT", owners, ""), 200U);
  }
}

TEST_F(BlobAccessTest, NobodyComesToAnothersBlobByNamingItInAJob) {
  const v1::Blob secret = put("the owner's");
  const v1::Blob owners_tree = put_tree({secret});
  const auto other = pair("friend", v1::RING_FRIEND);
  const auto by_tree = submit_as(*other, owners_tree);
  ASSERT_FALSE(by_tree);
  const v1::Blob absent_tree = blob_of("nobody's");
  EXPECT_EQ(by_tree.error(), submit_as(*other, absent_tree).error());
  const auto by_file = submit_as(*other, send(*other, tree_bytes(secret)));
  ASSERT_FALSE(by_file) << "a job was given another's file";
  EXPECT_EQ(by_file.error(), submit_as(*other, send(*other, tree_bytes(blob_of("nobody's")))).error());
  const v1::Blob own = send(*other, "the friend's");
  EXPECT_TRUE(submit_as(*other, send(*other, tree_bytes(own))));
}

TEST_F(BlobAccessTest, WhatBelongsToItsJobsIsItsOwnUntilTheyAreRemoved) {
  auto node = open_node();
  const auto other = pair("friend", v1::RING_FRIEND);
  const v1::Blob input = send(*other, "an input");
  const v1::Blob inputs = send(*other, tree_bytes(input));
  EXPECT_FALSE(may_fetch(*other, blob_of("not there")));  // from here on its jobs' blobs are known as they come
  const auto job = submit_as(*other, inputs);
  ASSERT_TRUE(job) << job.error().message;
  v1::Outcome outcome;
  const v1::Blob result = put("a result");
  *outcome.mutable_outputs() = put_tree({result});
  *outcome.mutable_log() = put("a log");
  finish(*node, read_assignments(*node, 1), outcome);
  const std::vector<v1::Blob> all = {input, inputs, result, outcome.outputs(), outcome.log()};
  for (const v1::Blob& blob : all) EXPECT_TRUE(may_fetch(*other, blob));

  // Known from the jobs' records alone.
  node.reset();
  other->session.reset();
  stop();
  start();
  open(*other);
  for (const v1::Blob& blob : all) EXPECT_TRUE(may_fetch(*other, blob));
  EXPECT_FALSE(is_missing(*other, input));

  v1::RemoveRequest removal;
  removal.set_job_id(job->job_id());
  ASSERT_TRUE(call_as<v1::RemoveReply>(*other, "hearth.v1.JobService/Remove", removal));
  for (const v1::Blob& blob : all) EXPECT_FALSE(may_fetch(*other, blob)) << "it would be told whether others have it";
}

TEST_F(BlobAccessTest, ImagesOfEnvironmentsAreEverybodys) {
  const v1::Blob image = put("hsqs, as it were");
  const auto other = pair("stranger", v1::RING_STRANGER);
  EXPECT_FALSE(may_fetch(*other, image));
  ASSERT_TRUE(put_environment("python", image));
  EXPECT_TRUE(may_fetch(*other, image));
}

TEST_F(BlobAccessTest, ANodeFetchesWhatIsLeasedToItAndNothingElse) {
  const auto pc = pair("their pc", v1::RING_FRIEND, true);
  const v1::Blob earlier_result = put("an earlier result");
  const v1::Blob earlier_outputs = put_tree({earlier_result});
  auto first = open_node();
  const std::uint64_t earlier = run_job(*first, std::string(16, '1'), put_tree({}), earlier_outputs, put("a log"));
  first.reset();
  auto node = open_node(*pc->session);
  const v1::Blob secret = put("no job's");
  const v1::Blob input = put("an input");
  const v1::Blob inputs = put_tree({input});
  EXPECT_FALSE(may_fetch(*pc, inputs));
  v1::JobSpec spec;
  *spec.mutable_inputs() = inputs;
  spec.add_after(earlier);
  ASSERT_TRUE(submit(1, std::string(16, '2'), spec));
  const auto attempts = read_assignments(*node, 1);
  for (const v1::Blob& needed : {inputs, input, earlier_outputs, earlier_result}) EXPECT_TRUE(may_fetch(*pc, needed));
  EXPECT_FALSE(may_fetch(*pc, secret));
  EXPECT_TRUE(is_missing(*pc, secret));
  finish(*node, attempts);
  for (const v1::Blob& needed : {inputs, input, earlier_outputs, earlier_result}) EXPECT_FALSE(may_fetch(*pc, needed));
}

// Else a device and a node of one mind would have whatever they know the name of.
TEST_F(BlobAccessTest, ANodeCannotReportWhatItHasNotSent) {
  const v1::Blob secret = put("the owner's");
  const v1::Blob secret_tree = put_tree({secret});
  const auto other = pair("friend", v1::RING_FRIEND);
  const auto pc = pair("their pc", v1::RING_FRIEND, true);
  auto node = open_node(*pc->session);
  const auto job = submit_as(*other, send(*other, v1::Tree().SerializeAsString()));
  ASSERT_TRUE(job) << job.error().message;
  std::vector<v1::Outcome> lies(3);
  *lies[0].mutable_outputs() = secret_tree;
  *lies[1].mutable_outputs() = send(*pc, tree_bytes(secret));
  *lies[2].mutable_log() = secret;
  v1::AttemptId attempt = read_assignments(*node, 1).at(0);
  for (const v1::Outcome& lie : lies) {
    attempt = report(*node, attempt, lie);
    EXPECT_FALSE(may_fetch(*other, secret));
    EXPECT_FALSE(may_fetch(*other, secret_tree));
  }
  v1::Outcome honest;
  const v1::Blob result = send(*pc, "a result");
  *honest.mutable_outputs() = send(*pc, tree_bytes(result));
  finish(*node, {attempt}, honest);
  EXPECT_TRUE(may_fetch(*other, result));
  v1::GetJobRequest request;
  request.set_job_id(job->job_id());
  const auto done = call_as<v1::GetJobReply>(*other, "hearth.v1.JobService/Get", request);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->job().state(), v1::JOB_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace hearth::hub
