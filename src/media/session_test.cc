#include "media/session.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/bits.h"
#include "media/sdp.h"
#include "media/stun.h"
#include "media/test_browser.h"

namespace hearth::media {
namespace {

using testing::HasSubstr;
using testing::Not;

const Address kHome = *parse_address("192.0.2.7", 40'000);
const Address kPhone = *parse_address("198.51.100.4", 50'000);
constexpr std::string_view kPagePassword = "the-password-of-the-page";
const Address kElsewhere = *parse_address("2001:db8::4", 50'001);

TEST(Sdp, TakesFromAnOfferWhatItMakes) {
  const Result<Offer> offer = parse_offer(browser_offer(std::string(95, 'A')));
  ASSERT_TRUE(offer) << offer.error().message;
  ASSERT_EQ(offer->sections.size(), 3U);
  EXPECT_EQ(offer->sections[0].terms.payload_type, 108) << "constrained baseline, packetization-mode 1";
  EXPECT_EQ(offer->sections[0].terms.codec, v1::CODEC_H264) << "though VP8 stands before it";
  EXPECT_EQ(offer->sections[0].terms.transport_number, 3);
  EXPECT_EQ(offer->sections[0].terms.playout_delay, 5);
  EXPECT_EQ(offer->sections[1].terms.payload_type, 111);
  ASSERT_EQ(offer->candidates.size(), 1U) << "neither a name nor TCP";
  EXPECT_EQ(text_of(offer->candidates[0]), "192.0.2.1");
  const std::string answer = answer_of(*offer, {.ice = {"home", "a password of twenty"},
                                                .fingerprint = "AB:CD",
                                                .candidates = {kHome, kElsewhere},
                                                .video_source = 5,
                                                .sound_source = 6});
  for (const char* line :
       {"a=group:BUNDLE 0 1 2\r\n", "m=video 9 UDP/TLS/RTP/SAVPF 108\r\n", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "a=setup:passive\r\n", "a=ssrc:5 cname:hearth\r\n",
        " udp 2130706431 192.0.2.7 40000 typ host\r\n", " 2001:db8::4 50001 typ host\r\n",
        "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n"}) {
    EXPECT_THAT(answer, HasSubstr(line));
  }
}

const std::string kGood = browser_offer(std::string(95, 'A'));

// Everywhere.
std::string changed(std::string_view what, std::string_view with, std::string text = kGood) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// As other players write them: without this page's header extensions, in capitals, with less said.
TEST(Sdp, TakesWhatOtherPlayersOffer) {
  const auto type_of = [](const Result<Offer>& offer) {
    return offer ? static_cast<int>(offer->sections[0].terms.payload_type) : -1;
  };
  EXPECT_EQ(type_of(parse_offer(changed("profile-level-id=42e01f", "profile-level-id=42E01F"))), 108);
  EXPECT_EQ(type_of(parse_offer(changed("profile-level-id=42e01f", "profile-level-id=42001f"))), 108) << "baseline";
  EXPECT_EQ(type_of(parse_offer(changed("a=fmtp:108", "a=x:108"))), 108) << "GStreamer names no profile";
  EXPECT_EQ(type_of(parse_offer(changed(";profile-level-id=42e01f", ""))), 108) << "nor need a mode name one";
  const Result<Offer> capitals = parse_offer(changed("opus/48000/2", "OPUS/48000/2"));
  ASSERT_TRUE(capitals);
  EXPECT_EQ(capitals->sections[1].terms.payload_type, 111);
  const Result<Offer> plain = parse_offer(changed("a=extmap:", "a=x:"));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->sections[0].terms.playout_delay, 0);
  EXPECT_THAT(answer_of(*plain, {}), Not(HasSubstr("extmap")));
  EXPECT_THAT(answer_of(*plain, {}), Not(HasSubstr("transport-cc")));
}

// As Debian's Firefox without a plugin.
TEST(Sdp, TakesVp8WhereThereIsNoH264) {
  const std::string firefox = changed("a=rtpmap:103 H264/90000", "a=fmtp:96 max-fs=12288;max-fr=60",
                                      changed("rtpmap:108 H264", "rtpmap:108 VP9"));
  for (const std::string& text : {firefox, changed("VP8", "vp8", firefox),
                                  changed("packetization-mode=1;profile-level-id=42e01f", "packetization-mode=0")}) {
    const Result<Offer> offer = parse_offer(text);
    ASSERT_TRUE(offer) << offer.error().message;
    EXPECT_EQ(offer->sections[0].terms.payload_type, 96);
    EXPECT_EQ(offer->sections[0].terms.codec, v1::CODEC_VP8);
    EXPECT_EQ(offer->sections[0].terms.playout_delay, 5);
    const std::string answer = answer_of(*offer, {});
    for (const char* line : {"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "a=rtpmap:96 VP8/90000\r\n", "a=rtcp-fb:96 nack\r\n",
                             "a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:96 transport-cc\r\n"}) {
      EXPECT_THAT(answer, HasSubstr(line));
    }
    EXPECT_THAT(answer, Not(HasSubstr("H264")));
    EXPECT_THAT(answer, Not(HasSubstr("fmtp:96"))) << "what this end would take, which takes nothing";
  }
}

TEST(Sdp, TakesOneSectionOfEachKindThatWouldReceive) {
  EXPECT_EQ(parse_offer(changed("a=recvonly", "a=sendonly")).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(parse_offer(changed("a=recvonly", "a=inactive")).error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(parse_offer(changed("a=recvonly", "a=sendrecv")));
  std::string second = kGood.substr(kGood.find("m=video"), kGood.find("m=audio") - kGood.find("m=video"));
  second.replace(second.find("a=mid:0"), 7, "a=mid:9");
  const Result<Offer> two = parse_offer(kGood + second);
  ASSERT_TRUE(two);
  EXPECT_TRUE(two->sections[0].taken);
  EXPECT_FALSE(two->sections[3].taken);
  EXPECT_THAT(answer_of(*two, {}), HasSubstr("a=group:BUNDLE 0 1 2\r\n"));
  // There is one path, so without a bundle there is one section on it.
  const std::string alone = answer_of(*parse_offer(changed("a=group:BUNDLE", "a=group:LS")), {});
  EXPECT_THAT(alone, HasSubstr("m=audio 0 "));
  EXPECT_THAT(alone, HasSubstr("m=application 0 "));
  EXPECT_THAT(alone, Not(HasSubstr("BUNDLE")));
}

TEST(Sdp, RefusesWhatItCannotServe) {
  const std::string& good = kGood;
  const auto without = [&](std::string_view what, std::string_view with) { return parse_offer(changed(what, with)); };
  EXPECT_THAT(without("a=setup:actpass", "a=setup:passive").error().message, HasSubstr("setup"));
  EXPECT_EQ(parse_offer("hello").error().code, Code::kInvalidArgument);
  const Error neither = parse_offer(changed("VP8", "AV1", changed("=42e01f", "=640c1f"))).error();
  EXPECT_EQ(neither.code, Code::kFailedPrecondition);
  EXPECT_THAT(neither.message, HasSubstr("H.264"));
  EXPECT_THAT(neither.message, HasSubstr("VP8"));
  EXPECT_THAT(without("fingerprint:sha-256", "fingerprint:sha-1").error().message, HasSubstr("fingerprint"));
  EXPECT_THAT(without("ice-pwd:", "ice-pwd:x\r\na=x:").error().message, HasSubstr("ICE"));
  EXPECT_FALSE(parse_offer(""));
  EXPECT_FALSE(parse_offer(std::string(20'000, 'a')));
  std::string sections;
  for (int i = 0; i < 9; ++i) sections += "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:9\r\n";
  EXPECT_THAT(parse_offer(good + sections).error().message, HasSubstr("8 sections"));
  // A browser without sound and channel is served all the same.
  const Result<Offer> alone = parse_offer(good.substr(0, good.find("m=audio")));
  ASSERT_TRUE(alone);
  EXPECT_THAT(answer_of(*alone, {}), Not(HasSubstr("m=audio")));
}

class SessionTest : public testing::Test {
 protected:
  void SetUp() override { begin(browser_.fingerprint()); }

  void begin(const std::string& fingerprint, Session::With with = Session::With::kPage) {
    begin_with(browser_offer(fingerprint), with);
  }

  void begin_with(const std::string& offer, Session::With with) {
    Result<std::unique_ptr<Session>> session =
        Session::open(offer, {kHome},
                      {.send = [this](const Datagram& datagram) { sent_.push_back(datagram); },
                       .message = [](const std::string&) {},
                       .wants_key = [this] { ++keys_wanted_; }},
                      with);
    ASSERT_TRUE(session) << session.error().message;
    session_ = std::move(*session);
  }

  static std::string after(const std::string& text, const std::string& mark) {
    const std::size_t at = text.find(mark) + mark.size();
    return text.substr(at, text.find("\r\n", at) - at);
  }

  // As the controlling side does, from one of its addresses; what it gets.
  std::vector<Datagram> ask(const Address& from) {
    const std::string& answer = session_->answer();
    const std::string request =
        stun_request("0123456789ab", after(answer, "a=ice-ufrag:") + ":page", 1, 2, after(answer, "a=ice-pwd:"));
    sent_.clear();
    session_->take(from, request, now_);
    return std::exchange(sent_, {});
  }

  void check(const Address& from) {
    for (const Datagram& one : ask(from)) {
      const Result<Stun> back = parse_stun(one.bytes, kPagePassword);
      if (back) session_->take(from, stun_answer(back->transaction, kHome, kPagePassword), now_);
    }
  }

  Result<void> shake_hands() {
    std::vector<std::string> flight = browser_.step("");
    for (int i = 0; i < 10 && !(session_->connected() && browser_.connected()); ++i) {
      for (const std::string& datagram : std::exchange(flight, {})) session_->take(kPhone, datagram, now_);
      for (const Datagram& one : std::exchange(sent_, {})) {
        if (!is_dtls(one.bytes)) continue;
        for (std::string& back : browser_.step(one.bytes)) flight.push_back(std::move(back));
      }
      if (Result<void> ticked = session_->tick(now_, {}); !ticked) return ticked;
    }
    return {};
  }

  // RTP packets of the pictures that go out within a while.
  std::vector<Datagram> pictures_within(Duration span, int type = 108) {
    std::vector<Datagram> found;
    for (const Time end = now_ + span; now_ < end; now_ = now_ + milliseconds(1)) {
      EXPECT_TRUE(session_->tick(now_, {}));
      for (Datagram& one : std::exchange(sent_, {})) {
        if ((one.bytes[1] & 0x7f) == type) found.push_back(std::move(one));
      }
    }
    return found;
  }

  void say(const Address& from, std::string packet) {
    Result<std::string> ready = browser_srtp_->protect_control(std::move(packet));
    ASSERT_TRUE(ready);
    session_->take(from, *ready, now_);
  }

  void connect() {
    check(kPhone);
    ASSERT_TRUE(shake_hands());
    ASSERT_TRUE(session_->connected());
    Result<std::unique_ptr<Srtp>> srtp = Srtp::open(browser_.keys());
    ASSERT_TRUE(srtp);
    browser_srtp_ = std::move(*srtp);
    sent_.clear();
  }

  BrowserDtls browser_;
  std::unique_ptr<Srtp> browser_srtp_;
  std::unique_ptr<Session> session_;
  std::vector<Datagram> sent_;
  int keys_wanted_ = 0;
  Time now_{seconds(1'000).micros};
  const std::string picture_ = std::string("\0\0\0\1\x65", 5) + std::string(5'000, 'x');
};

TEST_F(SessionTest, PicturesGoToWhoeverProvedWhoItIs) {
  session_->send_picture(picture_, now_);
  connect();
  EXPECT_TRUE(pictures_within(milliseconds(50)).empty()) << "what came before anybody was there";
  session_->send_picture(picture_, now_);
  const std::vector<Datagram> packets = pictures_within(milliseconds(15));
  ASSERT_EQ(packets.size(), 5U);
  EXPECT_EQ(packets[0].to, kPhone);
  EXPECT_EQ(packets[0].bytes.find("xxxx"), std::string::npos) << "it is encrypted";
}

TEST_F(SessionTest, SendsVp8WhereThatWasAgreedOn) {
  EXPECT_EQ(session_->codec(), v1::CODEC_H264);
  begin_with(changed("H264/90000", "VP9/90000", browser_offer(browser_.fingerprint())), Session::With::kPage);
  EXPECT_EQ(session_->codec(), v1::CODEC_VP8);
  connect();
  session_->send_picture(std::string(3'000, '\0'), now_);
  EXPECT_EQ(pictures_within(milliseconds(15), 96).size(), 3U);
}

TEST_F(SessionTest, APlayerGetsPicturesAndNoChannel) {
  begin(browser_.fingerprint(), Session::With::kPlayer);
  EXPECT_THAT(session_->answer(), HasSubstr("m=application 0 "));
  EXPECT_THAT(session_->answer(), HasSubstr("a=group:BUNDLE 0 1\r\n"));
  connect();
  EXPECT_FALSE(session_->send_message("a word"));
  session_->send_picture(picture_, now_);
  EXPECT_EQ(pictures_within(milliseconds(15)).size(), 5U);
}

TEST_F(SessionTest, AnotherCertificateIsShownNothing) {
  begin(std::string("AA") + BrowserDtls().fingerprint().substr(2));
  check(kPhone);
  const Result<void> shaken = shake_hands();
  EXPECT_EQ(shaken.error().code, Code::kUnauthenticated);
  EXPECT_FALSE(session_->connected());
}

TEST_F(SessionTest, WhoDoesNotKnowThePasswordStartsNoHandshake) {
  static_cast<void>(shake_hands());
  EXPECT_FALSE(session_->connected());
}

TEST_F(SessionTest, NoHandshakeIsAnsweredToAnAddressThatHasNotAnsweredItsCheck) {
  ASSERT_FALSE(ask(kPhone).empty());
  static_cast<void>(shake_hands());
  EXPECT_TRUE(std::ranges::none_of(sent_, [](const Datagram& one) { return is_dtls(one.bytes); }));
  EXPECT_FALSE(session_->connected());
  check(kElsewhere);
  for (const std::string& datagram : BrowserDtls().step("")) session_->take(kPhone, datagram, now_);
  EXPECT_TRUE(std::ranges::none_of(sent_, [](const Datagram& one) { return is_dtls(one.bytes); }))
      << "though another has";
}

TEST_F(SessionTest, FollowsAPhoneToAnotherNetwork) {
  connect();
  check(kElsewhere);
  say(kElsewhere, std::string("\x81\xce\0\2\0\0\0\1\0\0\0\5", 12));
  EXPECT_EQ(keys_wanted_, 1);
  session_->send_picture(picture_, now_);
  const std::vector<Datagram> packets = pictures_within(milliseconds(15));
  ASSERT_FALSE(packets.empty());
  EXPECT_EQ(packets[0].to, kElsewhere);
}

TEST_F(SessionTest, SendsAgainWhatIsMissed) {
  connect();
  session_->send_picture(picture_, now_);
  const std::vector<Datagram> packets = pictures_within(milliseconds(100));
  ASSERT_GE(packets.size(), 5U);
  std::string nack("\x81\xcd\0\3\0\0\0\1", 8);
  nack += packets[1].bytes.substr(8, 4) + packets[1].bytes.substr(2, 2) + std::string(2, '\0');
  say(kPhone, nack);
  const std::vector<Datagram> again = pictures_within(milliseconds(10));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(sequence_number(again[0].bytes), sequence_number(packets[1].bytes));
}

// A key picture every three seconds would be the dearest way to show that nothing changes.
TEST_F(SessionTest, AStillPictureIsNotSentAnewUnlessItIsMissing) {
  connect();
  session_->send_picture(picture_, now_);
  const std::size_t packets = pictures_within(seconds(3)).size();
  const std::string wish("\x81\xce\0\2\0\0\0\1\0\0\0\5", 12);
  say(kPhone, wish);
  EXPECT_EQ(keys_wanted_, 1) << "nobody has said that it came";
  std::string arrivals("\x8f\xcd\0\7\0\0\0\1\0\0\0\5", 12);
  put(arrivals, 1, 2);
  put(arrivals, packets, 2);
  put(arrivals, 0, 4);
  put(arrivals, 1U << 13 | packets, 2);
  arrivals.append(packets, '\4');
  arrivals.resize(32, '\0');
  ASSERT_LE(packets, 10U);
  say(kPhone, arrivals);
  say(kPhone, wish);
  EXPECT_EQ(keys_wanted_, 1);
  session_->send_picture(picture_, now_);
  say(kPhone, wish);
  EXPECT_EQ(keys_wanted_, 2) << "that one may be missing";
}

// As other players are: they say how much is lost, and what came last, now and then.
TEST_F(SessionTest, AReceiversReportsDoWhereItTellsOfNoPacket) {
  std::string offer = browser_offer(browser_.fingerprint());
  offer.erase(offer.find("a=extmap:3 "), offer.find("\r\n", offer.find("a=extmap:3 ")) + 2 - offer.find("a=extmap:3 "));
  begin_with(offer, Session::With::kPlayer);
  connect();
  session_->send_picture(picture_, now_);
  const std::vector<Datagram> packets = pictures_within(seconds(4));
  ASSERT_FALSE(packets.empty());
  const auto report = [&](std::uint8_t lost, std::uint16_t newest) {
    std::string packet("\x81\xc9\0\7\0\0\0\1", 8);
    packet += packets[0].bytes.substr(8, 4);
    put(packet, lost, 1);
    put(packet, 0, 3);
    put(packet, newest, 4);
    packet.append(12, '\0');
    say(kPhone, packet);
  };
  const std::string wish("\x81\xce\0\2\0\0\0\1\0\0\0\5", 12);
  std::uint16_t newest = sequence_number(packets[0].bytes);
  for (const Datagram& one : packets) {
    if (static_cast<std::int16_t>(sequence_number(one.bytes) - newest) > 0) newest = sequence_number(one.bytes);
  }
  report(0, static_cast<std::uint16_t>(newest - 1));
  say(kPhone, wish);
  EXPECT_EQ(keys_wanted_, 1) << "the last packet may be missing";
  report(0, newest);
  say(kPhone, wish);
  EXPECT_EQ(keys_wanted_, 1) << "nothing is";
  const std::uint32_t before = session_->kbits();
  report(128, newest);
  EXPECT_LT(session_->kbits(), before);
}

// What gives the pictures is the guest's to replace.
TEST_F(SessionTest, TakesNoMoreThanItCanKeep) {
  connect();
  const std::string large = std::string("\0\0\0\1\x65", 5) + std::string(1 << 20, 'x');
  int taken = 0;
  for (; session_->has_room() && taken < 100; ++taken) session_->send_picture(large, now_);
  EXPECT_LT(taken, 20);
  EXPECT_GT(taken, 4);
  static_cast<void>(pictures_within(seconds(1)));
  EXPECT_TRUE(session_->has_room()) << "some of it is on its way";
}

TEST_F(SessionTest, SendsNoMoreSoundThanThereIsInTheTime) {
  connect();
  for (int i = 0; i < 10'000; ++i) session_->send_sound("opus", 480, now_);
  EXPECT_LT(sent_.size(), 50U);
  sent_.clear();
  for (int i = 0; i < 100; ++i) {
    now_ = now_ + milliseconds(10);
    session_->send_sound("opus", 480, now_);
  }
  EXPECT_EQ(sent_.size(), 100U);
  sent_.clear();
  now_ = now_ + seconds(1);
  session_->send_sound(std::string(2'000, 'x'), 480, now_);
  EXPECT_TRUE(sent_.empty()) << "that is no packet of Opus";
}

TEST_F(SessionTest, ForgedControlIsPassedOver) {
  connect();
  session_->take(kPhone, std::string("\x81\xce\0\2\0\0\0\1\0\0\0\5", 12) + std::string(14, 'x'), now_);
  session_->take(kPhone, std::string(1'200, '\x80'), now_);
  session_->take(kPhone, "", now_);
  EXPECT_EQ(keys_wanted_, 0);
  EXPECT_TRUE(session_->tick(now_, {}));
}

TEST_F(SessionTest, EndsWhenNothingIsHeardAnyMore) {
  connect();
  EXPECT_TRUE(session_->tick(now_ + seconds(29), {}));
  EXPECT_EQ(session_->tick(now_ + seconds(31), {}).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace hearth::media
