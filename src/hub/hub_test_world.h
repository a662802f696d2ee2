// A hub in this process as its clients see it: an owner's device, a node that is a few lines of WebSocket, and devices
// that pair.
#pragma once

#include <google/protobuf/util/delimited_message_util.h>

#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "account/account.h"
#include "base/sizes.h"
#include "blob/transfer.h"
#include "hearth/v1/devices.pb.h"
#include "hearth/v1/environments.pb.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/nodes.pb.h"
#include "hearth/v1/session.pb.h"
#include "hub/hub.h"

namespace hearth::hub {

// A device that paired.
struct PairedDevice {
  net::IdentityKey key = net::IdentityKey::generate();
  std::optional<account::Account> account;
  std::unique_ptr<account::Session> session;
};

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
    options.post = post_;
    options.refusal_of_host = [](std::string_view host) { return host == "127.0.0.1" ? "a private address" : ""; };
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

  std::unique_ptr<PairedDevice> pair(const std::string& name, v1::Ring ring, bool as_node = false) {
    v1::InviteRequest wanted;
    wanted.set_role(v1::ROLE_MEMBER);
    wanted.set_ring(ring);
    const auto invitation = call<v1::InviteReply>("hearth.v1.DeviceService/Invite", wanted);
    EXPECT_TRUE(invitation) << invitation.error().message;
    auto device = std::make_unique<PairedDevice>();
    bool done = false;
    loop_.spawn([](HubTest& self, PairedDevice& in, account::PairingLink to, std::string called, bool node,
                   bool& over) -> net::Async<void> {
      auto paired = co_await account::pair(self.loop_, self.workers_, to, in.key, called, node, [](const auto&) {});
      EXPECT_TRUE(paired) << paired.error().message;
      if (paired) in.account = *paired;
      over = true;
    }(*this, *device, *account::parse_link(invitation->links(0)), name, as_node, done));
    while (!done && !HasFailure()) {
      const auto list = call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
      for (const v1::PendingPairing& pending : list->pending()) {
        v1::AllowRequest allow;
        allow.set_pairing_id(pending.pairing_id());
        allow.set_allow(true);
        EXPECT_TRUE(call<v1::AllowReply>("hearth.v1.DeviceService/Allow", allow));
      }
      loop_.run_until_done(net::sleep_for(milliseconds(10)));
    }
    open(*device);
    return device;
  }
  // Its session; again after a restart of the hub.
  void open(PairedDevice& device) {
    device.account->endpoint.port = hub_->port();
    device.session = std::make_unique<account::Session>(loop_, workers_, *device.account, device.key);
  }

  template <class Reply>
  Result<Reply> call_as(PairedDevice& device, std::string_view method, const google::protobuf::Message& request) {
    return loop_.run_until_done(device.session->call<Reply>(method, request));
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
    return open_node(*node_, held);
  }
  std::unique_ptr<net::WebSocket> open_node(account::Session& node, const std::vector<v1::AttemptId>& held = {}) {
    return loop_.run_until_done(
        [](account::Session& self, std::vector<v1::AttemptId> holds) -> net::Async<std::unique_ptr<net::WebSocket>> {
          Result<std::string> token = co_await self.token();
          EXPECT_TRUE(token);
          net::Headers headers;
          headers.add("Authorization", "Bearer " + *token);
          auto socket = co_await self.client().websocket("/session", headers, "hearth-node.1", kMiB);
          EXPECT_TRUE(socket) << socket.error().message;
          v1::NodeFrame hello;
          hello.mutable_hello()->mutable_offered()->set_cores(4);
          hello.mutable_hello()->mutable_offered()->set_memory_bytes(8 * kGiB);
          for (const v1::Ring ring : {v1::RING_HOME, v1::RING_FRIEND}) {
            v1::Admission& one = *hello.mutable_hello()->add_admits();
            one.set_ring(ring);
            one.set_host_files(true);
          }
          for (const v1::AttemptId& attempt : holds) *hello.mutable_hello()->add_held() = attempt;
          EXPECT_TRUE(co_await (*socket)->write(hello.SerializeAsString()));
          co_return std::move(*socket);
        }(node, held));
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

  void write(net::WebSocket& socket, const v1::NodeFrame& frame) {
    EXPECT_TRUE(loop_.run_until_done(socket.write(frame.SerializeAsString())));
  }

  // A record of a log as it travels.
  static std::string delimited(const std::string& text) {
    v1::LogRecord record;
    record.set_stream(v1::LOG_STREAM_STDOUT);
    record.set_data(text);
    std::ostringstream stream;
    google::protobuf::util::SerializeDelimitedToOstream(record, &stream);
    return stream.str();
  }
  // Takes what the job's tasks print into `seen`, which lives as long as this, until `ended`.
  void follow(std::uint64_t id, std::string& seen, bool& ended) {
    v1::LogsRequest request;
    request.set_job_id(id);
    request.set_follow(true);
    loop_.spawn([](HubTest& self, v1::LogsRequest wanted, std::string& text, bool& over) -> net::Async<void> {
      Result<std::string> token = co_await self.owner_->token();
      EXPECT_TRUE(token);
      const auto take = [&](const v1::LogsReply& reply) -> net::Async<Result<void>> {
        for (const v1::LogRecord& record : reply.records()) text += record.data();
        co_return Result<void>();
      };
      Result<void> done = co_await net::call_stream<v1::LogsReply>(self.owner_->client(), "hearth.v1.JobService/Logs",
                                                                   *token, wanted, take);
      EXPECT_TRUE(done) << done.error().message;
      over = true;
    }(*this, request, seen, ended));
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
  std::function<net::Async<Result<unsigned>>(WebhookMessage)> post_;  // to webhooks' receivers
  net::Loop loop_;
  net::Workers workers_{2};
  net::IdentityKey owner_key_ = net::IdentityKey::generate();
  net::IdentityKey node_key_ = net::IdentityKey::generate();
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<account::Session> owner_;
  std::unique_ptr<account::Session> node_;
};

}  // namespace hearth::hub
