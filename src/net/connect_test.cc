#include "net/connect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sizes.h"
#include "hearth/v1/devices.pb.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/pairing.pb.h"
#include "net/connect_codec.h"
#include "net/fake_transport.h"

namespace hearth::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kLimit = 256 * kKiB;

// A dispatcher with one method of each kind. The bearer token names the caller: "node", "member", "fresh", "owner",
// "leaving" (which is shut out once its head has come).
class ConnectTest : public testing::Test {
 protected:
  ConnectTest()
      : dispatcher([this](const RequestHead& head, const std::string&) { return authorize(head); },
                   [this](const Caller& caller, Cuttable&, bool begins) {
                     registered.push_back((begins ? "begin " : "end ") + caller.device_name);
                   },
                   kLimit),
        client([this](Exchange& exchange) { return dispatcher.handle(exchange); }) {
    dispatcher.unary<v1::NonceRequest, v1::NonceReply>(
        "hearth.v1.PairingService.Nonce", [this](const v1::NonceRequest&, Caller& caller) { return nonce(caller); });
    dispatcher.unary<v1::GetJobRequest, v1::GetJobReply>(
        "hearth.v1.JobService.Get",
        [this](const v1::GetJobRequest& request, Caller& caller) { return get(request, caller); });
    dispatcher.unary<v1::SubmitRequest, v1::SubmitReply>(
        "hearth.v1.JobService.Submit", [](const v1::SubmitRequest&, Caller&) -> Async<Result<v1::SubmitReply>> {
          v1::SubmitReply reply;
          reply.set_job_id(12345678901234567ULL);
          co_return reply;
        });
    dispatcher.unary<v1::InviteRequest, v1::InviteReply>(
        "hearth.v1.DeviceService.Invite",
        [](const v1::InviteRequest&, Caller&) -> Async<Result<v1::InviteReply>> { co_return v1::InviteReply(); });
    dispatcher.streaming<v1::LogsRequest, v1::LogsReply>(
        "hearth.v1.JobService.Logs",
        [this](const v1::LogsRequest& request, Caller&, ReplyStream& stream) { return logs(request, stream); });
  }

  Result<Caller> authorize(const RequestHead& head) {
    const std::string_view bearer = head.headers.get("authorization");
    Caller caller;
    caller.device_name = "phone";
    if (bearer == "Bearer node") caller.level = AccessLevel::kNode;
    if (bearer == "Bearer member" || bearer == "Bearer fresh") caller.level = AccessLevel::kMember;
    if (bearer == "Bearer leaving" && leaving++ == 0) caller.level = AccessLevel::kMember;
    if (bearer == "Bearer owner") caller.level = AccessLevel::kOwner;
    caller.freshly_proved = bearer == "Bearer fresh";
    if (caller.level == AccessLevel::kOpen) return fail(Code::kUnauthenticated, "no session");
    return caller;
  }

  Async<Result<v1::NonceReply>> nonce(Caller& caller) {
    last_caller = caller;
    caller.reply_headers->add("set-cookie", "a=b");
    v1::NonceReply reply;
    reply.set_pool_name("kitchen");
    co_return reply;
  }

  Async<Result<v1::GetJobReply>> get(const v1::GetJobRequest& request, Caller& caller) {
    last_caller = caller;
    if (handler_takes) co_await sleep_for(*handler_takes);
    if (request.job_id() == 404) co_return fail(Code::kNotFound, "no job \"404\"\n");
    v1::GetJobReply reply;
    reply.mutable_job()->set_id(request.job_id());
    co_return reply;
  }

  // `first_task`... of tasks(0) messages; tasks(1) set: then an error.
  Async<Result<void>> logs(const v1::LogsRequest& request, ReplyStream& stream) {
    for (std::uint32_t i = 0; i < request.tasks(0); ++i) {
      if (handler_takes) co_await sleep_for(*handler_takes);
      v1::LogsReply reply;
      reply.set_task(i);
      if (Result<void> sent = co_await stream.send(reply); !sent) {
        send_error = sent.error();
        co_return sent;
      }
    }
    if (request.tasks_size() > 1) co_return fail(Code::kAborted, "stopped");
    co_return Result<void>();
  }

