#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth {
namespace {

TEST(Bytes, HexRoundTripsAndRefusesNonsense) {
  const std::string all = [] {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
  }();
  EXPECT_EQ(from_hex(to_hex(all)), all);
  EXPECT_EQ(to_hex("\x01\xff"), "01ff");
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("zz"));
}

TEST(Bytes, Base64AcceptsBothAlphabetsAndPadding) {
  EXPECT_EQ(to_base64url("\xff\xfe\xfd"), "__79");
  EXPECT_EQ(from_base64("//79"), "\xff\xfe\xfd");
  EXPECT_EQ(from_base64("aGk="), "hi");
  EXPECT_EQ(from_base64("aGk"), "hi");
  EXPECT_FALSE(from_base64("a"));
  EXPECT_FALSE(from_base64("a b="));
}

TEST(Bytes, SizesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_bytes("2G"), 2 * kGiB);
  EXPECT_EQ(parse_bytes("1.5GiB"), 3ULL << 29);
  EXPECT_EQ(parse_bytes("640k"), 640 * kKiB);
  EXPECT_EQ(parse_bytes("17"), 17U);
  for (const char* wrong : {"", "G", "-1G", "1X", "1GG", "99999999P", "nan"}) EXPECT_FALSE(parse_bytes(wrong)) << wrong;
  EXPECT_EQ(format_bytes(3ULL << 29), "1.5 GiB");
  EXPECT_EQ(format_bytes(1), "1 byte");
}

TEST(Bytes, PlainUtf8RefusesControlCharactersAndIllFormedSequences) {
  EXPECT_TRUE(is_plain_utf8("Großmutters Händy 📱"));
  for (const char* wrong : {"a\nb", "\x7f", "\xc2\x85", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(is_plain_utf8(wrong)) << to_hex(wrong);
  }
}

TEST(Bytes, PrefixesOfUtf8EndWithAWholeCharacter) {
  EXPECT_EQ(utf8_prefix("Händy", 9), "Händy");
  EXPECT_EQ(utf8_prefix("Händy", 3), "Hä");
  EXPECT_EQ(utf8_prefix("Händy", 2), "H");
  EXPECT_EQ(utf8_prefix("📱", 3), "");
  EXPECT_EQ(utf8_prefix("", 0), "");
}

TEST(Bytes, Utf8MayHoldControlCharacters) {
  EXPECT_TRUE(is_utf8("a\n\tb \xc2\x85 📱"));
  for (const char* wrong : {"\xc0\xaf", "\xed\xa0\x80", "\xe2\x82"}) EXPECT_FALSE(is_utf8(wrong)) << to_hex(wrong);
}

TEST(Bytes, AShortNameGoesIntoCommandsAndAddresses) {
  for (const char* good : {"a", "0", "my-work_2.x", "host"}) EXPECT_TRUE(is_short_name(good)) << good;
  for (const char* bad : {"", "-a", ".a", "_", "A", "a/b", "a b", "a:b", "ä"}) EXPECT_FALSE(is_short_name(bad)) << bad;
  EXPECT_TRUE(is_short_name(std::string(64, 'a')));
  EXPECT_FALSE(is_short_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace hearth
