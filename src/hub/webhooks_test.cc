// Webhooks in a hub: who is told of what, how it is signed, what is kept and for how long.
#include "hub/webhooks.h"

#include <deque>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/bytes.h"
#include "hearth/v1/events.pb.h"
#include "hearth/v1/webhooks.pb.h"
#include "hub/hub_test_world.h"
#include "net/connect_codec.h"
#include "store/store.h"

namespace hearth::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HubWebhookTest : public HubTest {
 public:
  HubWebhookTest() {
    post_ = [this](WebhookMessage message) -> net::Async<Result<unsigned>> {
      sent_.push_back(std::move(message));
      if (answers_.empty()) co_return 200U;
      const Result<unsigned> answer = answers_.front();
      answers_.pop_front();
      co_return answer;
    };
  }

 protected:
  static v1::AddWebhookRequest request_of(const std::string& url, std::vector<std::string> events = {}) {
    v1::AddWebhookRequest request;
    request.set_url(url);
    for (std::string& event : events) request.add_events(std::move(event));
    return request;
  }
  Result<v1::AddWebhookReply> add(const v1::AddWebhookRequest& request) {
    return call<v1::AddWebhookReply>("hearth.v1.WebhookService/Add", request);
  }
  std::vector<v1::Webhook> listed() {
    const auto reply = call<v1::ListWebhooksReply>("hearth.v1.WebhookService/List", v1::ListWebhooksRequest());
    EXPECT_TRUE(reply) << reply.error().message;
    return {reply->webhooks().begin(), reply->webhooks().end()};
  }
  bool await(const std::function<bool()>& condition) {
    for (int i = 0; i < 3'000 && !condition(); ++i) loop_.run_until_done(net::sleep_for(milliseconds(10)));
    return condition();
  }
  // Cancels it, so that it ends.
  void end(std::uint64_t job) {
    v1::CancelRequest request;
    request.set_job_id(job);
    EXPECT_TRUE(call<v1::CancelReply>("hearth.v1.JobService/Cancel", request));
  }
  // What the messages to a URL were about: "job.ended 7".
  std::vector<std::string> told(const std::string& url) {
    std::vector<std::string> texts;
    for (const WebhookMessage& message : sent_) {
      if (message.url.text() != url) continue;
      v1::Event event;
      EXPECT_TRUE(net::decode_message(net::Codec::kJson, message.body, event)) << message.body;
      texts.push_back(event.type() + " " + std::to_string(event.data().job_id()));
    }
    return texts;
  }
  // As if the calendar had gone on.
  void age(Duration span) {
    stop();
    {
      const Result<std::unique_ptr<store::Store>> store = store::open_sqlite(directory_ / "pool.db");
      ASSERT_TRUE(store) << store.error().message;
      store::Batch batch;
      batch.deliveries = *(*store)->load_deliveries();
      for (store::DeliveryRow& row : batch.deliveries) {
        row.made.unix_millis -= span.micros / 1'000;
        row.next.unix_millis -= span.micros / 1'000;
      }
      ASSERT_TRUE((*store)->commit(batch));
    }
    start();
  }

  std::vector<WebhookMessage> sent_;
  std::deque<Result<unsigned>> answers_;
};

TEST_F(HubWebhookTest, SignsAsStandardWebhooksDoes) {
  // The example of the specification's own libraries.
  const std::string secret = *from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  EXPECT_EQ(webhook_signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_EQ(webhook_secret_text(secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

  const auto added = add(request_of("https://a.example/hook"));
  ASSERT_TRUE(added) << added.error().message;
  ASSERT_TRUE(added->secret().starts_with("whsec_"));
  const auto job = submit(1);
  end(job->job_id());
  ASSERT_TRUE(await([&] { return sent_.size() == 1; }));
  const WebhookMessage& message = sent_.front();
  EXPECT_EQ(message.headers.get("webhook-signature"),
            webhook_signature(*from_base64(added->secret().substr(6)), std::string(message.headers.get("webhook-id")),
                              std::string(message.headers.get("webhook-timestamp")), message.body));
  EXPECT_EQ(message.headers.get("content-type"), "application/json");
  EXPECT_THAT(message.body, HasSubstr(R"({"type":"job.ended","timestamp":")"));
  EXPECT_THAT(message.body, HasSubstr(R"("state":"JOB_STATE_CANCELLED")"));
  EXPECT_THAT(message.body, HasSubstr(R"("pool":"test","job_id":"1","job":"true","owner":"laptop")"));
  EXPECT_THAT(message.body, HasSubstr(R"("cancelled":1)"));
}

TEST_F(HubWebhookTest, TellsOfWhatItWasAskedForAndNoMore) {
  ASSERT_TRUE(add(
      request_of("https://all.example/", {"job.queued", "job.started", "job.ended", "task.failed", "task.requeued"})));
  v1::AddWebhookRequest named = request_of("https://named.example/", {"job.queued"});
  named.set_name_pattern("night-*");
  ASSERT_TRUE(add(named));
  auto node = open_node();
  v1::JobSpec spec;
  spec.set_retries(1);
  const auto job = submit(1, std::string(16, 'a'), spec);
  v1::Outcome failed;
  failed.set_reason(v1::FAILURE_REASON_EXIT_CODE);
  failed.set_exit_code(3);
  for (int attempt = 0; attempt < 2; ++attempt) finish(*node, read_assignments(*node, 1), failed);
  EXPECT_TRUE(await([&] { return told("https://all.example/").size() == 5; }));
  std::vector<std::string> expected;
  for (const char* type : {"job.queued", "job.started", "task.requeued", "task.failed", "job.ended"}) {
    expected.push_back(std::string(type) + " " + std::to_string(job->job_id()));
  }
  EXPECT_THAT(told("https://all.example/"), testing::UnorderedElementsAreArray(expected));
  for (const WebhookMessage& message : sent_) {
    const bool is_end = message.body.contains("job.ended");
    if (is_end || message.body.contains("task.failed")) EXPECT_THAT(message.body, HasSubstr(R"("exit_code":3)"));
    if (is_end)
      EXPECT_THAT(message.body, HasSubstr(R"("state":"JOB_STATE_FAILED","tasks":1,"succeeded":0,"failed":1)"));
    if (message.body.contains("task.failed")) {
      EXPECT_THAT(message.body, HasSubstr(R"("attempts":2,"node":"pc")"));
      EXPECT_THAT(message.body, HasSubstr(R"("task":0)"));
    }
  }
  v1::JobSpec night;
  night.set_name("night-7");
  ASSERT_TRUE(submit(1, std::string(16, 'b'), night));
  EXPECT_TRUE(await([&] { return !told("https://named.example/").empty(); }));
  EXPECT_EQ(told("https://named.example/").size(), 1U);
}

TEST_F(HubWebhookTest, WhatIsNotTakenIsSentAgainUnderTheSameIdAlsoAfterARestart) {
  ASSERT_TRUE(add(request_of("https://a.example/hook")));
  answers_ = {Result<unsigned>(500U), fail(Code::kUnavailable, "nobody is there")};
  end(submit(1)->job_id());
  ASSERT_TRUE(await([&] { return sent_.size() == 1; }));
  ASSERT_TRUE(await([&] { return listed().front().last_trouble() == "it answered with status 500"; }));
  EXPECT_EQ(listed().front().waiting(), 1U);
  age(seconds(10));
  ASSERT_TRUE(await([&] { return sent_.size() == 2; }));
  ASSERT_TRUE(await([&] { return listed().front().last_trouble() == "nobody is there"; }));
  age(seconds(20));
  ASSERT_TRUE(await([&] { return listed().front().delivered() == 1; }));
  EXPECT_EQ(listed().front().waiting(), 0U);
  ASSERT_EQ(sent_.size(), 3U);
  for (const WebhookMessage& message : sent_) {
    EXPECT_EQ(message.headers.get("webhook-id"), sent_.front().headers.get("webhook-id"));
    EXPECT_EQ(message.body, sent_.front().body);
  }
}

TEST_F(HubWebhookTest, IsGivenUpAfterADayOrWhenTheReceiverWantsNoMore) {
  ASSERT_TRUE(add(request_of("https://a.example/hook")));
  answers_ = {Result<unsigned>(503U), Result<unsigned>(503U), Result<unsigned>(410U)};
  end(submit(1)->job_id());
  ASSERT_TRUE(await([&] { return listed().front().last_trouble().contains("503"); }));
  age(minutes(24 * 60));
  ASSERT_TRUE(await([&] { return listed().front().given_up() == 1; }));
  EXPECT_EQ(listed().front().waiting(), 0U);
  end(submit(1, std::string(16, 'b'))->job_id());
  ASSERT_TRUE(await([&] { return listed().front().given_up() == 2; }));
  EXPECT_EQ(sent_.size(), 3U);
}

TEST_F(HubWebhookTest, OfOneJobItGoesOnceTheJobsEndWasTaken) {
  const std::uint64_t job = submit(1)->job_id();
  v1::AddWebhookRequest request = request_of("https://a.example/hook");
  request.set_job_id(job);
  ASSERT_TRUE(add(request));
  end(submit(1, std::string(16, 'b'))->job_id());
  end(job);
  EXPECT_TRUE(await([&] { return listed().empty(); }));
  EXPECT_THAT(told("https://a.example/hook"), ElementsAre("job.ended " + std::to_string(job)));
  // One that has ended is told of at once.
  ASSERT_TRUE(add(request));
  EXPECT_TRUE(await([&] { return listed().empty(); }));
  EXPECT_EQ(sent_.size(), 2U);
  request.set_job_id(99);
  const auto absent = add(request);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kNotFound);
}

TEST_F(HubWebhookTest, AFriendsIsToldOfItsOwnJobsAndEndsWithIt) {
  const std::unique_ptr<PairedDevice> ann = pair("ann", v1::RING_FRIEND);
  const std::string url = "https://ann.example/";
  ASSERT_TRUE(call_as<v1::AddWebhookReply>(*ann, "hearth.v1.WebhookService/Add", request_of(url, {"job.queued"})));
  const std::uint64_t owners = submit(1)->job_id();
  v1::AddWebhookRequest spying = request_of(url);
  spying.set_job_id(owners);
  const auto refused = call_as<v1::AddWebhookReply>(*ann, "hearth.v1.WebhookService/Add", spying);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  v1::SubmitRequest own;
  own.mutable_spec()->add_argv("/usr/bin/true");
  own.mutable_spec()->set_tasks(1);
  own.set_request_id(std::string(16, 'o'));
  const auto anns = call_as<v1::SubmitReply>(*ann, "hearth.v1.JobService/Submit", own);
  ASSERT_TRUE(anns) << anns.error().message;
  ASSERT_TRUE(await([&] { return !told(url).empty(); }));
  EXPECT_THAT(told(url), ElementsAre("job.queued " + std::to_string(anns->job_id())));

  ASSERT_TRUE(add(request_of("https://owner.example/")));
  const auto anns_list =
      call_as<v1::ListWebhooksReply>(*ann, "hearth.v1.WebhookService/List", v1::ListWebhooksRequest());
  ASSERT_EQ(anns_list->webhooks_size(), 1) << "a URL may be a secret";
  v1::RemoveWebhookRequest removal;
  removal.set_webhook_id(listed().back().id());
  const auto removed = call_as<v1::RemoveWebhookReply>(*ann, "hearth.v1.WebhookService/Remove", removal);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kNotFound);
  v1::AddWebhookRequest inward = request_of("http://127.0.0.1/");
  EXPECT_THAT(add(inward).error().message, HasSubstr("127.0.0.1 is a private address"));
  inward.set_may_be_private(true);
  const auto denied = call_as<v1::AddWebhookReply>(*ann, "hearth.v1.WebhookService/Add", inward);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);

  // Revoked while a message waits.
  answers_ = {Result<unsigned>(500U)};
  own.set_request_id(std::string(16, 'p'));
  ASSERT_TRUE(call_as<v1::SubmitReply>(*ann, "hearth.v1.JobService/Submit", own));
  ASSERT_TRUE(await([&] { return listed().front().last_trouble().contains("500"); }));
  v1::RevokeRequest revoke;
  revoke.set_device_id(ann->account->device.value);
  ASSERT_TRUE(call<v1::RevokeReply>("hearth.v1.DeviceService/Revoke", revoke));
  EXPECT_TRUE(await([&] { return listed().size() == 1; }));
  EXPECT_EQ(listed().front().url(), "https://owner.example/");
}

TEST_F(HubWebhookTest, RefusesWhatItCannotSendTo) {
  for (const auto& [request, what] :
       {std::pair{request_of("ftp://a.example/"), "https://"}, std::pair{request_of(""), "https://"},
        std::pair{request_of("https://a.example/", {"job.done"}), "job.done"}}) {
    const auto refused = add(request);
    ASSERT_FALSE(refused) << request.url();
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr(what));
  }
  v1::AddWebhookRequest weak = request_of("https://a.example/");
  weak.set_secret("short");
  EXPECT_FALSE(add(weak));
  EXPECT_THAT(listed(), IsEmpty());
  for (std::size_t i = 0; i < Webhooks::kMostOfDevice; ++i) ASSERT_TRUE(add(request_of("https://a.example/")));
  const auto full = add(request_of("https://a.example/"));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kResourceExhausted);
}

TEST_F(HubWebhookTest, KeepsNoMoreMessagesThanItMay) {
  ASSERT_TRUE(add(request_of("https://a.example/", {"job.queued"})));
  answers_.assign(100'000, Result<unsigned>(500U));
  for (std::size_t made = 0; made < Webhooks::kMostWaiting + 100; ++made) {
    ASSERT_TRUE(submit(1, fmt::format("{:016}", made)));
  }
  EXPECT_TRUE(await([&] { return listed().front().given_up() >= 99; })) << listed().front().ShortDebugString();
  EXPECT_LE(listed().front().waiting(), Webhooks::kMostWaiting);
  EXPECT_THAT(listed().front().last_trouble(), testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace hearth::hub