  FakeExchange post(const std::string& path, const std::string& type, std::string body,
                    const std::vector<std::pair<std::string, std::string>>& fields = {
                        {"authorization", "Bearer member"}}) {
    RequestHead head;
    head.method = "POST";
    head.path = path;
    if (!type.empty()) head.headers.add("Content-Type", type);
    for (const auto& [name, value] : fields) head.headers.add(name, value);
    return {std::move(head), std::move(body)};
  }

  FakeExchange handled(FakeExchange exchange) {
    loop.run_until_done(dispatcher.handle(exchange));
    return exchange;
  }

  // A unary JSON call.
  FakeExchange json(const std::string& path, std::string body,
                    std::vector<std::pair<std::string, std::string>> fields = {{"authorization", "Bearer member"}}) {
    return handled(post(path, "application/json", std::move(body), std::move(fields)));
  }

  static std::string envelope(std::string_view message, std::uint8_t flags = 0) {
    std::string out;
    append_envelope(out, flags, message);
    return out;
  }

  static std::vector<Envelope> envelopes(const std::string& body) {
    std::vector<Envelope> all;
    EnvelopeReader reader(kLimit);
    reader.feed(body);
    for (;;) {
      auto next = reader.next();
      if (!next.has_value() || !next->has_value()) break;
      all.push_back(**next);
    }
    EXPECT_FALSE(reader.in_the_middle());
    return all;
  }

  static v1::LogsRequest logs_request(std::initializer_list<std::uint32_t> tasks) {
    v1::LogsRequest request;
    for (std::uint32_t task : tasks) request.add_tasks(task);
    return request;
  }

  Loop loop;
  std::vector<std::string> registered;
  int leaving = 0;  // how often that one was looked at
  Caller last_caller;
  std::optional<Error> send_error;
  std::optional<Duration> handler_takes;
  Dispatcher dispatcher;
  FakeClient client;
};

const std::string kGet = "/hearth.v1.JobService/Get";
const std::string kLogs = "/hearth.v1.JobService/Logs";

TEST_F(ConnectTest, WhoIsShutOutBeforeTheBodyHasComeIsRefused) {
  EXPECT_EQ(json("/hearth.v1.JobService/Get", R"({"jobId": "1"})", {{"authorization", "Bearer leaving"}}).answer.status,
            401U);
  EXPECT_EQ(last_caller.device_name, "");
  leaving = 0;
  v1::LogsRequest request;
  request.add_tasks(1);
  const FakeExchange stream =
      handled(post("/hearth.v1.JobService/Logs", "application/connect+proto", envelope(request.SerializeAsString()),
                   {{"authorization", "Bearer leaving"}}));
  EXPECT_TRUE(stream.answer.body.contains("no session")) << stream.answer.body;
  EXPECT_TRUE(registered.empty());
}

TEST_F(ConnectTest, AnswersJsonWithCanonicalJson) {
  const FakeExchange exchange =
      json("/hearth.v1.JobService/Submit", R"({"spec":{"argv":["a"]},"fieldOfTheFuture":[{}]})",
           {{"authorization", "Bearer fresh"}});
  EXPECT_EQ(exchange.answer.status, 200U);
  EXPECT_EQ(exchange.answer.headers.get("content-type"), "application/json");
  EXPECT_EQ(exchange.answer.headers.get("cache-control"), "no-store");
  EXPECT_EQ(exchange.answer.body, R"({"jobId":"12345678901234567"})");
}

TEST_F(ConnectTest, TakesTypesWithParametersInAnyCase) {
  const FakeExchange exchange = handled(post(kGet, "Application/JSON; charset=utf-8", "{}"));
  EXPECT_EQ(exchange.answer.status, 200U);
}

