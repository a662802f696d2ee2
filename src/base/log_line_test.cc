#include "base/log_line.h"

#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hearth {
namespace {

using nlohmann::json;

TEST(LogLine, AsTextQuotesWhatIsNoPlainWord) {
  const std::vector<LogField> fields = {{"name", "kitchen PC"},    {"ring", "home"}, {"cores", 4},
                                        {"odd", "a\"b\\c\nd\x1b"}, {"empty", ""},    {"x", "a=b"}};
  EXPECT_EQ(text_log_line("node connected", fields),
            "node connected name=\"kitchen PC\" ring=home cores=4 odd=\"a\\\"b\\\\c\\nd\\x1b\" empty=\"\" x=\"a=b\"");
  EXPECT_EQ(text_log_line("two\nlines", {}), "two\\nlines");
}

TEST(LogLine, AsJsonKeepsFieldsApart) {
  const std::vector<LogField> fields = {
      {"name", "a\"b\\c\nd"}, {"cores", 4U}, {"change", -7}, {"bytes", 18446744073709551615ULL}};
  EXPECT_EQ(json_log_line(LogLevel::kWarning, {1'769'860'800'007}, "node connected cores=9", fields),
            R"({"time":"2026-01-31T12:00:00.007Z","level":"warning","message":"node connected cores=9",)"
            R"("name":"a\"b\\c\nd","cores":4,"change":-7,"bytes":18446744073709551615})");
}

TEST(LogLine, AsJsonIsUtf8WhateverItIsGiven) {
  const std::vector<LogField> fields = {{"name", std::string_view("K\xC3\xBC"
                                                                  "che \xFF\xC3 \0",
                                                                  10)}};
  const json line = json::parse(json_log_line(LogLevel::kInfo, {0}, "\xFF", fields), nullptr, false);
  ASSERT_FALSE(line.is_discarded());
  EXPECT_EQ(line.at("message"), "\xEF\xBF\xBD");
  EXPECT_EQ(line.at("name"), std::string("K\xC3\xBC"
                                         "che \xEF\xBF\xBD\xEF\xBF\xBD \0",
                                         14));
  EXPECT_EQ(line.at("time"), "1970-01-01T00:00:00.000Z");
}

TEST(LogLineDeathTest, HasNoFieldThatHidesItsOwn) {
  const std::vector<LogField> fields = {{"level", "fence"}};
  EXPECT_DEATH(json_log_line(LogLevel::kInfo, {}, "", fields), "key");
}

TEST(LogLine, FormatsHaveNames) {
  EXPECT_EQ(parse_log_format("json"), LogFormat::kJson);
  EXPECT_EQ(parse_log_format("text"), LogFormat::kText);
  EXPECT_FALSE(parse_log_format("JSON"));
}

}  // namespace
}  // namespace hearth
