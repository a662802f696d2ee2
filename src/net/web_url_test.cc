#include "net/web_url.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

TEST(WebUrl, IsASchemeAHostAndATarget) {
  const auto plain = parse_web_url("https://A.Example/hooks/7?x=1&y=%20");
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->tls);
  EXPECT_EQ(plain->endpoint, (Endpoint{"a.example", 443}));
  EXPECT_EQ(plain->target, "/hooks/7?x=1&y=%20");
  EXPECT_EQ(plain->host(), "a.example");
  EXPECT_EQ(plain->text(), "https://a.example/hooks/7?x=1&y=%20");
  const auto port = parse_web_url("http://192.0.2.7:8080");
  ASSERT_TRUE(port);
  EXPECT_FALSE(port->tls);
  EXPECT_EQ(port->host(), "192.0.2.7:8080");
  EXPECT_EQ(port->target, "/");
  EXPECT_EQ(parse_web_url("https://[2001:db8::1]/x")->text(), "https://[2001:db8::1]/x");
  EXPECT_EQ(parse_web_url("http://a.example:443?q")->text(), "http://a.example:443/?q");
}

TEST(WebUrl, RefusesWhatReadersCouldTakeDifferently) {
  for (const char* text :
       {"", "a.example", "ftp://a.example/", "HTTPS://a.example/", "https://", "https:///x", "https://u@a.example/",
        "https://a.example@b.example/", "https://a.example/#f", "https://a.example/a b", "https://a.example/\\b",
        "https://a.example\\@b.example/", "https://a.example:0/", "https://a.example:70000/", "https://a.example:x/",
        "https://a.example/\r\nX: y", "https://a\nb/", "https://[::1/", "https://2130706433:80:80/"}) {
    const auto url = parse_web_url(text);
    EXPECT_FALSE(url) << text;
    if (!url) EXPECT_EQ(url.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(parse_web_url("https://a.example/" + std::string(kMaxUrlBytes, 'x')));
}

}  // namespace
}  // namespace hearth::net