TEST_F(ConnectTest, AnswersProtobufWithProtobuf) {
  v1::GetJobRequest request;
  request.set_job_id(7);
  const FakeExchange exchange = handled(post(kGet, "application/proto", request.SerializeAsString()));
  EXPECT_EQ(exchange.answer.status, 200U);
  EXPECT_EQ(exchange.answer.headers.get("content-type"), "application/proto");
  v1::GetJobReply reply;
  ASSERT_TRUE(reply.ParseFromString(exchange.answer.body));
  EXPECT_EQ(reply.job().id(), 7U);
}

TEST_F(ConnectTest, SaysErrorsInJsonWithTheirStatus) {
  const FakeExchange exchange = json(kGet, R"({"jobId":"404"})");
  EXPECT_EQ(exchange.answer.status, 404U);
  EXPECT_EQ(exchange.answer.headers.get("content-type"), "application/json");
  EXPECT_EQ(exchange.answer.headers.get("cache-control"), "no-store");
  EXPECT_EQ(exchange.answer.body, R"({"code":"not_found","message":"no job \"404\"\u000a"})");
}

TEST_F(ConnectTest, KnowsNoOtherMethods) {
  for (const char* path : {"/hearth.v1.JobService/Nothing", "/hearth.v1.JobService/get", "/hearth.v1.JobService/Why",
                           "/hearth.v1.JobService/", "/"}) {
    const FakeExchange exchange = json(path, "{}");
    EXPECT_EQ(exchange.answer.status, 404U) << path;
    EXPECT_THAT(exchange.answer.body, HasSubstr(R"("code":"unimplemented")"));
    EXPECT_FALSE(exchange.body_read);
  }
}

TEST_F(ConnectTest, TellsHowEachCallEnded) {
  std::vector<std::string> told;
  dispatcher.observe([&](const AnsweredCall& call) {
    told.push_back(std::string(call.method) + (call.streamed ? " streamed " : " ") +
                   std::string(call.error ? code_name(*call.error) : "ok"));
  });
  json(kGet, "{}");
  json(kGet, R"({"jobId":"404"})");
  json(kGet, "{}", {});
  handled(post(kGet, "text/plain", "{}"));
  json("/hearth.v1.JobService/Nothing", "{}");
  handled(post(kLogs, "application/connect+proto", envelope(logs_request({1}).SerializeAsString())));
  handled(post(kLogs, "application/connect+proto", envelope(logs_request({1, 1}).SerializeAsString())));
  EXPECT_THAT(told, ElementsAre("hearth.v1.JobService.Get ok", "hearth.v1.JobService.Get not_found",
                                "hearth.v1.JobService.Get unauthenticated", "hearth.v1.JobService.Get unknown",
                                " unimplemented", "hearth.v1.JobService.Logs streamed ok",
                                "hearth.v1.JobService.Logs streamed aborted"));
}

TEST_F(ConnectTest, IsPostOnly) {
  RequestHead head;
  head.method = "GET";
  head.path = kGet;
  const FakeExchange exchange = handled({std::move(head), ""});
  EXPECT_EQ(exchange.answer.status, 405U);
  EXPECT_EQ(exchange.answer.headers.get("allow"), "POST");
}

TEST_F(ConnectTest, RefusesOtherCodecsWith415) {
  for (const char* type : {"", "text/plain", "application/connect+json", "application/grpc", "application/jsonx"}) {
    const FakeExchange exchange = handled(post(kGet, type, "{}"));
    EXPECT_EQ(exchange.answer.status, 415U) << type;
    EXPECT_THAT(std::string(exchange.answer.headers.get("accept-post")), HasSubstr("application/json"));
  }
  EXPECT_EQ(handled(post(kLogs, "application/json", "{}")).answer.status, 415U);
}

