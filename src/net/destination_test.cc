#include "net/destination.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

TEST(Destination, IsANameAndAPort) {
  EXPECT_EQ(*parse_destination("a.example:443"), (Endpoint{"a.example", 443}));
  EXPECT_EQ(*parse_destination("A.Example.:80"), (Endpoint{"a.example", 80})) << "names compare without regard to case";
  EXPECT_EQ(*parse_destination("192.0.2.7:65535"), (Endpoint{"192.0.2.7", 65535}));
  EXPECT_EQ(*parse_destination("[2001:DB8:0::1]:443"), (Endpoint{"2001:db8::1", 443}));
  EXPECT_EQ(parse_destination("[2001:db8::1]:443")->text(), "[2001:db8::1]:443");
}

TEST(Destination, RefusesEverythingElse) {
  for (const char* text : {"",
                           ":",
                           "a.example",
                           "a.example:",
                           "a.example:0",
                           "a.example:65536",
                           "a.example:+1",
                           ":443",
                           ".:443",
                           "a..b:443",
                           "a b:443",
                           "a/b:443",
                           "*.example:443",
                           "2001:db8::1:443",
                           "[2001:db8::1:443",
                           "[]:443",
                           "[fe80::1%1]:443",
                           "[a]:1",
                           "user@a.example:443",
                           "a.example:443 ",
                           "a.example:443\n",
                           "http://a.example:443"}) {
    Result<Endpoint> parsed = parse_destination(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("a.example:443"), std::string::npos) << "says what is allowed";
  }
  EXPECT_FALSE(parse_destination(std::string(64, 'a') + ".b:1"));
  EXPECT_FALSE(parse_destination(std::string(300, 'a') + ":1"));
}

}  // namespace
}  // namespace hearth::net
