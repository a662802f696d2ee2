// How a device comes in, by the real protocol: only with a living secret, only with the owner's word, and only to the
// server that the link names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/pairing.h"
#include "harness/raw.h"
#include "hearth/v1/pairing.pb.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class PairingTest : public PoolFixture {
 protected:
  std::filesystem::path place(const std::string& name) { return pool().directory() / name; }
};

TEST_F(PairingTest, ADeviceComesInByLinkAndTheOwnersWord) {
  Api owner(pool());
  PairingDevice phone(link_of(invite(owner)), place("phone"), "Anna's phone");
  const std::string digits = phone.digits();
  EXPECT_EQ(digits.size(), 6U);
  const v1::PendingPairing pending = pending_with(owner, digits);
  EXPECT_EQ(pending.name(), "Anna's phone");
  EXPECT_EQ(pending.role(), v1::ROLE_MEMBER);
  const Ended listed = pool().cli({"devices"});
  EXPECT_THAT(listed.out, HasSubstr(digits.substr(0, 3) + " " + digits.substr(3)));
  EXPECT_EQ(pool().cli({"devices", "allow", digits}).exit_code, 0);
  ASSERT_TRUE(phone.finish()) << text_of(phone.finish().error());
  Api api(place("phone"));
  EXPECT_TRUE(api.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest()));
}

TEST_F(PairingTest, TheOwnerMayRefuse) {
  Api owner(pool());
  PairingDevice phone(link_of(invite(owner)), place("phone"), "phone");
  ASSERT_FALSE(phone.digits().empty());
  EXPECT_EQ(pool().cli({"devices", "refuse", "phone"}).exit_code, 0);
  ASSERT_FALSE(phone.finish());
  EXPECT_EQ(phone.finish().error().code, Code::kPermissionDenied) << text_of(phone.finish().error());
  EXPECT_THAT(pool().cli({"devices"}).out, testing::Not(HasSubstr("phone")));
}

TEST_F(PairingTest, ALinkWorksOnce) {
  Api owner(pool());
  const account::PairingLink link = link_of(invite(owner));
  PairingDevice first(link, place("first"), "first");
  ASSERT_TRUE(answer(owner, pending_with(owner, first.digits()), true));
  ASSERT_TRUE(first.finish());
  PairingDevice second(link, place("second"), "second");
  EXPECT_EQ(second.digits(), "");
  ASSERT_FALSE(second.finish());
  EXPECT_EQ(second.finish().error().code, Code::kPermissionDenied);
}

TEST_F(PairingTest, EightTypedDigitsDoToo) {
  Api owner(pool());
  const v1::InviteReply invitation = invite(owner);
  account::PairingLink link = link_of(invitation);
  ASSERT_EQ(invitation.typed_code().size(), 8U);
  link.secret = invitation.typed_code();
  PairingDevice phone(link, place("phone"), "phone");
  ASSERT_TRUE(answer(owner, pending_with(owner, phone.digits()), true));
  EXPECT_TRUE(phone.finish()) << text_of(phone.finish().error());
}

TEST_F(PairingTest, ThreeWrongCodesEndAnInvitation) {
  Api owner(pool());
  const v1::InviteReply invitation = invite(owner);
  account::PairingLink wrong = link_of(invitation);
  for (int i = 0; i < 3; ++i) {
    wrong.secret = "0000000" + std::to_string(i);
    if (wrong.secret == invitation.typed_code()) continue;
    PairingDevice guesser(wrong, place("guesser"), "guesser");
    ASSERT_FALSE(guesser.finish());
    EXPECT_EQ(guesser.finish().error().code, Code::kPermissionDenied) << text_of(guesser.finish().error());
  }
  account::PairingLink right = link_of(invitation);
  right.secret = invitation.typed_code();
  PairingDevice late(right, place("late"), "late");
  ASSERT_FALSE(late.finish()) << "the code can be guessed";
}

TEST_F(PairingTest, GuessingIsLimited) {
  Api owner(pool());
  account::PairingLink wrong = link_of(invite(owner));
  Code last = Code::kUnknown;
  for (int i = 0; i < 8; ++i) {
    wrong.secret = net::random_bytes(16);
    PairingDevice guesser(wrong, place("guesser"), "guesser");
    ASSERT_FALSE(guesser.finish());
    last = guesser.finish().error().code;
  }
  EXPECT_EQ(last, Code::kResourceExhausted);
}

TEST_F(PairingTest, AnotherServerIsNoticed) {
  Api owner(pool());
  account::PairingLink link = link_of(invite(owner));
  link.identity_fingerprint = net::sha256("the server that the link names").substr(0, 10);
  PairingDevice phone(link, place("phone"), "phone");
  ASSERT_FALSE(phone.finish());
  EXPECT_EQ(phone.finish().error().code, Code::kUnauthenticated) << text_of(phone.finish().error());
  // Nothing was told to the wrong server: the invitation still works.
  PairingDevice honest(link_of(invite(owner)), place("honest"), "honest");
  EXPECT_FALSE(honest.digits().empty());
  EXPECT_TRUE(answer(owner, pending_with(owner, honest.digits()), false));
}

TEST_F(PairingTest, APairedDeviceNoticesAnotherServer) {
  // The same address, but another pool's key: what a man in the middle would have to show.
  Api owner(pool());
  account::Account account = *account::load_account(pool().home() / "cli");
  account.hub_identity = net::sha256("another key");
  net::Loop loop;
  net::Workers workers(1);
  account::Session session(loop, workers, account, owner.key());
  const auto reply =
      loop.run_until_done(session.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest()));
  session.client().close();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::kUnauthenticated) << text_of(reply.error());
}

TEST_F(PairingTest, BadRequestsAreRefusedByName) {
  const std::uint16_t port = pool().endpoint().port;
  const HeaderList json = {{"Content-Type", "application/json"}};
  const std::string path = "/hearth.v1.PairingService/";
  EXPECT_EQ(https(port, "POST", path + "Pair", json, "{}").status, 400U);
  EXPECT_EQ(https(port, "POST", path + "Pair", json, R"({"name":{"a":1}})").status, 400U);
  const HttpAnswer proved =
      https(port, "POST", path + "Prove", json, R"({"deviceId":"1","challenge":"AAAA","signature":"AAAA"})");
  EXPECT_EQ(proved.status, 401U);
  EXPECT_EQ(https(port, "POST", path + "PairStatus", json, R"({"pairingId":"AAAA"})").status, 404U);
  EXPECT_EQ(https(port, "POST", path + "Nonce", json, std::string(100'000, ' ')).status, 429U)
      << "strangers may send 64 KiB";
}

TEST_F(PairingTest, OnlyFiveInvitationsLive) {
  Api owner(pool());
  const account::PairingLink first = link_of(invite(owner));
  for (int i = 0; i < 5; ++i) invite(owner);
  PairingDevice late(first, place("late"), "late");
  ASSERT_FALSE(late.finish()) << "the sixth invitation replaces the first";
  EXPECT_EQ(late.finish().error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace hearth::e2e
