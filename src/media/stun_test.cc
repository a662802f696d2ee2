#include "media/stun.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "media/ice.h"

namespace hearth::media {
namespace {

const Address kPhone = *parse_address("192.0.2.1", 32'853);
const Address kSix = *parse_address("2001:db8:1234:5678:11:2233:4455:6677", 32'853);
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";
constexpr std::string_view kSeed = "0123456789abcdef";

std::string bytes(std::string_view hex) {
  std::string compact;
  for (const char one : hex) {
    if (one != ' ' && one != '\n') compact += one;
  }
  return *from_hex(compact);
}

// RFC 5769, 2.1: username "evtj:h6vY".
const std::string kSample = bytes(
    "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74 00240004 6e0001ff "
    "80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020 00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 "
    "c1b571a2 80280004 e57a3bcf");

TEST(Stun, ReadsTheStandardsSample) {
  ASSERT_TRUE(is_stun(kSample));
  const Result<Stun> request = parse_stun(kSample, kPassword);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->kind, Stun::Kind::kRequest);
  EXPECT_EQ(request->username, "evtj:h6vY");
  EXPECT_FALSE(request->use_candidate);
  EXPECT_EQ(parse_stun(kSample, "another password").error().code, Code::kUnauthenticated);
}

// RFC 5769, 2.2 and 2.3, which differ from what is made here by their SOFTWARE attribute alone.
TEST(Stun, MakesAnswersThatItReads) {
  for (const Address& from : {kPhone, kSix}) {
    const std::string answer = stun_answer(kSample.substr(8, 12), from, kPassword);
    const Result<Stun> read = parse_stun(answer, kPassword);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kind, Stun::Kind::kAnswer);
    EXPECT_EQ(read->transaction, kSample.substr(8, 12));
  }
  const std::string four = stun_answer(kSample.substr(8, 12), kPhone, kPassword);
  EXPECT_NE(four.find(bytes("002000080001a147e112a643")), std::string::npos);
  const std::string six = stun_answer(kSample.substr(8, 12), kSix, kPassword);
  EXPECT_NE(six.find(bytes("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")), std::string::npos);
}

TEST(Stun, RefusesWhatIsCutOrChanged) {
  for (std::size_t length = 0; length < kSample.size(); ++length) {
    EXPECT_FALSE(parse_stun(kSample.substr(0, length), kPassword));
  }
  for (std::size_t at = 0; at < kSample.size() - 28; ++at) {
    std::string changed = kSample;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(parse_stun(changed, kPassword)) << at;
  }
}

class IceTest : public testing::Test {
 protected:
  static std::string check(std::string_view fragment = "home:page",
                           std::string_view password = "the password of home") {
    return stun_request("0123456789ab", fragment, 1, 2, password);
  }
  // As the other end does from there, of a check of this one.
  void answer(const Address& from, std::string_view asked) {
    const Result<Stun> request = parse_stun(asked, "the password of page");
    ASSERT_TRUE(request);
    ice_.take(from, stun_answer(request->transaction, kSix, "the password of page"), now_);
  }
  void pass(const Address& from) { answer(from, ice_.take(from, check(), now_).at(0).bytes); }

  Ice ice_{{"home", "the password of home"}, {"page", "the password of page"}, {kPhone}, kSeed};
  Time now_{seconds(100).micros};
};

TEST_F(IceTest, AnswersWhoKnowsThePasswordAndGoesWhereItsOwnCheckWasAnswered) {
  EXPECT_FALSE(ice_.peer());
  EXPECT_TRUE(ice_.take(kSix, check("home:page", "wrong"), now_).empty());
  EXPECT_TRUE(ice_.take(kSix, check("else:page"), now_).empty());
  const std::vector<Datagram> out = ice_.take(kPhone, check(), now_);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].to, kPhone);
  EXPECT_EQ(parse_stun(out[0].bytes, "the password of page")->kind, Stun::Kind::kRequest)
      << "first, so that its answer is here before the handshake";
  EXPECT_EQ(out[1].to, kPhone);
  EXPECT_EQ(parse_stun(out[1].bytes, "the password of home")->kind, Stun::Kind::kAnswer);
  EXPECT_FALSE(ice_.peer()) << "anybody's address can be told";
  EXPECT_FALSE(ice_.has_passed(kPhone));
  answer(kSix, out[0].bytes);
  EXPECT_FALSE(ice_.has_passed(kPhone)) << "from elsewhere";
  EXPECT_FALSE(ice_.has_passed(kSix));
  EXPECT_TRUE(ice_.take(kPhone, stun_answer("another one.", kSix, "the password of page"), now_).empty());
  EXPECT_FALSE(ice_.has_passed(kPhone)) << "to what was not asked";
  answer(kPhone, out[0].bytes);
  EXPECT_TRUE(ice_.has_passed(kPhone));
  EXPECT_EQ(ice_.peer(), kPhone);
}

