// The hub as its clients see it, in this process: a person's device, and a node that is a few lines of WebSocket.
#include "hub/hub.h"

#include <google/protobuf/util/delimited_message_util.h>

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "account/account.h"
#include "base/sizes.h"
#include "blob/transfer.h"
#include "hearth/v1/devices.pb.h"
#include "hearth/v1/environments.pb.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/nodes.pb.h"
#include "hearth/v1/session.pb.h"

namespace hearth::hub {
namespace {

using net::Async;

class HubTest : public testing::Test {
 public:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "hub_test.XXXXXX";
    directory_ = mkdtemp(pattern.data());
    start();
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(directory_);
  }

  void start() {
    Options options{.directory = directory_, .address = "127.0.0.1", .port = 0, .pool_name = "test"};
    options.sweeps = sweeps_;
    options.local_devices = {{"laptop", false, owner_key_.public_key_spki()},
                             {"pc", true, node_key_.public_key_spki()}};
    Result<std::unique_ptr<Hub>> started = Hub::start(loop_, options);
    ASSERT_TRUE(started) << started.error().message;
    hub_ = std::move(*started);
    owner_ = session(owner_key_);
    node_ = session(node_key_);
  }
  void stop() {
    owner_.reset();
    node_.reset();
    if (hub_) loop_.run_until_done(hub_->stop());
    hub_.reset();
  }
  std::unique_ptr<account::Session> session(const net::IdentityKey& key) {
    account::Account account{.endpoint = {"127.0.0.1", hub_->port()},
                             .hub_identity = hub_->identity_key(),
                             .device = hub_->local_device(key.public_key_spki())};
    return std::make_unique<account::Session>(loop_, workers_, account, key);
  }

  template <class Reply>
  Result<Reply> call(std::string_view method, const google::protobuf::Message& request) {
    return loop_.run_until_done(owner_->call<Reply>(method, request));
  }
  Result<v1::SubmitReply> submit(std::uint32_t tasks, std::string request_id = std::string(16, 'r'),
                                 v1::JobSpec spec = {}) {
    v1::SubmitRequest request;
    spec.add_argv("/usr/bin/true");
    spec.set_tasks(tasks);
    *request.mutable_spec() = std::move(spec);
    request.set_request_id(std::move(request_id));
    return call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
  }
  Result<v1::RemoveReply> remove(std::uint64_t id) {
    v1::RemoveRequest request;
    request.set_job_id(id);
    return call<v1::RemoveReply>("hearth.v1.JobService/Remove", request);
  }
  v1::Job job(std::uint64_t id) {
    v1::GetJobRequest request;
    request.set_job_id(id);
    Result<v1::GetJobReply> reply = call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? reply->job() : v1::Job();
  }

  // Uploads as clients and nodes do.
  v1::Blob put(const std::string& bytes) {
    const std::string bearer = loop_.run_until_done(owner_->token()).value_or("");
    blob::Transfer transfer(owner_->client(), workers_, [bearer] { return bearer; });
    Result<v1::Blob> blob = loop_.run_until_done(transfer.send_bytes(bytes));
    EXPECT_TRUE(blob) << blob.error().message;
    return blob ? *blob : v1::Blob();
  }
  v1::Blob put_tree(const std::vector<v1::Blob>& files) {
    v1::Tree tree;
    for (const v1::Blob& file : files) {
      v1::TreeFile& entry = *tree.add_files();
      entry.set_path("file" + std::to_string(tree.files_size()));
      *entry.mutable_blob() = file;
    }
    return put(tree.SerializeAsString());
  }
  bool has(const v1::Blob& blob) {
    const std::string bearer = loop_.run_until_done(owner_->token()).value_or("");
    blob::Transfer transfer(owner_->client(), workers_, [bearer] { return bearer; });
    return loop_.run_until_done(transfer.fetch_bytes(blob, 1 << 20)).has_value();
  }
  bool goes(const v1::Blob& blob) {
    for (int i = 0; i < 1000 && has(blob); ++i) loop_.run_until_done(net::sleep_for(milliseconds(10)));
    return !has(blob);
  }
  // One task that ends with these results.
  std::uint64_t run_job(net::WebSocket& node, const std::string& request_id, const v1::Blob& inputs,
                        const v1::Blob& outputs, const v1::Blob& log) {
    v1::JobSpec spec;
    *spec.mutable_inputs() = inputs;
    const auto submitted = submit(1, request_id, spec);
    EXPECT_TRUE(submitted) << submitted.error().message;
    v1::Outcome outcome;
    *outcome.mutable_outputs() = outputs;
    *outcome.mutable_log() = log;
    finish(node, read_assignments(node, 1), outcome);
    return submitted ? submitted->job_id() : 0;
  }

