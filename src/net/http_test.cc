#include "net/http.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

TEST(Headers, CompareNamesWithoutCase) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("X", "1");
  headers.add("x", "2");
  EXPECT_EQ(headers.get("content-TYPE"), "a");
  EXPECT_EQ(headers.get("X"), "1");
  EXPECT_EQ(headers.get("none"), "");
  EXPECT_TRUE(headers.has("X"));
  EXPECT_FALSE(headers.has("Y"));
  headers.set("X", "3");
  EXPECT_EQ(headers.get("x"), "3");
  EXPECT_EQ(headers.fields().size(), 2U);
}

TEST(QueryValue, FindsAndDecodes) {
  EXPECT_EQ(query_value("a=1&b=two+words&c=%C3%A9", "b"), "two words");
  EXPECT_EQ(query_value("a=1&b=two&c=%C3%A9", "c"), "\xC3\xA9");
  EXPECT_EQ(query_value("a=1&a=2", "a"), "1");
  EXPECT_EQ(query_value("flag", "flag"), "");
  EXPECT_EQ(query_value("a=b=c", "a"), "b=c");
  EXPECT_EQ(query_value("a%20b=1", "a b"), "1");
  EXPECT_EQ(query_value("a=%zz%4", "a"), "%zz%4");
  EXPECT_EQ(query_value("a=%41", "a"), "A");
  EXPECT_EQ(query_value("ab=1", "a"), std::nullopt);
  EXPECT_EQ(query_value("", "a"), std::nullopt);
  EXPECT_EQ(query_value("&&=1&", ""), std::nullopt);
}

TEST(IsAskedFromElsewhere, GoesByWhatTheBrowserSays) {
  const auto elsewhere = [](std::string_view origin, std::string_view site) {
    RequestHead head;
    head.headers.add("Host", "pc.local:7443");
    if (!origin.empty()) head.headers.add("Origin", std::string(origin));
    if (!site.empty()) head.headers.add("Sec-Fetch-Site", std::string(site));
    return is_asked_from_elsewhere(head);
  };
  EXPECT_FALSE(elsewhere("", ""));
  EXPECT_FALSE(elsewhere("https://pc.local:7443", "same-origin"));
  EXPECT_FALSE(elsewhere("", "none"));
  EXPECT_TRUE(elsewhere("", "same-site"));
  EXPECT_TRUE(elsewhere("", "cross-site"));
  EXPECT_TRUE(elsewhere("https://pc.local:7444", ""));
  EXPECT_TRUE(elsewhere("http://pc.local:7443", ""));
  EXPECT_TRUE(elsewhere("null", "same-origin"));
}

TEST(CookieValue, FindsTheName) {
  EXPECT_EQ(cookie_value("a=1; session=abc; b=2", "session"), "abc");
  EXPECT_EQ(cookie_value("a=1;session=\"abc\"", "session"), "abc");
  EXPECT_EQ(cookie_value("xsession=no; session=yes=", "session"), "yes=");
  EXPECT_EQ(cookie_value("session", "session"), "");
  EXPECT_EQ(cookie_value("", "session"), "");
}

TEST(TextResponse, SaysStatusAndMessage) {
  Response response = text_response(404, "/x");
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.body, "404 not found: /x\n");
  EXPECT_EQ(response.headers.get("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(text_response(400, "").body, "400 bad request\n");
}

struct RangeCase {
  std::string_view header;
  std::uint64_t size;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> expected;
  bool unsatisfiable;
};

TEST(ParseRange, Table) {
  const RangeCase cases[] = {
      {"bytes=0-0", 10, {{0, 1}}, false},
      {"bytes=2-5", 10, {{2, 4}}, false},
      {"bytes=2-", 10, {{2, 8}}, false},
      {"bytes=-3", 10, {{7, 3}}, false},
      {"bytes=-30", 10, {{0, 10}}, false},
      {"bytes=5-99999999999999999999999", 10, {{5, 5}}, false},
      {"Bytes = 1-2", 10, {{1, 2}}, false},
      {"bytes=9-9", 10, {{9, 1}}, false},
      {"bytes=10-", 10, {}, true},
      {"bytes=10-12", 10, {}, true},
      {"bytes=99999999999999999999-", 10, {}, true},
      {"bytes=-0", 10, {}, true},
      {"bytes=-5", 0, {}, true},
      {"bytes=0-", 0, {}, true},
      {"bytes=5-2", 10, {}, false},
      {"bytes=0-1,3-4", 10, {}, false},
      {"bytes=a-b", 10, {}, false},
      {"bytes=-", 10, {}, false},
      {"bytes=--1", 10, {}, false},
      {"bytes=5", 10, {}, false},
      {"bytes", 10, {}, false},
      {"lines=0-1", 10, {}, false},
      {"", 10, {}, false},
  };
  for (const RangeCase& one : cases) {
    bool unsatisfiable = !one.unsatisfiable;
    std::optional<ByteRange> range = parse_range(one.header, one.size, unsatisfiable);
    EXPECT_EQ(unsatisfiable, one.unsatisfiable) << one.header;
    ASSERT_EQ(range.has_value(), one.expected.has_value()) << one.header;
    if (!range) continue;
    EXPECT_EQ(range->first, one.expected->first) << one.header;
    EXPECT_EQ(range->count, one.expected->second) << one.header;
  }
}

}  // namespace
}  // namespace hearth::net