TEST_F(ConnectTest, ReadsNothingOfWhomItDoesNotKnow) {
  const FakeExchange exchange = json(kGet, "{", {});
  EXPECT_EQ(exchange.answer.status, 401U);
  EXPECT_THAT(exchange.answer.body, HasSubstr("unauthenticated"));
  EXPECT_FALSE(exchange.body_read);
}

TEST_F(ConnectTest, AdmitsWhomTheSchemaAdmits) {
  const auto status = [this](const char* path, const char* bearer) {
    const FakeExchange exchange = json(path, "{}", {{"authorization", bearer}});
    EXPECT_EQ(exchange.body_read, exchange.answer.status == 200U) << path << bearer;
    return exchange.answer.status;
  };
  EXPECT_EQ(status("/hearth.v1.PairingService/Nonce", ""), 200U);
  EXPECT_EQ(status(kGet.c_str(), "Bearer node"), 403U);
  EXPECT_EQ(status(kGet.c_str(), "Bearer member"), 200U);
  EXPECT_EQ(status(kGet.c_str(), "Bearer owner"), 200U);
  EXPECT_EQ(status("/hearth.v1.DeviceService/Invite", "Bearer fresh"), 403U);
}

TEST_F(ConnectTest, AsksForAFreshProofWhereTheSchemaDoes) {
  const FakeExchange exchange = json("/hearth.v1.JobService/Submit", "{}");
  EXPECT_EQ(exchange.answer.status, 401U);
  EXPECT_EQ(exchange.answer.body, R"({"code":"unauthenticated","message":"prove the device's key again"})");
  EXPECT_FALSE(exchange.body_read);
  EXPECT_EQ(json("/hearth.v1.JobService/Submit", "{}", {{"authorization", "Bearer fresh"}}).answer.status, 200U);
}

TEST_F(ConnectTest, TellsTheHandlerOfAnOpenMethodTheAddressAlone) {
  const FakeExchange exchange =
      json("/hearth.v1.PairingService/Nonce", "{}", {{"authorization", "Bearer owner"}, {"Host", "pc:7443"}});
  EXPECT_EQ(last_caller.level, AccessLevel::kOpen);
  EXPECT_EQ(last_caller.address, "192.0.2.7");
  EXPECT_EQ(last_caller.host, "pc:7443");
  EXPECT_EQ(last_caller.device_name, "");
  EXPECT_EQ(exchange.answer.headers.get("set-cookie"), "a=b");
}

TEST_F(ConnectTest, RefusesMalformedMessages) {
  for (const char* body : {"", "{", "[]", "null x", R"({"jobId":"x"})", R"({"jobId":{}})", "\xff"}) {
    const FakeExchange exchange = json(kGet, body);
    EXPECT_EQ(exchange.answer.status, 400U) << body;
    EXPECT_THAT(exchange.answer.body, HasSubstr("invalid_argument")) << body;
  }
  EXPECT_EQ(handled(post(kGet, "application/proto", "\x08")).answer.status, 400U);
  EXPECT_EQ(handled(post(kGet, "application/proto", "")).answer.status, 200U);
}

TEST_F(ConnectTest, RefusesDeepNesting) {
  std::string deep = R"({"x":)";
  for (int i = 0; i < 10'000; ++i) deep += "[";
  EXPECT_EQ(json(kGet, deep).answer.status, 400U);
}

TEST_F(ConnectTest, RefusesLargeMessages) {
  EXPECT_EQ(json(kGet, std::string(kLimit + 1, ' ')).answer.status, 429U);
  const FakeExchange allowed = json(kGet, "{}" + std::string(kLimit - 2, ' '));
  EXPECT_EQ(allowed.answer.status, 200U) << allowed.answer.body;
}

TEST_F(ConnectTest, LetsStrangersSendLess) {
  const std::string body = "{}" + std::string(65'536, ' ');
  EXPECT_EQ(json("/hearth.v1.PairingService/Nonce", body).answer.status, 429U);
  EXPECT_EQ(json(kGet, body).answer.status, 200U);
}

TEST_F(ConnectTest, NamesTheEncodingThatItTakes) {
  const FakeExchange exchange = json(kGet, "{}", {{"authorization", "Bearer member"}, {"Content-Encoding", "gzip"}});
  EXPECT_EQ(exchange.answer.status, 501U);
  EXPECT_THAT(exchange.answer.body, HasSubstr("identity"));
  EXPECT_EQ(json(kGet, "{}", {{"authorization", "Bearer member"}, {"Content-Encoding", "identity"}}).answer.status,
            200U);
}

TEST_F(ConnectTest, RefusesOtherVersions) {
  EXPECT_EQ(json(kGet, "{}", {{"authorization", "Bearer member"}, {"Connect-Protocol-Version", "2"}}).answer.status,
            400U);
  EXPECT_EQ(json(kGet, "{}", {{"authorization", "Bearer member"}, {"Connect-Protocol-Version", "1"}}).answer.status,
            200U);
}

TEST_F(ConnectTest, RefusesMalformedTimeouts) {
  for (const char* timeout : {"", "0", "-1", "1.5", "12345678901", " 1", "1s"}) {
    EXPECT_EQ(json(kGet, "{}", {{"authorization", "Bearer member"}, {"Connect-Timeout-Ms", timeout}}).answer.status,
              400U)
        << timeout;
  }
  EXPECT_EQ(json(kGet, "{}", {{"authorization", "Bearer member"}, {"Connect-Timeout-Ms", "9999999999"}}).answer.status,
            200U);
}

TEST_F(ConnectTest, DropsAnAnswerThatCameTooLate) {
  handler_takes = milliseconds(5);
  const FakeExchange exchange = json(kGet, "{}", {{"authorization", "Bearer member"}, {"Connect-Timeout-Ms", "1"}});
  EXPECT_EQ(exchange.answer.status, 504U);
  EXPECT_THAT(exchange.answer.body, HasSubstr("deadline_exceeded"));
}

TEST_F(ConnectTest, StreamsInEnvelopesAndEndsWithOne) {
  const FakeExchange exchange = handled(post(kLogs, "application/connect+json", envelope(R"({"tasks":[2]})")));
  EXPECT_EQ(exchange.answer.status, 200U);
  EXPECT_EQ(exchange.answer.headers.get("content-type"), "application/connect+json");
  EXPECT_EQ(exchange.answer.headers.get("cache-control"), "no-store");
  EXPECT_TRUE(exchange.finished);
  const std::vector<Envelope> all = envelopes(exchange.answer.body);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].message, "{}");
  EXPECT_EQ(all[1].message, R"({"task":1})");
  EXPECT_EQ(all[2].flags, kEndStreamFlag);
  EXPECT_EQ(all[2].message, "{}");
  EXPECT_THAT(registered, ElementsAre("begin phone", "end phone"));
}

TEST_F(ConnectTest, SaysAStreamsErrorInItsLastEnvelope) {
  const FakeExchange exchange = handled(post(kLogs, "application/connect+json", envelope(R"({"tasks":[1,0]})")));
  EXPECT_EQ(exchange.answer.status, 200U);
  const std::vector<Envelope> all = envelopes(exchange.answer.body);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].message, R"({"error":{"code":"aborted","message":"stopped"}})");
  EXPECT_THAT(registered, ElementsAre("begin phone", "end phone"));
}