  std::unique_ptr<net::WebSocket> open_node(const std::vector<v1::AttemptId>& held = {}) {
    return loop_.run_until_done(
        [](HubTest& self, std::vector<v1::AttemptId> holds) -> Async<std::unique_ptr<net::WebSocket>> {
          Result<std::string> token = co_await self.node_->token();
          EXPECT_TRUE(token);
          net::Headers headers;
          headers.add("Authorization", "Bearer " + *token);
          auto socket = co_await self.node_->client().websocket("/session", headers, "hearth-node.1", kMiB);
          EXPECT_TRUE(socket) << socket.error().message;
          v1::NodeFrame hello;
          hello.mutable_hello()->mutable_offered()->set_cores(4);
          hello.mutable_hello()->mutable_offered()->set_memory_bytes(8 * kGiB);
          v1::Admission& home = *hello.mutable_hello()->add_admits();
          home.set_ring(v1::RING_HOME);
          home.set_host_files(true);
          for (const v1::AttemptId& attempt : holds) *hello.mutable_hello()->add_held() = attempt;
          EXPECT_TRUE(co_await (*socket)->write(hello.SerializeAsString()));
          co_return std::move(*socket);
        }(*this, held));
  }
  v1::HubFrame read_frame(net::WebSocket& socket) {
    v1::HubFrame frame;
    Result<std::string> message = loop_.run_until_done(socket.read(seconds(5)));
    EXPECT_TRUE(message) << message.error().message;
    if (message) EXPECT_TRUE(frame.ParseFromString(*message));
    return frame;
  }
  // Reads until `count` assignments have come.
  std::vector<v1::AttemptId> read_assignments(net::WebSocket& socket, std::size_t count) {
    std::vector<v1::AttemptId> found;
    while (found.size() < count && !HasFailure()) {
      for (const v1::Assign& assign : read_frame(socket).assign()) found.push_back(assign.attempt());
    }
    return found;
  }
  void finish(net::WebSocket& socket, const std::vector<v1::AttemptId>& attempts, const v1::Outcome& outcome = {}) {
    v1::NodeFrame frame;
    for (const v1::AttemptId& attempt : attempts) {
      v1::Finished& finished = *frame.add_finished();
      *finished.mutable_attempt() = attempt;
      *finished.mutable_outcome() = outcome;
    }
    EXPECT_TRUE(loop_.run_until_done(socket.write(frame.SerializeAsString())));
    for (int acknowledged = 0; acknowledged < frame.finished_size() && !HasFailure();) {
      acknowledged += read_frame(socket).acknowledged_size();
    }
  }

  Result<v1::PutEnvironmentReply> put_environment(const std::string& name, const v1::Blob& image) {
    v1::PutEnvironmentRequest request;
    request.set_name(name);
    *request.mutable_image() = image;
    request.set_description("for a test");
    return call<v1::PutEnvironmentReply>("hearth.v1.EnvironmentService/Put", request);
  }
  Result<v1::RemoveEnvironmentReply> remove_environment(const std::string& name) {
    v1::RemoveEnvironmentRequest request;
    request.set_name(name);
    return call<v1::RemoveEnvironmentReply>("hearth.v1.EnvironmentService/Remove", request);
  }
  Result<v1::SubmitReply> submit_in(const std::string& environment) {
    v1::SubmitRequest request;
    request.mutable_spec()->add_argv("/bin/true");
    request.mutable_spec()->set_environment(environment);
    request.set_request_id("in " + environment + std::string(13 - environment.size(), 'r'));
    return call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
  }

