#include "hub/invitations.h"

#include <gtest/gtest.h>

#include "net/crypto.h"

namespace hearth::hub {
namespace {

constexpr std::string_view kTranscript = "transcript";

std::string mac_of(std::string_view secret) { return net::hmac_sha256(secret, kTranscript); }

class InvitationsTest : public testing::Test {
 protected:
  const Invitation& invite(char seed) {
    return invitations_.invite({.role = v1::ROLE_OWNER}, std::string(16, seed), std::string(8, seed), now_);
  }
  std::optional<Invitation> take(const std::string& secret) { return invitations_.take(mac_of(secret), mac_of, now_); }

  Invitations invitations_;
  Time now_ = Time{} + seconds(1000);
};

TEST_F(InvitationsTest, ASecretWorksOnce) {
  invite('a');
  EXPECT_TRUE(take(std::string(16, 'a')));
  EXPECT_FALSE(take(std::string(16, 'a')));
}

TEST_F(InvitationsTest, ASecretDiesAfterTwoMinutes) {
  invite('a');
  now_ = now_ + seconds(120);
  EXPECT_FALSE(take(std::string(16, 'a')));
}

TEST_F(InvitationsTest, TheSixthLivingInvitationReplacesTheOldest) {
  for (const char seed : {'a', 'b', 'c', 'd', 'e', 'f'}) invite(seed);
  EXPECT_FALSE(take(std::string(16, 'a')));
  EXPECT_TRUE(take(std::string(16, 'b')));
  EXPECT_TRUE(take(std::string(16, 'f')));
}

TEST_F(InvitationsTest, TheTypedCodeWorksAndThreeWrongTriesEndIt) {
  const std::string code = invite('a').typed_code;
  EXPECT_EQ(code.size(), 8U);
  EXPECT_FALSE(take("00000000"));
  EXPECT_FALSE(take("00000001"));
  EXPECT_TRUE(take(code));

  const std::string second = invite('b').typed_code;
  for (const char* wrong : {"0", "1", "2"}) EXPECT_FALSE(take(wrong));
  EXPECT_FALSE(take(second));
}

TEST_F(InvitationsTest, ANonceWorksOnceWithinAMinute) {
  invitations_.add_nonce("n", now_);
  EXPECT_TRUE(invitations_.take_nonce("n", now_));
  EXPECT_FALSE(invitations_.take_nonce("n", now_));
  invitations_.add_nonce("m", now_);
  EXPECT_FALSE(invitations_.take_nonce("m", now_ + seconds(61)));
}

TEST_F(InvitationsTest, NoncesAreBounded) {
  for (int i = 0; i < 5000; ++i) invitations_.add_nonce(std::to_string(i), now_ + microseconds(i));
  EXPECT_FALSE(invitations_.take_nonce("0", now_));
  EXPECT_TRUE(invitations_.take_nonce("4999", now_ + seconds(1)));
}

TEST_F(InvitationsTest, ADeviceThatWaitsTooLongIsDenied) {
  ASSERT_TRUE(invitations_.add_waiting({.pairing_id = "p", .name = "phone"}, now_));
  EXPECT_EQ(invitations_.waiting(now_).size(), 1U);
  now_ = now_ + seconds(121);
  EXPECT_TRUE(invitations_.waiting(now_).empty());
  EXPECT_EQ(invitations_.find_waiting("p", now_)->state, v1::PairStatusReply::STATE_DENIED);
}

TEST_F(InvitationsTest, WaitingDevicesAreBounded) {
  for (std::size_t i = 0; i < Invitations::kMaxWaiting; ++i) {
    EXPECT_TRUE(invitations_.add_waiting({.pairing_id = std::to_string(i)}, now_));
  }
  EXPECT_EQ(invitations_.add_waiting({.pairing_id = "x"}, now_).error().code, Code::kResourceExhausted);
}

}  // namespace
}  // namespace hearth::hub