TEST_F(ConnectTest, RefusesAStreamWithStatus200AndAnEndEnvelope) {
  const std::string good = envelope("{}");
  struct Case {
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string code;
  };
  const std::pair<std::string, std::string> member = {"authorization", "Bearer member"};
  const std::vector<Case> cases = {
      {good, {}, "unauthenticated"},
      {good, {{"authorization", "Bearer node"}}, "permission_denied"},
      {good, {member, {"Connect-Content-Encoding", "gzip"}}, "unimplemented"},
      {good, {member, {"Connect-Timeout-Ms", "x"}}, "invalid_argument"},
      {"", {member}, "unimplemented"},
      {good + good, {member}, "unimplemented"},
      {good.substr(0, good.size() - 1), {member}, "invalid_argument"},
      {envelope("{}", kCompressedFlag), {member}, "invalid_argument"},
      {envelope("{}", kEndStreamFlag), {member}, "invalid_argument"},
      {envelope("{}", 0x80), {member}, "invalid_argument"},
      {envelope("{"), {member}, "invalid_argument"},
      {std::string("\0\xff\xff\xff\xff", 5), {member}, "resource_exhausted"},
  };
  for (const Case& one : cases) {
    const FakeExchange exchange = handled(post(kLogs, "application/connect+json", one.body, one.fields));
    EXPECT_EQ(exchange.answer.status, 200U);
    const std::vector<Envelope> all = envelopes(exchange.answer.body);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].flags, kEndStreamFlag);
    EXPECT_THAT(all[0].message, HasSubstr("\"" + one.code + "\""));
  }
  EXPECT_TRUE(registered.empty());
}

