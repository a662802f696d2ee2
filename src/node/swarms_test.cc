#include "node/swarms.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "swarm/frames.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

TEST(SwarmTerms, AreThoseOfThePolicy) {
  EXPECT_EQ(*parse_swarm_terms("{}"), SwarmTerms());
  EXPECT_TRUE(parse_swarm_terms("{}")->lan_only) << "who says nothing shares on the LAN";
  EXPECT_FALSE(parse_swarm_terms(R"({"swarm": "off"})")->allowed);
  EXPECT_FALSE(parse_swarm_terms(R"({"swarm": "anywhere"})")->lan_only);
  EXPECT_EQ(parse_swarm_terms(R"({"swarm_bytes_per_second": 5000})")->upload_bytes_per_second, 5'000U);
  EXPECT_FALSE(parse_swarm_terms(R"({"swarm": "often"})"));
  EXPECT_FALSE(parse_swarm_terms(R"({"swarm_bytes_per_second": -1})"));
}

class SwarmsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "swarms_test.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(directory_); }

  // A ciphertext that an earlier process left.
  std::string leave(char letter, std::uint64_t size, bool is_whole) {
    v1::SwarmLayout layout;
    layout.set_name(std::string(32, letter));
    layout.set_size(size);
    layout.set_piece_bytes(swarm::kLeastPieceBytes);
    layout.set_hashes(std::string(20 * swarm::pieces_of(layout), 'h'));
    const fs::path file = directory_ / to_hex(layout.name());
    std::ofstream(file) << std::string(size, 'x');
    if (is_whole) {
      std::ofstream stream(file.string() + ".layout", std::ios::binary);
      layout.SerializeToOstream(&stream);
    }
    return layout.name();
  }
  std::unique_ptr<Swarms> open() {
    auto swarms = std::make_unique<Swarms>(Swarms::World{.loop = loop_,
                                                         .workers = workers_,
                                                         .program = directory_ / "no-such-program",
                                                         .bwrap = "bwrap",
                                                         .directory = directory_});
    EXPECT_TRUE(swarms->open());
    return swarms;
  }

  net::Loop loop_;
  net::Workers workers_{1};
  fs::path directory_;
};

TEST_F(SwarmsTest, TakesUpWhatIsWholeAndRemovesTheRest) {
  const std::string whole = leave('a', 1'000, true);
  leave('b', 1'000, false);
  const std::string cut = leave('c', 1'000, true);
  fs::resize_file(directory_ / to_hex(cut), 999);
  std::ofstream(directory_ / "something else") << "x";
  const auto swarms = open();
  ASSERT_EQ(swarms->held().size(), 1U);
  EXPECT_EQ(swarms->held()[0].sha256(), whole);
  EXPECT_EQ(swarms->bytes(), 1'000U);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2);
}

TEST_F(SwarmsTest, StaysWithinTheOwnersLimit) {
  leave('a', 1'000, true);
  leave('b', 2'000, true);
  const auto swarms = open();
  swarms->set_terms({}, 2'500);
  EXPECT_EQ(swarms->held().size(), 1U);
  swarms->set_terms({}, 0);
  EXPECT_TRUE(swarms->held().empty());
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(SwarmsTest, WithoutTheProgramItSharesNothingAndFailsNobody) {
  const auto swarms = open();
  swarms->set_terms({}, 1 << 30);
  EXPECT_EQ(swarms->port(), 0U);
  swarms->add_peers({});
}

}  // namespace
}  // namespace hearth::node