  std::filesystem::path directory_;
  SweepOptions sweeps_;
  net::Loop loop_;
  net::Workers workers_{2};
  net::IdentityKey owner_key_ = net::IdentityKey::generate();
  net::IdentityKey node_key_ = net::IdentityKey::generate();
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<account::Session> owner_;
  std::unique_ptr<account::Session> node_;
};

TEST_F(HubTest, AJobIsAssignedRunAndAcknowledged) {
  auto socket = open_node();
  Result<v1::SubmitReply> submitted = submit(3);
  ASSERT_TRUE(submitted) << submitted.error().message;
  const auto attempts = read_assignments(*socket, 3);
  ASSERT_EQ(attempts.size(), 3U);
  finish(*socket, attempts);
  const v1::Job done = job(submitted->job_id());
  EXPECT_EQ(done.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(done.succeeded(), 3U);
}

TEST_F(HubTest, ARepeatedSubmitMakesOneJob) {
  const auto first = submit(1);
  const auto second = submit(1);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->job_id(), second->job_id());
  EXPECT_NE(submit(1, std::string(16, 's'))->job_id(), first->job_id());
}

TEST_F(HubTest, AfterARestartAHeldAttemptGoesOnAndItsResultIsAcceptedOnce) {
  auto socket = open_node();
  const auto submitted = submit(1);
  ASSERT_TRUE(submitted);
  const auto attempts = read_assignments(*socket, 1);
  ASSERT_EQ(attempts.size(), 1U);
  socket.reset();
  stop();
  start();
  EXPECT_EQ(job(submitted->job_id()).running(), 1U);
  socket = open_node(attempts);
  finish(*socket, attempts);
  finish(*socket, attempts);  // repeated, as after a lost acknowledgement
  const v1::Job done = job(submitted->job_id());
  EXPECT_EQ(done.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(done.succeeded(), 1U);
}

TEST_F(HubTest, EnvironmentsArePutListedReplacedAndRemoved) {
  EXPECT_EQ(put_environment("python", put("no squashfs")).error().code, Code::kInvalidArgument);
  v1::Blob absent;
  absent.set_sha256(std::string(32, 'x'));
  EXPECT_EQ(put_environment("python", absent).error().code, Code::kFailedPrecondition);
  const v1::Blob image = put("hsqs, as it were");
  for (const char* name : {"", "host", "Python", "../x", ".x", "a b"}) {
    EXPECT_EQ(put_environment(name, image).error().code, Code::kInvalidArgument) << name;
  }
  ASSERT_TRUE(put_environment("python", put("hsqs before")));
  ASSERT_TRUE(put_environment("python", image));
  ASSERT_TRUE(put_environment("base", image));
  stop();
  start();
  const auto list = [this] {
    return *call<v1::ListEnvironmentsReply>("hearth.v1.EnvironmentService/List", v1::ListEnvironmentsRequest());
  };
  ASSERT_EQ(list().environments_size(), 2);
  EXPECT_EQ(list().environments(0).name(), "base");
  EXPECT_EQ(list().environments(1).name(), "python");
  EXPECT_EQ(list().environments(1).image().sha256(), image.sha256());
  EXPECT_EQ(list().environments(1).image().size(), 16U);
  EXPECT_EQ(remove_environment("perl").error().code, Code::kNotFound);
  EXPECT_TRUE(remove_environment("python"));
  ASSERT_EQ(list().environments_size(), 1);
}

TEST_F(HubTest, AJobKeepsTheImageThatItsEnvironmentStoodFor) {
  const v1::Blob first = put("hsqs 1");
  ASSERT_TRUE(put_environment("python", first));
  const auto submitted = submit_in("python");
  ASSERT_TRUE(submitted) << submitted.error().message;
  ASSERT_TRUE(put_environment("python", put("hsqs 2")));
  ASSERT_TRUE(remove_environment("python"));
  const auto unknown = submit_in("py");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_NE(unknown.error().message.find("there is no 'py'; there are: host"), std::string::npos);
  stop();
  start();
  auto socket = open_node();
  v1::HubFrame frame;
  while (frame.assign_size() == 0 && !HasFailure()) frame = read_frame(*socket);
  ASSERT_EQ(frame.assign_size(), 1);
  EXPECT_EQ(frame.assign(0).environment().sha256(), first.sha256());
  EXPECT_EQ(frame.assign(0).environment().size(), 6U);
}

TEST_F(HubTest, TheReasonOfAFailureIsKept) {
  auto socket = open_node();
  const auto submitted = submit(1);
  ASSERT_TRUE(submitted);
  v1::Outcome outcome;
  outcome.set_reason(v1::FAILURE_REASON_OUT_OF_MEMORY);
  outcome.set_exit_code(137);
  outcome.set_message("used more than its memory");
  finish(*socket, read_assignments(*socket, 1), outcome);
  const v1::Job done = job(submitted->job_id());
  EXPECT_EQ(done.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(done.first_failure().reason(), v1::FAILURE_REASON_OUT_OF_MEMORY);
  EXPECT_EQ(done.first_failure().exit_code(), 137);
}

TEST_F(HubTest, AFirstFailureIsShownAfterARestartToo) {
  auto socket = open_node();
  const auto submitted = submit(2);
  ASSERT_TRUE(submitted);
  const auto attempts = read_assignments(*socket, 2);
  ASSERT_EQ(attempts.size(), 2U);
  v1::Outcome outcome;
  outcome.set_reason(v1::FAILURE_REASON_OUT_OF_MEMORY);
  finish(*socket, {attempts[1]}, outcome);
  EXPECT_EQ(job(submitted->job_id()).first_failure().reason(), v1::FAILURE_REASON_OUT_OF_MEMORY);
  socket.reset();
  stop();
  start();
  const v1::Job live = job(submitted->job_id());
  EXPECT_EQ(live.running(), 1U);
  EXPECT_EQ(live.first_failure().reason(), v1::FAILURE_REASON_OUT_OF_MEMORY);
}

TEST_F(HubTest, ARemovedJobIsGoneForGood) {
  auto socket = open_node();
  const auto submitted = submit(1);
  ASSERT_TRUE(submitted);
  const std::uint64_t id = submitted->job_id();
  const auto live = remove(id);
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kFailedPrecondition);
  EXPECT_NE(live.error().message.find("hearth cancel"), std::string::npos) << live.error().message;
  finish(*socket, read_assignments(*socket, 1));
  const auto removed = remove(id);
  ASSERT_TRUE(removed) << removed.error().message;
  for (int time = 0; time < 2; ++time) {
    v1::GetJobRequest request;
    request.set_job_id(id);
    EXPECT_EQ(call<v1::GetJobReply>("hearth.v1.JobService/Get", request).error().code, Code::kNotFound);
    EXPECT_EQ(call<v1::ListJobsReply>("hearth.v1.JobService/List", v1::ListJobsRequest())->jobs_size(), 0);
    EXPECT_EQ(remove(id).error().code, Code::kNotFound);
    socket.reset();
    stop();
    start();
  }
  EXPECT_GT(submit(1)->job_id(), id) << "its number was given again";
}

TEST_F(HubTest, WatchersAreToldOfARemoval) {
  const auto submitted = submit(1);
  ASSERT_TRUE(submitted);
  v1::CancelRequest cancel;
  cancel.set_job_id(submitted->job_id());
  ASSERT_TRUE(call<v1::CancelReply>("hearth.v1.JobService/Cancel", cancel));
  std::vector<std::uint64_t> told;
  bool watching = false;
  loop_.spawn([](HubTest& self, std::vector<std::uint64_t>& removed, bool& open) -> Async<void> {
    Result<std::string> token = co_await self.owner_->token();
    co_await net::call_stream<v1::WatchReply>(
        self.owner_->client(), "hearth.v1.NodeService/Watch", token.value_or(""), v1::WatchRequest(),
        [&](const v1::WatchReply& reply) -> Async<Result<void>> {
          open = true;
          removed.insert(removed.end(), reply.removed_jobs().begin(), reply.removed_jobs().end());
          if (removed.empty()) co_return Result<void>();
          co_return fail(Code::kCanceled, "enough");
        });
    open = false;
  }(*this, told, watching));
  while (!watching) loop_.run_until_done(net::sleep_for(milliseconds(10)));
  EXPECT_TRUE(remove(submitted->job_id()));
  while (watching) loop_.run_until_done(net::sleep_for(milliseconds(10)));
  EXPECT_EQ(told, std::vector<std::uint64_t>{submitted->job_id()});
  // The hub notices that the watcher has gone when it has more to tell.
  const auto is_watched = [this] {
    const auto list = call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
    return std::ranges::any_of(list->devices(), [](const v1::Device& it) { return it.is_this() && it.online(); });
  };
  for (std::uint32_t change = 0; is_watched() && !HasFailure(); ++change) {
    EXPECT_TRUE(submit(1, "another " + std::to_string(10'000'000 + change)));
    loop_.run_until_done(net::sleep_for(milliseconds(20)));
  }
}

TEST_F(HubTest, BlobsThatNoJobNeedsGoAndAllOthersStay) {
  auto socket = open_node();
  const v1::Blob shared = put("read by both");
  const v1::Blob own = put("read by the first");
  const v1::Blob result = put("the first's result");
  const v1::Blob log = put("the first's log");
  const v1::Blob inputs = put_tree({own, shared});
  const v1::Blob outputs = put_tree({result});
  const std::uint64_t first = run_job(*socket, std::string(16, '1'), inputs, outputs, log);
  const v1::Blob other_inputs = put_tree({shared});
  const v1::Blob other_result = put("the second's result");
  const v1::Blob other_outputs = put_tree({other_result});
  const v1::Blob other_log = put("the second's log");
  run_job(*socket, std::string(16, '2'), other_inputs, other_outputs, other_log);
  const v1::Blob orphan = put("no job's");
  socket.reset();
  stop();

  sweeps_ = {.grace = {}, .first_after = {}, .gather = {}, .interval = minutes(60)};
  start();
  EXPECT_TRUE(goes(orphan));
  for (const v1::Blob& needed : {shared, own, result, log, inputs, outputs}) EXPECT_TRUE(has(needed));
  ASSERT_TRUE(remove(first));
  for (const v1::Blob& left : {own, result, log, inputs, outputs}) EXPECT_TRUE(goes(left));
  for (const v1::Blob& needed : {shared, other_inputs, other_result, other_outputs, other_log}) {
    EXPECT_TRUE(has(needed));
  }
}

TEST_F(HubTest, ImagesGoWhenNeitherANameNorALivingJobNeedsThem) {
  const v1::Blob of_a_name = put("hsqs of a name");
  const v1::Blob of_a_job = put("hsqs of a job");
  const v1::Blob of_nobody = put("hsqs of nobody");
  ASSERT_TRUE(put_environment("kept", of_a_name));
  ASSERT_TRUE(put_environment("gone", of_a_job));
  const auto job = submit_in("gone");
  ASSERT_TRUE(job) << job.error().message;
  ASSERT_TRUE(remove_environment("gone"));
  stop();
  sweeps_ = {.grace = {}, .first_after = {}, .gather = {}, .interval = milliseconds(20)};
  start();
  EXPECT_TRUE(goes(of_nobody));
  EXPECT_TRUE(has(of_a_name));
  EXPECT_TRUE(has(of_a_job));
  v1::CancelRequest request;
  request.set_job_id(job->job_id());
  ASSERT_TRUE(call<v1::CancelReply>("hearth.v1.JobService/Cancel", request));
  EXPECT_TRUE(goes(of_a_job));
  EXPECT_TRUE(has(of_a_name));
}

TEST_F(HubTest, ABlobIsLeftToAClientThatHasNotSubmittedYet) {
  sweeps_ = {.grace = minutes(60), .first_after = {}, .gather = {}, .interval = milliseconds(20)};
  stop();
  start();
  const v1::Blob uploaded = put("to be submitted soon");
  loop_.run_until_done(net::sleep_for(milliseconds(300)));
  EXPECT_TRUE(has(uploaded));
  EXPECT_TRUE(submit(1, std::string(16, 'r'), [&] {
    v1::JobSpec spec;
    *spec.mutable_inputs() = put_tree({uploaded});
    return spec;
  }()));
}

TEST_F(HubTest, ACancelledJobStopsItsTasksAndEndsTheRest) {
  auto socket = open_node();
  const auto submitted = submit(100);
  ASSERT_TRUE(submitted);
  read_assignments(*socket, 4);
  v1::CancelRequest request;
  request.set_job_id(submitted->job_id());
  const auto cancelled = call<v1::CancelReply>("hearth.v1.JobService/Cancel", request);
  ASSERT_TRUE(cancelled) << cancelled.error().message;
  EXPECT_EQ(cancelled->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(job(submitted->job_id()).cancelled(), 100U);
  int stopped = 0;
  while (stopped < 4 && !HasFailure()) stopped += read_frame(*socket).stop_size();
}

TEST_F(HubTest, LogsComeLiveThenFromTheBlobEachRecordOnce) {
  auto socket = open_node();
  const auto submitted = submit(1);
  ASSERT_TRUE(submitted);
  const auto attempts = read_assignments(*socket, 1);
  ASSERT_EQ(attempts.size(), 1U);

  const auto delimited = [](const std::string& text) {
    v1::LogRecord record;
    record.set_stream(v1::LOG_STREAM_STDOUT);
    record.set_data(text);
    std::ostringstream stream;
    google::protobuf::util::SerializeDelimitedToOstream(record, &stream);
    return stream.str();
  };
  std::string seen;
  bool ended = false;
  v1::LogsRequest request;
  request.set_job_id(submitted->job_id());
  request.set_follow(true);
  loop_.spawn([](HubTest& self, v1::LogsRequest wanted, std::string& text, bool& over) -> Async<void> {
    Result<std::string> token = co_await self.owner_->token();
    EXPECT_TRUE(token);
    Result<void> done =
        co_await net::call_stream<v1::LogsReply>(self.owner_->client(), "hearth.v1.JobService/Logs", *token, wanted,
                                                 [&](const v1::LogsReply& reply) -> Async<Result<void>> {
                                                   for (const v1::LogRecord& record : reply.records())
                                                     text += record.data();
                                                   co_return Result<void>();
                                                 });
    EXPECT_TRUE(done) << done.error().message;
    over = true;
  }(*this, request, seen, ended));

  bool watched = false;
  while (!watched && !HasFailure()) watched = read_frame(*socket).watch_logs_size() > 0;
  v1::NodeFrame frame;
  v1::LogPiece& piece = *frame.add_logs();
  *piece.mutable_attempt() = attempts[0];
  piece.set_data(delimited("live "));
  ASSERT_TRUE(loop_.run_until_done(socket->write(frame.SerializeAsString())));
  for (int i = 0; i < 100 && seen.empty(); ++i) loop_.run_until_done(net::sleep_for(milliseconds(20)));
  EXPECT_EQ(seen, "live ");

  blob::Transfer transfer(node_->client(), workers_, [this] { return node_->last_token(); });
  Result<v1::Blob> log = loop_.run_until_done(transfer.send_bytes(delimited("live ") + delimited("late")));
  ASSERT_TRUE(log) << log.error().message;
  v1::Outcome outcome;
  *outcome.mutable_log() = *log;
  finish(*socket, attempts, outcome);
  for (int i = 0; i < 100 && !ended; ++i) loop_.run_until_done(net::sleep_for(milliseconds(20)));
  EXPECT_TRUE(ended);
  EXPECT_EQ(seen, "live late");
}

TEST_F(HubTest, ABlobWithOtherBytesThanItsNameIsRefused) {
  const auto put = [this](std::string name, std::string body) -> unsigned {
    return loop_.run_until_done([](HubTest& self, std::string path, std::string bytes) -> Async<unsigned> {
      Result<std::string> token = co_await self.owner_->token();
      net::Headers headers;
      headers.add("Authorization", "Bearer " + token.value_or(""));
      Result<net::Response> response = co_await self.owner_->client().request("PUT", path, headers, bytes);
      co_return response ? response->status : 0;
    }(*this, "/blob/" + std::move(name), std::move(body)));
  };
  const std::string digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";  // of "hello"
  EXPECT_EQ(put(digest, "other"), 400U);
  EXPECT_EQ(put(digest, "hello"), 201U);
  EXPECT_EQ(put(digest, "hello"), 200U);
  EXPECT_EQ(put("nonsense", "hello"), 400U);
}

TEST_F(HubTest, APhoneIsPairedAllowedAndRevoked) {
  v1::InviteRequest wanted;
  wanted.set_role(v1::ROLE_MEMBER);
  const auto invitation = call<v1::InviteReply>("hearth.v1.DeviceService/Invite", wanted);
  ASSERT_TRUE(invitation) << invitation.error().message;
  ASSERT_GE(invitation->links_size(), 1);
  const auto link = account::parse_link(invitation->links(0));
  ASSERT_TRUE(link) << link.error().message;

  const net::IdentityKey phone_key = net::IdentityKey::generate();
  std::string phone_digits;
  std::optional<Result<account::Account>> paired;
  loop_.spawn([](HubTest& self, const net::IdentityKey& key, account::PairingLink to, std::string& digits,
                 std::optional<Result<account::Account>>& out) -> Async<void> {
    out = co_await account::pair(self.loop_, self.workers_, to, key, "phone", false,
                                 [&](const std::string& text) { digits = text; });
  }(*this, phone_key, *link, phone_digits, paired));
  v1::ListDevicesReply devices;
  for (int i = 0; i < 100 && devices.pending_size() == 0; ++i) {
    devices = *call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  }
  ASSERT_EQ(devices.pending_size(), 1);
  EXPECT_EQ(devices.pending(0).digits(), phone_digits);

  v1::AllowRequest allow;
  allow.set_pairing_id(devices.pending(0).pairing_id());
  allow.set_allow(true);
  ASSERT_TRUE(call<v1::AllowReply>("hearth.v1.DeviceService/Allow", allow));
  for (int i = 0; i < 100 && !paired; ++i) loop_.run_until_done(net::sleep_for(milliseconds(20)));
  ASSERT_TRUE(paired);
  ASSERT_TRUE(*paired) << paired->error().message;

  account::Session phone(loop_, workers_, **paired, phone_key);
  EXPECT_TRUE(loop_.run_until_done(phone.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest())));
  const auto forbidden = loop_.run_until_done(phone.call<v1::InviteReply>("hearth.v1.DeviceService/Invite", wanted));
  EXPECT_EQ(forbidden.error().code, Code::kPermissionDenied);

  v1::RevokeRequest revoke;
  revoke.set_device_id((*paired)->device.value);
  ASSERT_TRUE(call<v1::RevokeReply>("hearth.v1.DeviceService/Revoke", revoke));
  const auto after =
      loop_.run_until_done(phone.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest()));
  EXPECT_EQ(after.error().code, Code::kUnauthenticated);
}

TEST_F(HubTest, TheOwnersLastDeviceStays) {
  v1::RevokeRequest revoke;
  revoke.set_device_id(hub_->local_device(owner_key_.public_key_spki()).value);
  EXPECT_EQ(call<v1::RevokeReply>("hearth.v1.DeviceService/Revoke", revoke).error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace hearth::hub