TEST_F(ConnectTest, EndsAStreamWhoseClientIsGone) {
  FakeExchange exchange = post(kLogs, "application/connect+json", envelope(R"({"tasks":[100]})"));
  exchange.cut_after_writes = 3;
  loop.run_until_done(dispatcher.handle(exchange));
  EXPECT_EQ(exchange.writes, 4U);
  ASSERT_TRUE(send_error);
  EXPECT_EQ(send_error->code, Code::kUnavailable);
  EXPECT_THAT(registered, ElementsAre("begin phone", "end phone"));
}

TEST_F(ConnectTest, EndsAStreamAtItsTimeout) {
  handler_takes = milliseconds(2);
  const FakeExchange exchange = handled(post(kLogs, "application/connect+json", envelope(R"({"tasks":[100000]})"),
                                             {{"authorization", "Bearer member"}, {"Connect-Timeout-Ms", "10"}}));
  EXPECT_THAT(envelopes(exchange.answer.body).back().message, HasSubstr("deadline_exceeded"));
}

TEST_F(ConnectTest, ListsItsMethods) {
  EXPECT_THAT(dispatcher.methods(),
              ElementsAre("hearth.v1.DeviceService.Invite", "hearth.v1.JobService.Get", "hearth.v1.JobService.Logs",
                          "hearth.v1.JobService.Submit", "hearth.v1.PairingService.Nonce"));
}

TEST_F(ConnectTest, KnowsACallByItsPath) {
  EXPECT_TRUE(Dispatcher::is_call("/hearth.v1.JobService/Get"));
  for (const char* path : {"", "/", "/index.html", "/blob/00ff", "/hearth.v1.JobService", "/a.b/c/d", "/a.b/c.d",
                           "a.b/c", "/a b.c/d", "/app.js/"}) {
    EXPECT_FALSE(Dispatcher::is_call(path)) << path;
  }
}

using ConnectDeathTest = ConnectTest;

TEST_F(ConnectDeathTest, TakesOnlyWhatTheSchemaDescribes) {
  const auto handler = [](const v1::GetJobRequest&, Caller&) -> Async<Result<v1::GetJobReply>> {
    co_return v1::GetJobReply();
  };
  const auto add = [&](const char* method) { dispatcher.unary<v1::GetJobRequest, v1::GetJobReply>(method, handler); };
  EXPECT_DEATH(add("hearth.v1.JobService.Get"), "added");  // twice
  EXPECT_DEATH(add("hearth.v1.JobService.Nothing"), "descriptor");
  EXPECT_DEATH(add("hearth.v1.JobService.Cancel"), "input_type");
  EXPECT_DEATH((dispatcher.unary<v1::LogsRequest, v1::LogsReply>("hearth.v1.JobService.Logs", {})), "streaming");
}

