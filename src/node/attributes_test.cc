#include "node/attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"

namespace hearth::node {
namespace {

using testing::HasSubstr;

const v1::Attribute* find(const AttributeList& list, std::string_view name) {
  for (const v1::Attribute& attribute : list) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

TEST(NodeAttributes, TellWhatTheMachineIsAndWhatItsOwnerSays) {
  sandbox::Machine machine{.cores = 8, .memory_bytes = 1 << 30, .os = "debian", .architecture = "x86_64"};
  machine.gpus = {{.name = "one", .memory_bytes = 16}, {.name = "two", .memory_bytes = 8}};
  const Result<OwnersWords> words =
      parse_owners_words(R"({"cores": 2, "labels": {"room": "cellar", "quiet": true, "tier": 3}, "watts": 65.5})");
  ASSERT_TRUE(words) << words.error().message;
  const AttributeList list = make_attributes(machine, "fence", {.speed = 350, .price = 210, .screen = true}, *words);
  EXPECT_EQ(find(list, "cores")->number(), 8);
  EXPECT_EQ(find(list, "os")->text(), "debian");
  EXPECT_EQ(find(list, "gpu")->text(), "one");
  EXPECT_EQ(find(list, "gpu.memory")->number(), 8) << "the smallest one's";
  EXPECT_EQ(find(list, "gpus")->number(), 2);
  EXPECT_EQ(find(list, "speed")->number(), 350);
  EXPECT_EQ(find(list, "price")->number(), 0.21);
  EXPECT_EQ(find(list, "watts")->number(), 65.5);
  EXPECT_EQ(find(list, "label.room")->text(), "cellar");
  EXPECT_TRUE(find(list, "label.quiet")->flag());
  EXPECT_EQ(find(list, "label.tier")->number(), 3);
  EXPECT_EQ(find(list, "cpu"), nullptr) << "unknown";
  EXPECT_EQ(find(list, "kernel"), nullptr);
}

// The hub takes nothing of a hello with a text in it that is no UTF-8: the node would be out of its pool for good.
TEST(NodeAttributes, AreTextWhateverTheSystemSays) {
  std::string name = "x";
  for (int i = 0; i < 200; ++i) name += "ü";
  const AttributeList list = make_attributes({.os = name, .os_version = "caf\xe9"}, "", {}, {});
  ASSERT_NE(find(list, "os"), nullptr);
  EXPECT_TRUE(is_plain_utf8(find(list, "os")->text()));
  EXPECT_EQ(find(list, "os")->text().size(), 255U);
  EXPECT_EQ(find(list, "os.version")->text(), "caf?");
}

TEST(NodeAttributes, SayNothingThatIsNotKnown) {
  const AttributeList list = make_attributes({}, "", {}, {});
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(list[0].name(), "gpus");
}

TEST(NodeAttributes, WrongWordsOfTheOwnersAreNamed) {
  const auto error = [](std::string_view json) {
    const Result<OwnersWords> words = parse_owners_words(json);
    return words ? std::string() : words.error().message;
  };
  EXPECT_EQ(error("{}"), "");
  EXPECT_EQ(error(R"({"labels": null, "watts": null})"), "");
  EXPECT_THAT(error(R"({"labels": []})"), HasSubstr("\"labels\" must be an object"));
  EXPECT_THAT(error(R"({"labels": {"Room": 1}})"), HasSubstr("a-z"));
  EXPECT_THAT(error(R"({"labels": {"room": {}}})"), HasSubstr("labels.room"));
  EXPECT_THAT(error(R"({"watts": -1})"), HasSubstr("watts"));
}

TEST(NodeAttributes, TheSpeedIsMeasured) { EXPECT_GT(measure_speed(), 0); }

}  // namespace
}  // namespace hearth::node
