#include "account/account.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "account/identity.h"
#include "base/bytes.h"
#include "base/check.h"
#include "hearth/v1/jobs.pb.h"
#include "net/fake_transport.h"

namespace hearth::account {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class AccountFile : public testing::Test {
 public:
  AccountFile() {
    std::string name = (fs::temp_directory_path() / "hearth-account-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root = name;
  }
  ~AccountFile() override { fs::remove_all(root); }

 protected:
  Result<Account> loaded(const std::string& text) {
    fs::create_directory(root / "me");
    std::ofstream(root / "me" / "account.json") << text;
    return load_account(root / "me");
  }

  static Account example() {
    return {.endpoint = {.host = "kitchen.local", .port = 7444},
            .hub_identity = std::string(32, '\xab'),
            .device = {9'007'199'254'740'993ULL},
            .pool_name = "Küche"};
  }

  fs::path root;
};

TEST_F(AccountFile, IsKeptForItsOwnerAlone) {
  const auto saved = save_account(root / "me", example());
  ASSERT_TRUE(saved.has_value()) << saved.error().message;
  struct stat status{};
  ASSERT_EQ(::stat((root / "me").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  ASSERT_EQ(::stat((root / "me" / "account.json").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(fs::directory_iterator(root / "me"), {}), 1);

  const auto account = load_account(root / "me");
  ASSERT_TRUE(account.has_value()) << account.error().message;
  EXPECT_EQ(account->endpoint, example().endpoint);
  EXPECT_EQ(account->hub_identity, example().hub_identity);
  EXPECT_EQ(account->device, example().device);
  EXPECT_EQ(account->pool_name, "Küche");
  ASSERT_TRUE(save_account(root / "me", example()));  // over the old one
  remove_account(root / "me");
  EXPECT_EQ(load_account(root / "me").error().code, Code::kNotFound);
}

TEST_F(AccountFile, KeepsWhereThePoolsOtherHubsAre) {
  Account account = example();
  account.other_hubs = {{{.host = "attic.local", .port = 7443}, std::string(32, 'a')},
                        {{.host = "fd00::1", .port = 1}, std::string(32, 'b')}};
  ASSERT_TRUE(save_account(root / "me", account));
  const auto kept = load_account(root / "me");
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(*kept, account);
  const std::string key(64, 'a');
  const std::string start =
      R"({"endpoint":"h:1","hub_identity":")" + key + R"(","device_id":1,"pool":"p","other_hubs":)";
  const std::string hub = R"({"endpoint":"h:1","hub_identity":")" + key + R"("})";
  std::string many = "[" + hub;
  for (std::size_t count = 0; count < kMaxOtherHubs; ++count) many += "," + hub;
  EXPECT_TRUE(loaded(start + "[" + hub + "]}"));
  for (const std::string& wrong : {std::string("7"), std::string("[7]"), std::string("[{}]"), many + "]",
                                   std::string(R"([{"endpoint":"h:1","hub_identity":"ab"}])")}) {
    EXPECT_EQ(loaded(start + wrong + "}").error().code, Code::kDataLoss) << wrong.substr(0, 60);
  }
}

TEST_F(AccountFile, SaysHowToPair) {
  EXPECT_EQ(load_account(root / "none").error().code, Code::kNotFound);
  EXPECT_THAT(load_account(root / "none").error().message, HasSubstr("hearth pair LINK"));
}

TEST_F(AccountFile, RefusesWhatIsDamaged) {
  const std::string key(64, 'a');
  const std::string good = R"({"endpoint":"h:1","hub_identity":")" + key + R"(","device_id":1,"pool":"p"})";
  EXPECT_TRUE(loaded(good).has_value());
  for (const std::string& text :
       {std::string(), std::string("["), std::string("[]"), std::string("{}"), good.substr(0, good.size() - 1),
        std::string(R"({"endpoint":7})"), R"({"endpoint":"h:1","hub_identity":"ab","device_id":1,"pool":"p"})" + key,
        R"({"endpoint":"h:1","hub_identity":")" + key + R"(","device_id":-1,"pool":"p"})",
        R"({"endpoint":"h:1","hub_identity":")" + key + R"(","device_id":0,"pool":"p"})",
        R"({"endpoint":"h:99999","hub_identity":")" + key + R"(","device_id":1,"pool":"p"})",
        good + std::string(70'000, ' ')}) {
    EXPECT_EQ(loaded(text).error().code, Code::kDataLoss) << text.substr(0, 100);
  }
}

const char kLink[] = "https://kitchen.local:7443/#pair=1.AAECAwQFBgcICQoLDA0ODw.AAECAwQFBgcICQ";

TEST(PairingLink, HasOneSpelling) {
  const auto link = parse_link(kLink);
  ASSERT_TRUE(link.has_value()) << link.error().message;
  EXPECT_EQ(link->endpoint, (net::Endpoint{.host = "kitchen.local", .port = 7443}));
  EXPECT_EQ(to_hex(link->secret), "000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(to_hex(link->identity_fingerprint), "00010203040506070809");
  EXPECT_EQ(format_link(*link), kLink);
  const auto v6 = parse_link("https://[fe80::1]:7443/#pair=1.AAECAwQFBgcICQoLDA0ODw.AAECAwQFBgcICQ");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->endpoint.host, "fe80::1");
}

TEST(PairingLink, RefusesAnythingElse) {
  const std::string tail = "/#pair=1.AAECAwQFBgcICQoLDA0ODw.AAECAwQFBgcICQ";
  for (const std::string& text : {std::string(),
                                  std::string("hello"),
                                  "http://h:1" + tail,
                                  "https://h" + tail,
                                  "https://h:" + tail,
                                  "https://h:0" + tail,
                                  "https://h:70000" + tail,
                                  "https://h:007443" + tail,
                                  "https://:1" + tail,
                                  "https://user@h:1" + tail,
                                  "https://h:1/x" + tail,
                                  "https://::1:7443" + tail,
                                  " https://h:1" + tail,
                                  "https://h:1" + tail + "\n",
                                  "https://h:1" + tail + "=",
                                  "https://h:1" + tail + ".x",
                                  std::string("https://h:1/#pair=2.AAECAwQFBgcICQoLDA0ODw.AAECAwQFBgcICQ"),
                                  std::string("https://h:1/#pair=1.AAECAwQFBgcICQoLDA0ODw"),
                                  std::string("https://h:1/#pair=1.AAECAwQFBgcICQoLDA0OD.AAECAwQFBgcICQ"),
                                  std::string("https://h:1/#pair=1.AAECAwQFBgcICQoLDA0ODx.AAECAwQFBgcICQ"),
                                  std::string("https://h:1/#pair=1.AAECAwQFBgcICQoLDA0ODw.AAECAwQFBgcI"),
                                  "https://" + std::string(600, 'h') + ":1" + tail}) {
    const auto link = parse_link(text);
    ASSERT_FALSE(link.has_value()) << text;
    EXPECT_EQ(link.error().code, Code::kInvalidArgument);
    EXPECT_THAT(link.error().message, Not(HasSubstr("AAECAwQF")));  // no secret in a message
  }
}

TEST(TokenLine, HasOneSpelling) {
  const std::string secret = to_base64url(std::string(32, 's'));
  const std::string identity = to_base64url(std::string(32, 'i'));
  const std::string text = "https://[fe80::1]:7443/#token=1.18446744073709551615." + secret + "." + identity;
  const auto token = parse_token(text);
  ASSERT_TRUE(token.has_value()) << token.error().message;
  EXPECT_EQ(token->endpoint, (net::Endpoint{.host = "fe80::1", .port = 7443}));
  EXPECT_EQ(token->device.value, 18446744073709551615ULL);
  EXPECT_EQ(token->secret, std::string(32, 's'));
  EXPECT_EQ(token->hub_identity, std::string(32, 'i'));
  EXPECT_EQ(format_token(*token), text);
}

TEST(TokenLine, RefusesAnythingElse) {
  const std::string head = "https://h:1/#token=1.";
  const std::string secret = to_base64url(std::string(32, 's'));
  const std::string tail = "." + secret + "." + to_base64url(std::string(32, 'i'));
  for (const std::string& text : {std::string(),
                                  std::string(kLink),
                                  "http://h:1/#token=1.7" + tail,
                                  "https://h/#token=1.7" + tail,
                                  "https://h:1/#token=2.7" + tail,
                                  head,
                                  head + "7",
                                  head + "7." + secret,
                                  head + tail,
                                  head + "0" + tail,
                                  head + "07" + tail,
                                  head + "-7" + tail,
                                  head + "x" + tail,
                                  head + "7x" + tail,
                                  head + "18446744073709551616" + tail,
                                  head + "7" + tail + "=",
                                  head + "7" + tail + "\n",
                                  head + "7" + tail + ".x",
                                  head + "7." + secret.substr(1) + "." + secret,
                                  head + "7." + secret + "." + "AAAA",
                                  "https://" + std::string(600, 'h') + ":1/#token=1.7" + tail}) {
    const auto token = parse_token(text);
    ASSERT_FALSE(token.has_value()) << text;
    EXPECT_EQ(token.error().code, Code::kInvalidArgument);
    EXPECT_THAT(token.error().message, Not(HasSubstr(secret.substr(1, 20))));  // no secret in a message
  }
}

TEST(Pairing, HasTheTranscriptOfTheProtocol) {
  const std::string transcript = pairing_transcript("IDENTITY", std::string(300, 'k'), "SERVER", "DEVICE");
  EXPECT_EQ(transcript, "hearth-pair/1IDENTITY\x01\x2c" + std::string(300, 'k') + "SERVERDEVICE");
  const std::string digits = pairing_digits("abc");  // SHA-256 ba7816bf...
  EXPECT_EQ(digits, "432319");                       // 0xba7816bf = 3128432319
}

// A hub that does what pairing.proto says, unless told to misbehave.
class HubTest : public testing::Test {
 protected:
  HubTest() : dispatcher([this](const net::RequestHead& head, const std::string&) { return authorize(head); }, {}) {
    dispatcher.unary<v1::NonceRequest, v1::NonceReply>(
        "hearth.v1.PairingService.Nonce",
        [this](const v1::NonceRequest&, net::Caller&) -> net::Async<Result<v1::NonceReply>> { co_return nonce(); });
    dispatcher.unary<v1::PairRequest, v1::PairReply>(
        "hearth.v1.PairingService.Pair",
        [this](const v1::PairRequest& request, net::Caller&) -> net::Async<Result<v1::PairReply>> {
          co_return pair_device(request);
        });
    dispatcher.unary<v1::PairStatusRequest, v1::PairStatusReply>(
        "hearth.v1.PairingService.PairStatus",
        [this](const v1::PairStatusRequest&, net::Caller&) -> net::Async<Result<v1::PairStatusReply>> {
          v1::PairStatusReply reply;
          reply.set_state(decision);
          reply.set_device_id(17);
          co_return reply;
        });
    dispatcher.unary<v1::ChallengeRequest, v1::ChallengeReply>(
        "hearth.v1.PairingService.Challenge",
        [this](const v1::ChallengeRequest&, net::Caller&) -> net::Async<Result<v1::ChallengeReply>> {
          v1::ChallengeReply reply;
          reply.set_identity_key(shown_identity);
          reply.set_challenge(std::string(32, 'c'));
          co_return reply;
        });
    dispatcher.unary<v1::ProveRequest, v1::ProveReply>(
        "hearth.v1.PairingService.Prove",
        [this](const v1::ProveRequest& request, net::Caller&) -> net::Async<Result<v1::ProveReply>> {
          co_return prove(request);
        });
    dispatcher.unary<v1::SubmitRequest, v1::SubmitReply>(
        "hearth.v1.JobService.Submit",
        [](const v1::SubmitRequest&, net::Caller&) -> net::Async<Result<v1::SubmitReply>> {
          v1::SubmitReply reply;
          reply.set_job_id(5);
          co_return reply;
        });
    link.identity_fingerprint = net::sha256(identity.public_key()).substr(0, 10);
  }

  Result<net::Caller> authorize(const net::RequestHead& head) const {
    if (head.headers.get("authorization") != "Bearer session" + std::to_string(proofs)) {
      return fail(Code::kUnauthenticated, "no session");
    }
    net::Caller caller;
    caller.level = net::AccessLevel::kOwner;
    caller.freshly_proved = proofs >= proofs_until_fresh;
    return caller;
  }

  v1::NonceReply nonce() const {
    v1::NonceReply reply;
    reply.set_server_nonce(std::string(16, 'n'));
    reply.set_identity_key(shown_identity);
    reply.set_signature(identity.sign(signed_prefix + std::string(16, 'n')));
    reply.set_pool_name("kitchen");
    return reply;
  }

  Result<v1::PairReply> pair_device(const v1::PairRequest& request) const {
    const std::string transcript =
        pairing_transcript(identity.public_key(), request.device_key(), request.server_nonce(), request.device_nonce());
    if (request.mac() != net::hmac_sha256(secret, transcript)) return fail(Code::kPermissionDenied, "wrong secret");
    EXPECT_TRUE(net::verify_signature(net::KeyKind::kEd25519, request.device_key(), transcript, request.signature()));
    EXPECT_EQ(request.name(), "laptop");
    v1::PairReply reply;
    reply.set_pairing_id(std::string(16, 'p'));
    reply.set_digits(digits_lie ? "000000" : pairing_digits(transcript));
    return reply;
  }

  Result<v1::ProveReply> prove(const v1::ProveRequest& request) {
    const std::string text = "hearth-session/1" + identity.public_key() + std::string(32, 'c');
    const bool right = request.device_id() == 17 &&
                       net::verify_signature(net::KeyKind::kEd25519, key.public_key_spki(), text, request.signature());
    if (revoked || !right) return fail(Code::kUnauthenticated, "unknown device");
    v1::ProveReply reply;
    reply.set_token(bad_token ? "a\r\nb" : "session" + std::to_string(++proofs));
    reply.set_expires_in_seconds(life_seconds);
    return reply;
  }

  std::unique_ptr<net::FakeClient> make_client() {
    auto client =
        std::make_unique<net::FakeClient>([this](net::Exchange& exchange) { return dispatcher.handle(exchange); });
    client->identity = tls_identity;
    return client;
  }

  Result<Account> paired() {
    const auto client = make_client();
    return loop.run_until_done(pair_over(loop, *client, link, key, "laptop", false,
                                         [this](const std::string& digits) { shown_digits = digits; }));
  }

  Session session() {
    const Account account{
        .endpoint = link.endpoint, .hub_identity = identity.public_key(), .device = {17}, .pool_name = ""};
    return {loop, make_client(), account, key};
  }

  net::Loop loop;
  net::IdentityKey identity = net::IdentityKey::generate();
  net::IdentityKey key = net::IdentityKey::generate();
  std::string secret = std::string(16, 's');
  PairingLink link{.endpoint = {.host = "kitchen.local", .port = 7443}, .secret = secret, .identity_fingerprint = ""};
  std::string shown_identity = identity.public_key();
  std::string tls_identity = identity.public_key();
  std::string signed_prefix = "hearth-nonce/1";
  std::string shown_digits;
  v1::PairStatusReply::State decision = v1::PairStatusReply::STATE_ALLOWED;
  bool digits_lie = false;
  bool revoked = false;
  bool bad_token = false;
  int proofs = 0;
  int proofs_until_fresh = 0;
  std::int64_t life_seconds = 900;
  net::Dispatcher dispatcher;
};

TEST_F(HubTest, Pairs) {
  const auto account = paired();
  ASSERT_TRUE(account.has_value()) << account.error().message;
  EXPECT_EQ(account->device.value, 17U);
  EXPECT_EQ(account->hub_identity, identity.public_key());
  EXPECT_EQ(account->pool_name, "kitchen");
  EXPECT_EQ(account->endpoint, link.endpoint);
  EXPECT_EQ(shown_digits.size(), 6U);
}

TEST_F(HubTest, DoesNotPairWithAnotherServer) {
  const auto refused = [this] {
    shown_digits.clear();
    const auto account = paired();
    EXPECT_TRUE(shown_digits.empty());
    return account.has_value() ? Code::kUnknown : account.error().code;
  };
  tls_identity = std::string(32, 'x');
  EXPECT_EQ(refused(), Code::kUnauthenticated);
  tls_identity = identity.public_key();
  link.identity_fingerprint[9] ^= 1;
  EXPECT_EQ(refused(), Code::kUnauthenticated);
  link.identity_fingerprint[9] ^= 1;
  signed_prefix = "hearth-nonce/2";
  EXPECT_EQ(refused(), Code::kUnauthenticated);
  signed_prefix = "hearth-nonce/1";
  digits_lie = true;
  EXPECT_EQ(refused(), Code::kUnauthenticated);
  digits_lie = false;
  shown_identity.pop_back();
  EXPECT_EQ(refused(), Code::kInternal);
}

TEST_F(HubTest, SaysThatItWasRefused) {
  decision = v1::PairStatusReply::STATE_DENIED;
  EXPECT_EQ(paired().error().code, Code::kPermissionDenied);
  link.secret[0] ^= 1;
  EXPECT_EQ(paired().error().code, Code::kPermissionDenied);
}

TEST_F(HubTest, ProvesItsKeyOnceForManyCalls) {
  Session one = session();
  for (int i = 0; i < 3; ++i) {
    const auto reply =
        loop.run_until_done(one.call<v1::SubmitReply>("hearth.v1.JobService/Submit", v1::SubmitRequest()));
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->job_id(), 5U);
  }
  EXPECT_EQ(proofs, 1);
  EXPECT_EQ(one.last_token(), "session1");
}

TEST_F(HubTest, ProvesAnewWhenTheSessionRunsOut) {
  life_seconds = 60;
  Session one = session();
  ASSERT_EQ(loop.run_until_done(one.token()), "session1");
  ASSERT_EQ(loop.run_until_done(one.token()), "session2");
  life_seconds = 900;
  ASSERT_EQ(loop.run_until_done(one.token(true)), "session3");
  ASSERT_EQ(loop.run_until_done(one.token()), "session3");
}

TEST_F(HubTest, ProvesAnewAndRepeatsWhenAsked) {
  proofs_until_fresh = 2;
  Session one = session();
  EXPECT_TRUE(loop.run_until_done(one.call<v1::SubmitReply>("hearth.v1.JobService/Submit", v1::SubmitRequest())));
  EXPECT_EQ(proofs, 2);
  proofs_until_fresh = 100;  // never content: one repetition, no more
  const auto reply = loop.run_until_done(one.call<v1::SubmitReply>("hearth.v1.JobService/Submit", v1::SubmitRequest()));
  EXPECT_EQ(reply.error().code, Code::kUnauthenticated);
  EXPECT_EQ(proofs, 3);
}

TEST_F(HubTest, SharesAProofAmongCallers) {
  Session one = session();
  int done = 0;
  for (int i = 0; i < 5; ++i) {
    loop.spawn([](Session& shared, int& count) -> net::Async<void> {
      EXPECT_EQ(co_await shared.token(), "session1");
      ++count;
    }(one, done));
  }
  loop.run_until_done([](int& count) -> net::Async<void> {
    while (count < 5) co_await net::sleep_for(Duration{});
  }(done));
  EXPECT_EQ(proofs, 1);
}

TEST_F(HubTest, SaysThatItWasRevoked) {
  revoked = true;
  Session one = session();
  const auto token = loop.run_until_done(one.token());
  EXPECT_EQ(token.error().code, Code::kUnauthenticated);
  EXPECT_THAT(token.error().message, HasSubstr("hearth pair LINK"));
}

TEST_F(HubTest, TakesNoSessionFromAnotherServerNorAMalformedOne) {
  shown_identity[0] = static_cast<char>(shown_identity[0] ^ 1);
  Session one = session();
  EXPECT_EQ(loop.run_until_done(one.token()).error().code, Code::kUnauthenticated);
  EXPECT_EQ(proofs, 0);
  shown_identity = identity.public_key();
  bad_token = true;
  EXPECT_EQ(loop.run_until_done(one.token()).error().code, Code::kInternal);
  EXPECT_EQ(one.last_token(), "");
}

}  // namespace
}  // namespace hearth::account