class ConnectClientTest : public ConnectTest {
 protected:
  template <class Reply>
  Result<Reply> called(const char* method, const char* bearer, const google::protobuf::Message& request) {
    return loop.run_until_done(call<Reply>(client, method, bearer, request));
  }

  Result<void> streamed(const v1::LogsRequest& request, const char* bearer = "member") {
    return loop.run_until_done(call_stream<v1::LogsReply>(client, "hearth.v1.JobService/Logs", bearer, request,
                                                          [this](const v1::LogsReply& reply) -> Async<Result<void>> {
                                                            tasks.push_back(reply.task());
                                                            if (tasks.size() == stop_after)
                                                              co_return fail(Code::kCanceled, "enough");
                                                            co_return Result<void>();
                                                          }));
  }

  // A server that answers the same to everything.
  FakeClient answering(const Response& response) {
    return FakeClient([response](Exchange& exchange) -> Async<void> { (void)co_await exchange.reply(response); });
  }

  std::vector<std::uint32_t> tasks;
  std::size_t stop_after = SIZE_MAX;
};

TEST_F(ConnectClientTest, GivesTheReply) {
  v1::GetJobRequest request;
  request.set_job_id(9);
  const auto reply = called<v1::GetJobReply>("hearth.v1.JobService/Get", "member", request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->job().id(), 9U);
  EXPECT_EQ(last_caller.host, "kitchen.local:7443");
}

TEST_F(ConnectClientTest, GivesTheServersError) {
  v1::GetJobRequest request;
  request.set_job_id(404);
  const auto reply = called<v1::GetJobReply>("hearth.v1.JobService/Get", "member", request);
  EXPECT_EQ(reply.error(), (Error{Code::kNotFound, "no job \"404\"\n"}));
  EXPECT_EQ(called<v1::GetJobReply>("hearth.v1.JobService/Get", "", request).error().code, Code::kUnauthenticated);
}

TEST_F(ConnectClientTest, JudgesOtherAnswersByTheirStatus) {
  const std::vector<std::pair<unsigned, Code>> statuses = {
      {400, Code::kInternal},      {401, Code::kUnauthenticated}, {403, Code::kPermissionDenied},
      {404, Code::kUnimplemented}, {429, Code::kUnavailable},     {502, Code::kUnavailable},
      {503, Code::kUnavailable},   {504, Code::kUnavailable},     {500, Code::kUnknown},
      {302, Code::kUnknown}};
  for (const auto& [status, code] : statuses) {
    for (const char* body : {"", "<html>", R"({"code":"none_of_the_16"})", "[]", R"({"code":5})"}) {
      FakeClient other = answering({.status = status, .headers = {}, .body = body});
      const auto unary = loop.run_until_done(call<v1::GetJobReply>(other, "a.B/C", "", v1::GetJobRequest()));
      EXPECT_EQ(unary.error().code, code) << status << body;
      const auto stream = loop.run_until_done(
          call_stream<v1::LogsReply>(other, "a.B/C", "", v1::LogsRequest(),
                                     [](const v1::LogsReply&) -> Async<Result<void>> { co_return Result<void>(); }));
      EXPECT_EQ(stream.error().code, code) << status << body;
    }
  }
}

TEST_F(ConnectClientTest, DoesNotTakeAPageForAMessage) {
  FakeClient other = answering(text_response(200, "hello"));
  EXPECT_EQ(loop.run_until_done(call<v1::GetJobReply>(other, "a.B/C", "", v1::GetJobRequest())).error().code,
            Code::kInternal);
}

TEST_F(ConnectClientTest, GivesTheErrorOfTheConnection) {
  client.connection = fail(Code::kUnavailable, "no route");
  EXPECT_EQ(called<v1::GetJobReply>("hearth.v1.JobService/Get", "", v1::GetJobRequest()).error().message, "no route");
  EXPECT_EQ(streamed(logs_request({1})).error().message, "no route");
}