// Whose they are is not known: a viewer can name anybody's.
TEST_F(IceTest, ChecksWhatTheOtherEndNamedAFewTimes) {
  int checks = 0;
  Time last{};
  for (int i = 0; i < 3'000; ++i, now_ = now_ + milliseconds(10)) {
    for (const Datagram& one : ice_.checks(now_)) {
      EXPECT_EQ(one.to, kPhone);
      EXPECT_EQ(parse_stun(one.bytes, "the password of page")->username, "page:home");
      last = now_;
      ++checks;
    }
  }
  EXPECT_EQ(checks, Ice::kMaxChecks);
  EXPECT_GT(last, Time{seconds(110).micros}) << "a router may open late";
  EXPECT_LT(last, Time{seconds(116).micros});
}

TEST_F(IceTest, ChecksNobodyAfterHisAnswer) {
  const std::vector<Datagram> due = ice_.checks(now_);
  ASSERT_EQ(due.size(), 1U);
  answer(kPhone, due[0].bytes);
  EXPECT_EQ(ice_.peer(), kPhone);
  EXPECT_TRUE(ice_.checks(now_ + seconds(10)).empty());
  EXPECT_EQ(ice_.take(kPhone, check(), now_).size(), 1U) << "the answer alone";
}

TEST_F(IceTest, ChecksOneThatAsksOnceForEachTimeAtMost) {
  std::size_t checks = 0;
  for (int i = 0; i < 1'000; ++i, now_ = now_ + milliseconds(1)) {
    checks += ice_.take(kSix, check(), now_).size() - 1;
    for (const Datagram& one : ice_.checks(now_)) checks += one.to == kSix ? 1 : 0;
  }
  EXPECT_GE(checks, 3U);
  EXPECT_LE(checks, 5U) << "within a second";
  now_ = now_ + seconds(60);
  EXPECT_EQ(ice_.take(kSix, check(), now_).size(), 2U) << "it is let in whenever it comes";
}

TEST_F(IceTest, FollowsTheOtherEndToAnotherAddress) {
  pass(kPhone);
  ice_.heard_from(kSix, now_);
  EXPECT_EQ(ice_.peer(), kPhone) << "that address has passed no check";
  const std::vector<Datagram> out = ice_.take(kSix, check(), now_);
  ice_.heard_from(kSix, now_);
  EXPECT_EQ(ice_.peer(), kPhone) << "nor has it when it only asks";
  answer(kSix, out.at(0).bytes);
  EXPECT_EQ(ice_.peer(), kPhone) << "a check alone moves nothing while the first is there";
  ice_.heard_from(kSix, now_);
  EXPECT_EQ(ice_.peer(), kSix);
  ice_.heard_from(kPhone, now_);
  EXPECT_EQ(ice_.peer(), kPhone);
}

TEST_F(IceTest, RemembersFewAddresses) {
  for (std::uint16_t port = 1; port <= 1'000; ++port) {
    pass({kPhone.ip, port});
    now_ = now_ + milliseconds(1);
  }
  ice_.heard_from({kPhone.ip, 1}, now_);
  EXPECT_EQ(ice_.peer()->port, 1) << "the first one";
  ice_.heard_from({kPhone.ip, 500}, now_);
  EXPECT_EQ(ice_.peer()->port, 1) << "forgotten";
  ice_.heard_from({kPhone.ip, 1'000}, now_);
  EXPECT_EQ(ice_.peer()->port, 1'000);
}

TEST_F(IceTest, TellsHowLongNothingWasHeard) {
  static_cast<void>(ice_.checks(now_));
  EXPECT_EQ(ice_.silence(now_ + seconds(7)), seconds(7));
  ASSERT_FALSE(ice_.take(kPhone, check(), now_ + seconds(8)).empty());
  EXPECT_EQ(ice_.silence(now_ + seconds(9)), seconds(1));
}

}  // namespace
}  // namespace hearth::media
