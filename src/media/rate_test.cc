// The rate and the pacer at a link that is simulated: what it takes, how much of what is sent waits on the way, and
// when the other end could show each picture.
#include "media/rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "media/bits.h"
#include "media/pacer.h"

namespace hearth::media {
namespace {

// A link that lets so much through; what does not fit into its queue is lost.
class RateTest : public testing::Test {
 protected:
  void go_on(double link_kbits, Duration span, double lost = 0) {
    for (const Time end = now_ + span; now_ < end; now_ = now_ + milliseconds(50)) {
      std::vector<Arrival> arrivals;
      const int packets = static_cast<int>(rate_.kbits() * 50 / 8 / kBytes) + 1;
      for (int i = 0; i < packets; ++i, ++number_) {
        const Time at = now_ + milliseconds(50 * i / packets);
        rate_.sent(number_, kBytes, false, at);
        free_ = std::max(free_, at) + microseconds(static_cast<std::int64_t>(kBytes * 8'000 / link_kbits));
        const bool full = free_ - at > milliseconds(300);
        if (full) free_ = free_ - microseconds(static_cast<std::int64_t>(kBytes * 8'000 / link_kbits));
        const bool is_lost = full || (lost > 0 && number_ % static_cast<int>(1 / lost) == 0);
        arrivals.push_back({number_, is_lost ? std::nullopt : std::optional(free_ + seconds(1'000))});
      }
      rate_.heard(arrivals, now_ + milliseconds(50));
    }
  }
  static constexpr std::size_t kBytes = 1'100;
  Rate rate_;
  std::uint16_t number_ = 65'000;
  Time now_{seconds(50).micros};
  Time free_{};
};

TEST_F(RateTest, GrowsOnALinkThatTakesMore) {
  go_on(40'000, seconds(20));
  EXPECT_GT(rate_.kbits(), 15'000U);
}

TEST_F(RateTest, FallsToWhatTheLinkTakesAndComesBack) {
  go_on(20'000, seconds(20));
  EXPECT_GT(rate_.kbits(), 12'000U);
  go_on(3'000, seconds(3));
  EXPECT_LT(rate_.kbits(), 3'600U);
  EXPECT_GT(rate_.kbits(), 1'000U);
  EXPECT_LT(rate_.queueing(), milliseconds(200));
  go_on(20'000, seconds(30));
  EXPECT_GT(rate_.kbits(), 10'000U);
}

TEST_F(RateTest, ALittleLossIsNoReasonToSlowDown) {
  go_on(40'000, seconds(20), 0.01);
  EXPECT_GT(rate_.kbits(), 10'000U);
}

// What is remembered of the last half second goes by the other end's clock: one that stands still, as nobody's does, or
// whose 24 bits have come to their end, as every one's do after twelve days.
TEST_F(RateTest, RemembersLittleWhateverTheOtherClockSays) {
  const auto come = [this](int packets, auto clock) {
    for (int i = 0; i < packets; ++i, ++number_) {
      now_ = now_ + milliseconds(1);
      rate_.sent(number_, kBytes, false, now_);
      rate_.heard({{number_, Time{clock(i)}}}, now_);
    }
  };
  come(6'000, [](int i) { return seconds(1'000'000).micros + 1'000 * i; });
  EXPECT_LE(rate_.remembered(), 501U) << "of the last half second";
  come(1'000, [](int i) { return 1'000 * i; });
  EXPECT_LE(rate_.remembered(), 501U) << "of after the clock's end alone";
  come(6'000, [](int) { return 0; });
  EXPECT_LE(rate_.remembered(), 4'096U);
}

TEST_F(RateTest, FollowsReportsWhereNoPacketIsToldOf) {
  const auto go_on = [this](double link_kbits, int seconds_long) {
    for (int i = 0; i < seconds_long; ++i) {
      const double sent_kbits = rate_.kbits();
      for (double left = sent_kbits * 125; left > 0; left -= kBytes) rate_.sent(number_++, kBytes, false, now_);
      now_ = now_ + seconds(1);
      rate_.reported(std::max(0.0, 1 - link_kbits / sent_kbits), now_);
    }
  };
  go_on(20'000, 60);
  EXPECT_GT(rate_.kbits(), 7'000U);
  EXPECT_LE(rate_.kbits(), Rate::kMostReported);
  go_on(1'500, 20);
  EXPECT_LT(rate_.kbits(), 1'700U);
  EXPECT_GT(rate_.kbits(), 900U);
  go_on(20'000, 90);
  EXPECT_GT(rate_.kbits(), 5'000U);
}

TEST_F(RateTest, NeverLeavesItsBounds) {
  go_on(100, seconds(30));
  EXPECT_GE(rate_.kbits(), Rate::kLeast);
  go_on(10'000'000, seconds(120));
  EXPECT_LE(rate_.kbits(), Rate::kMost);
}

TEST_F(RateTest, WhatWasNeverSentTellsNothing) {
  const std::uint32_t before = rate_.kbits();
  rate_.heard({{.number = 5, .at = now_}, {.number = 6, .at = std::nullopt}}, now_);
  EXPECT_EQ(rate_.kbits(), before);
}

constexpr std::size_t kPacket = 1'200;
constexpr std::uint32_t kSource = 7;
constexpr Duration kStep = milliseconds(1);
constexpr Duration kNear = milliseconds(10);  // each way
constexpr Duration kLate = milliseconds(25);  // after a picture could be there
constexpr Duration kBetweenReports = milliseconds(100);
constexpr Duration kHeldByRouter = milliseconds(285);

class Link {
 public:
  // Of the packets this part is lost on the way, at random. `way`: how long each takes. `most_kbits`: what the pictures
  // need.
  explicit Link(double lost = 0, Duration way = kNear, std::uint32_t most_kbits = Rate::kMost)
      : lost_(lost), way_(way), most_kbits_(most_kbits) {}

  // Sixty pictures a second, as large as the rate allows, for so long over a link of so many kbit/s.
  void run(Duration span, double kbits) {
    link_kbits_ = kbits;
    longest_gap_ = {};
    const std::uint64_t before = shown_;
    late_ = 0;
    for (const Time end = now_ + span; now_ < end; now_ = now_ + kStep) step();
    pictures_per_second_ = static_cast<double>(shown_ - before) / span.seconds();
    longest_gap_ = std::max(longest_gap_, now_ - shown_at_);
    late_share_ = static_cast<double>(late_) / static_cast<double>(shown_ - before);
  }

  std::uint32_t kbits() const { return rate_.kbits(); }
  Duration longest_gap() const { return longest_gap_; }
  double pictures_per_second() const { return pictures_per_second_; }
  double late_share() const { return late_share_; }  // of the pictures
  bool doubles() const { return rate_.doubles(); }

 private:
  struct Flying {
    Time arrives;
    std::uint64_t number;
    std::uint64_t sequence;
  };
  struct Picture {
    std::uint64_t first;
    std::uint64_t last;
    Time made;
    bool is_key;
  };

  void step() {
    if (now_ >= next_picture_ && pacer_.waiting_bytes() == 0) make_picture();
    for (const Pacer::Ready& one : pacer_.take(now_)) send(one.packet, one.is_copy);
    while (!flying_.empty() && flying_.front().arrives <= now_) arrive();
    if (now_ >= next_report_) report();
    while (!reports_.empty() && reports_.front().first <= now_) hear();
  }
  void make_picture() {
    // As hearth-screen does it with 1280 by 720 pixels of noise.
    next_picture_ = now_ + std::clamp(milliseconds(27'648 / rate_.kbits()), microseconds(16'667), milliseconds(100));
    const bool is_key = std::exchange(key_wanted_, false);
    const std::size_t bytes =
        is_key ? 80'000 : std::max<std::size_t>(2'500, std::min(rate_.kbits(), most_kbits_) * 125 / 60);
    std::vector<std::string> packets;
    const std::uint64_t first = next_sequence_;
    for (std::size_t left = bytes; left > 0; left -= std::min(left, kPacket)) {
      std::string packet(std::min(left, kPacket) + 12, '\0');
      packet[2] = static_cast<char>(next_sequence_ >> 8);
      packet[3] = static_cast<char>(next_sequence_);
      packet[11] = kSource;
      ++next_sequence_;
      packets.push_back(std::move(packet));
    }
    pictures_made_.push_back({first, next_sequence_ - 1, now_, is_key});
    pacer_.add(std::move(packets));
  }
  void send(const std::string& packet, bool is_copy) {
    const std::uint64_t number = next_number_++;
    rate_.sent(static_cast<std::uint16_t>(number), packet.size(), is_copy, now_);
    const Time free = std::max(link_free_, now_);
    if (free - now_ > kHeldByRouter) return;
    if (std::uniform_real_distribution<>(0, 1)(random_) < lost_) return;
    link_free_ =
        free + microseconds(static_cast<std::int64_t>(static_cast<double>(packet.size()) * 8'000 / link_kbits_));
    const auto low = static_cast<std::uint16_t>(number_at(packet, 2, 2));
    const std::uint64_t sequence = next_sequence_ - static_cast<std::uint16_t>(next_sequence_ - low);
    flying_.push_back({link_free_ + way_, number, sequence});
  }
  void arrive() {
    const Flying one = flying_.front();
    flying_.pop_front();
    // What comes twice is no part of the reports: SRTP takes it for a replay.
    if (!seen_.insert(one.sequence).second) return;
    arrived_[one.number] = one.arrives;
    have_.insert(one.sequence);
    show();
  }
  // The first picture that can be: it follows the last one that was shown, or needs none.
  void show() {
    for (std::size_t i = 0; i < pictures_made_.size(); ++i) {
      const Picture& picture = pictures_made_[i];
      if (i > 0 && !picture.is_key) continue;
      bool is_whole = true;
      for (std::uint64_t s = picture.first; s <= picture.last && is_whole; ++s) is_whole = have_.contains(s);
      if (!is_whole) continue;
      have_.erase(have_.begin(), have_.upper_bound(picture.last));
      if (now_ - picture.made > way_ + kLate) ++late_;
      pictures_made_.erase(pictures_made_.begin(), pictures_made_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      longest_gap_ = std::max(longest_gap_, now_ - shown_at_);
      shown_at_ = now_;
      ++shown_;
      return show();
    }
  }
  struct Report {
    std::vector<Arrival> arrivals;
    std::vector<std::uint16_t> missing;
  };
  void report() {
    next_report_ = now_ + kBetweenReports;
    if (arrived_.empty()) return;
    Report report;
    const std::uint64_t last = arrived_.rbegin()->first;
    for (; reported_ <= last; ++reported_) {
      const auto found = arrived_.find(reported_);
      report.arrivals.push_back({static_cast<std::uint16_t>(reported_),
                                 found == arrived_.end() ? std::nullopt : std::optional(found->second)});
    }
    arrived_.clear();
    if (!pictures_made_.empty() && !have_.empty()) {
      for (std::uint64_t s = pictures_made_.front().first; s < *have_.rbegin(); ++s) {
        if (!have_.contains(s)) report.missing.push_back(static_cast<std::uint16_t>(s));
      }
    }
    reports_.emplace_back(now_ + way_, std::move(report));
  }
  void hear() {
    const Report report = std::move(reports_.front().second);
    reports_.pop_front();
    for (const std::uint16_t sequence : report.missing) pacer_.again(kSource, sequence, now_);
    if (report.arrivals.empty()) return;
    rate_.heard(report.arrivals, now_);
    pacer_.set_rate(rate_.kbits(), rate_.is_full(), rate_.doubles());
    if (rate_.take_fall()) {
      pacer_.give_up();
      key_wanted_ = true;
    }
  }

  double lost_;
  Duration way_;
  std::uint32_t most_kbits_;
  std::uint64_t late_ = 0;
  double late_share_ = 0;
  std::mt19937 random_{1};
  Rate rate_;
  Pacer pacer_;
  Time now_{1'000'000};
  double link_kbits_ = 0;
  Time link_free_;
  Time next_picture_;
  Time next_report_;
  bool key_wanted_ = true;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t next_number_ = 0;
  std::uint64_t reported_ = 0;
  std::deque<Flying> flying_;
  std::deque<Picture> pictures_made_;
  std::set<std::uint64_t> have_;
  std::set<std::uint64_t> seen_;
  std::map<std::uint64_t, Time> arrived_;
  std::deque<std::pair<Time, Report>> reports_;
  std::uint64_t shown_ = 0;
  Time shown_at_{1'000'000};
  Duration longest_gap_;
  double pictures_per_second_ = 0;
};

// Of a picture that needs no other one, 80 kB, a link of 3 Mbit/s makes 0.2 s; one of 1 Mbit/s 0.6 s.
TEST(RateAtALink, WhereItFallsThePictureIsSoonBackAndTheRateToo) {
  struct Fall {
    std::uint32_t kbits;
    Duration stands_still;
    double pictures_per_second;
  };
  for (const Fall& fall : {Fall{3'000, milliseconds(900), 50}, Fall{1'000, milliseconds(1'500), 30}}) {
    Link link;
    link.run(seconds(20), 20'000);
    EXPECT_GT(link.kbits(), 12'000U);
    EXPECT_GT(link.pictures_per_second(), 55);
    link.run(seconds(10), fall.kbits);
    EXPECT_LT(link.longest_gap().micros, fall.stands_still.micros) << fall.kbits;
    link.run(seconds(5), fall.kbits);
    EXPECT_GT(link.pictures_per_second(), fall.pictures_per_second) << fall.kbits;
    EXPECT_GT(link.kbits(), fall.kbits / 2);
    EXPECT_LT(link.kbits(), fall.kbits * 5 / 4);
    link.run(seconds(30), 20'000);
    EXPECT_GT(link.kbits(), 8'000U) << "it comes back";
  }
}

// Of a picture of seven packets one in fifteen would wait for what is sent again, and those behind it with it: one in
// five was late.
TEST(RateAtALink, WhereSomeIsLostFarAwayEachPacketIsSentTwice) {
  Link far(0.01, milliseconds(25), 4'000);
  far.run(seconds(20), 20'000);
  far.run(seconds(20), 20'000);
  EXPECT_TRUE(far.doubles());
  EXPECT_LT(far.late_share(), 0.02);
  EXPECT_GT(far.pictures_per_second(), 57);
  EXPECT_GT(far.kbits(), 4'000U);
  EXPECT_LT(far.kbits(), 10'000U) << "twice that is what the link takes";
}

TEST(RateAtALink, NothingIsSentTwiceWhereLittleIsLostOrItIsNearOrThereIsNoRoom) {
  for (Link link : {Link(0, milliseconds(25)), Link(0.01, milliseconds(5))}) {
    link.run(seconds(30), 20'000);
    EXPECT_FALSE(link.doubles());
  }
  Link narrow(0.01, milliseconds(25));
  narrow.run(seconds(30), 2'000);
  EXPECT_FALSE(narrow.doubles());
  EXPECT_GT(narrow.kbits(), 1'000U);
}

// The link falls while each packet goes twice: the rate follows, and in the end goes once.
TEST(RateAtALink, WhereItFallsNothingIsSentTwiceAnyMore) {
  Link link(0.01, milliseconds(25));
  link.run(seconds(20), 20'000);
  ASSERT_TRUE(link.doubles());
  link.run(seconds(20), 1'000);
  EXPECT_FALSE(link.doubles());
  EXPECT_LT(link.kbits(), 1'250U);
  EXPECT_LT(link.longest_gap().micros, milliseconds(2'500).micros);
}

TEST(RateAtALink, WhereSomeIsLostAllTheTimePicturesGoOn) {
  for (const double lost : {0.01, 0.05}) {
    Link link(lost);
    link.run(seconds(10), 20'000);
    link.run(seconds(20), 20'000);
    EXPECT_LT(link.longest_gap().micros, milliseconds(400).micros) << lost;
    EXPECT_GT(link.pictures_per_second(), 50) << lost;
    EXPECT_GT(link.kbits(), 6'000U) << lost;
  }
}

}  // namespace
}  // namespace hearth::media