TEST_F(ConnectClientTest, GivesAStreamsMessagesInOrder) {
  for (const std::size_t piece : {1U, 3U, 1000U}) {
    client.piece_bytes = piece;
    tasks.clear();
    EXPECT_TRUE(streamed(logs_request({4})));
    EXPECT_THAT(tasks, ElementsAre(0, 1, 2, 3));
  }
}

TEST_F(ConnectClientTest, GivesAStreamsError) {
  EXPECT_EQ(streamed(logs_request({2, 0})).error(), (Error{Code::kAborted, "stopped"}));
  EXPECT_THAT(tasks, ElementsAre(0, 1));
  EXPECT_EQ(streamed(logs_request({2}), "").error().code, Code::kUnauthenticated);
}

TEST_F(ConnectClientTest, StopsWhenTheSinkHasEnough) {
  stop_after = 2;
  EXPECT_EQ(streamed(logs_request({50})).error().message, "enough");
  EXPECT_EQ(tasks.size(), 2U);
}

TEST_F(ConnectClientTest, NoticesABrokenStream) {
  const std::string message = envelope(v1::LogsReply().SerializeAsString());
  const std::vector<std::pair<std::string, Code>> bodies = {
      {"", Code::kUnavailable},
      {message, Code::kUnavailable},
      {message + message.substr(0, 3), Code::kUnavailable},
      {envelope("{}", kEndStreamFlag) + message, Code::kInternal},
      {envelope("\xff\xff"), Code::kInternal},
      {envelope("[", kEndStreamFlag), Code::kInternal},
      {envelope(R"({"error":{}})", kEndStreamFlag), Code::kUnknown},
      {envelope(R"({"error":null})", kEndStreamFlag), Code::kUnknown},
  };
  for (const auto& [body, code] : bodies) {
    FakeClient other = answering({.status = 200, .headers = {}, .body = body});
    const auto stream = loop.run_until_done(
        call_stream<v1::LogsReply>(other, "a.B/C", "", v1::LogsRequest(),
                                   [](const v1::LogsReply&) -> Async<Result<void>> { co_return Result<void>(); }));
    ASSERT_FALSE(stream.has_value()) << testing::PrintToString(body);
    EXPECT_EQ(stream.error().code, code) << testing::PrintToString(body);
  }
}

TEST(ConnectCodec, GivesEveryCodeItsStatusAndName) {
  const std::vector<std::pair<Code, unsigned>> statuses = {
      {Code::kCanceled, 499},         {Code::kUnknown, 500},           {Code::kInvalidArgument, 400},
      {Code::kDeadlineExceeded, 504}, {Code::kNotFound, 404},          {Code::kAlreadyExists, 409},
      {Code::kPermissionDenied, 403}, {Code::kResourceExhausted, 429}, {Code::kFailedPrecondition, 400},
      {Code::kAborted, 409},          {Code::kOutOfRange, 400},        {Code::kUnimplemented, 501},
      {Code::kInternal, 500},         {Code::kUnavailable, 503},       {Code::kDataLoss, 500},
      {Code::kUnauthenticated, 401}};
  for (const auto& [code, status] : statuses) {
    EXPECT_EQ(http_status(code), status);
    EXPECT_EQ(parse_error(status, error_json({code, "why"})), (Error{code, "why"}));
  }
}

TEST(ConnectCodec, SaysAnythingInJson) {
  for (const char* text : {"", "\"\\/", "\n\x01\x7f", "grün", "日本"}) {
    EXPECT_EQ(parse_error(500, error_json({Code::kInternal, text})), (Error{Code::kInternal, text}));
  }
  EXPECT_EQ(parse_error(500, error_json({Code::kInternal, "a\xff"})).message, "a?");
}

}  // namespace
}  // namespace hearth::net
