// The hub as its clients see it, in this process.
#include <algorithm>

#include <gtest/gtest.h>

#include "hub/hub_test_world.h"
#include "store/journal.h"

namespace hearth::hub {
namespace {

using net::Async;

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

// Whoever were told of none would have nowhere to go when this hub is lost.
TEST_F(HubTest, AHubKnowsTheOthersBeforeItAnswersAnybody) {
  stop();
  {
    const auto journal = store::open_journal(directory_ / "pool.db");
    ASSERT_TRUE(journal) << journal.error().message;
    const store::HubRow other{.identity = std::string(32, 'o'), .name = "attic", .endpoints = "127.0.0.1:1"};
    ASSERT_TRUE((*journal)->changes().save((*journal)->changes().place(), other, false));
  }
  start();
  ASSERT_EQ(hub_->other_hubs().size(), 1U);
  EXPECT_EQ(hub_->other_hubs()[0].endpoint.text(), "127.0.0.1:1");
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

  std::string seen;
  bool ended = false;
  follow(submitted->job_id(), seen, ended);

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

TEST_F(HubTest, TheOwnersLastDeviceStaysAnOwnersThoughItPairsAnew) {
  v1::InviteRequest wanted;
  wanted.set_role(v1::ROLE_MEMBER);
  wanted.set_ring(v1::RING_HOME);
  const auto invitation = call<v1::InviteReply>("hearth.v1.DeviceService/Invite", wanted);
  ASSERT_TRUE(invitation) << invitation.error().message;
  bool over = false;
  loop_.spawn([](HubTest& self, account::PairingLink link, bool& done) -> Async<void> {
    auto paired = co_await account::pair(self.loop_, self.workers_, link, self.owner_key_, "again", false,
                                         [](const std::string&) {});
    EXPECT_FALSE(paired);
    done = true;
  }(*this, *account::parse_link(invitation->links(0)), over));
  v1::ListDevicesReply list;
  while (list.pending_size() == 0 && !HasFailure()) {
    loop_.run_until_done(net::sleep_for(milliseconds(10)));
    list = *call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  }
  v1::AllowRequest allow;
  allow.set_pairing_id(list.pending(0).pairing_id());
  allow.set_allow(true);
  EXPECT_EQ(call<v1::AllowReply>("hearth.v1.DeviceService/Allow", allow).error().code, Code::kFailedPrecondition);
  allow.set_allow(false);
  EXPECT_TRUE(call<v1::AllowReply>("hearth.v1.DeviceService/Allow", allow));
  while (!over && !HasFailure()) loop_.run_until_done(net::sleep_for(milliseconds(10)));
}

}  // namespace
}  // namespace hearth::hub
