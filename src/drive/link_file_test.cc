#include "drive/link_file.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

Link a_link() {
  return {.id = {0x123456789abc},
          .secret_hash = std::string(32, '\x01'),
          .key = std::string(32, '\xff'),
          .path = *Path::parse("/photos & more/\xc3\xa4 b"),
          .rights = {.see = true, .download = true},
          .label = "Mia's wedding\t100 %",
          .maker = {7},
          .maker_name = "Mia's phone",
          .made = {1'700'000'000'000},
          .expires = WallTime{1'800'000'000'000},
          .max_uses = 3,
          .uses = 2,
          .last_used = WallTime{1'750'000'000'000},
          .password = "scrypt$32768$8$1$a$b"};
}

TEST(LinkFileTest, WhatIsKeptIsReadAgain) {
  Link other = a_link();
  other.id = {1};
  other.path = {};
  other.expires.reset();
  other.last_used.reset();
  other.label.clear();
  other.password.clear();
  other.rights = {.add = true};
  const std::vector<Link> links{a_link(), other};
  const Result<std::vector<Link>> read = decode_links(encode_links(links));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, links);
  EXPECT_TRUE(decode_links("")->empty());
}

TEST(LinkFileTest, ADamagedLineIsNamed) {
  const std::string line = encode_links({a_link()});
  EXPECT_EQ(decode_links(line + line.substr(0, line.size() / 2)).error().message,
            "line 2 of the drive's links is damaged");
  for (const auto& [from, to] :
       {std::pair("sd--", "sx--"), std::pair("sd--", "----"), std::pair("sd--", "-d--"), std::pair("0101", "01"),
        std::pair("1800000000000", "soon"), std::pair("123456789abc", "123456789ABC"),
        std::pair("%2Fphotos%20%26%20more", "%2F..")}) {
    std::string damaged = line;
    damaged.replace(damaged.find(from), std::string_view(from).size(), to);
    EXPECT_FALSE(decode_links(damaged)) << from << " " << to;
  }
}

}  // namespace
}  // namespace hearth::drive
