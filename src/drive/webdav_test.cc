// What WebDAV's clients send: XML and the If header.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drive/if_header.h"
#include "drive/lock_file.h"
#include "drive/xml.h"

namespace hearth::drive {
namespace {

using ::testing::ElementsAre;

TEST(XmlTest, APropertyIsKeptAsItWasMeant) {
  const auto changes = parse_proppatch(
      "<?xml version='1.0'?><d:propertyupdate xmlns:d='DAV:' xmlns:z='urn:z' xml:lang='de'>"
      "<d:set><d:prop><z:a z:x='1&amp;2' y='&lt;'>t&#13;&amp;<b "
      "xmlns=''>\xf0\x9f\x8d\x8e</b><z:c/></z:a></d:prop></d:set>"
      "<d:remove><d:prop><none xmlns=''/></d:prop></d:remove></d:propertyupdate>");
  ASSERT_TRUE(changes) << changes.error().message;
  ASSERT_EQ(changes->size(), 2U);
  EXPECT_EQ(changes->at(0).xml,
            "<a xmlns=\"urn:z\" xmlns:n0=\"urn:z\" n0:x=\"1&amp;2\" y=\"&lt;\" xml:lang=\"de\">t&#13;&amp;"
            "<b xmlns=\"\">\xf0\x9f\x8d\x8e</b><c/></a>");
  EXPECT_TRUE(changes->at(1).is_removed);
  EXPECT_EQ(changes->at(1).name, (XmlName{.space = "", .local = "none"}));
  const auto again = parse_proppatch(properties_xml({{changes->at(0).name, changes->at(0).xml}}));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->at(0).xml, changes->at(0).xml);
}

TEST(XmlTest, BombsAndOtherThingsAreRefused) {
  const auto error = [](const std::string& body) { return parse_proppatch(body).error().message; };
  EXPECT_THAT(error("<!DOCTYPE a [<!ENTITY b 'c'>]><propertyupdate xmlns='DAV:'/>"),
              testing::HasSubstr("document type"));
  EXPECT_THAT(error("<propertyupdate xmlns='DAV:'/>"), testing::HasSubstr("no property"));
  EXPECT_THAT(error("<propfind xmlns='DAV:'/>"), testing::HasSubstr("no propertyupdate"));
  EXPECT_THAT(error(std::string(300 << 10, ' ')), testing::HasSubstr("256 KiB"));
  std::string deep = "<propertyupdate xmlns='DAV:'>";
  for (int i = 0; i < 40; ++i) deep += "<a>";
  EXPECT_THAT(error(deep), testing::HasSubstr("32 deep"));
  std::string many = "<propertyupdate xmlns='DAV:'><set><prop>";
  for (int i = 0; i < 3'000; ++i) many += "<a/>";
  EXPECT_THAT(error(many), testing::HasSubstr("more than 2000 elements"));
}

TEST(XmlTest, ALockIsExclusiveOrShared) {
  const auto asked = parse_lockinfo(
      "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype>"
      "<D:owner>Mia &amp; Tom</D:owner></D:lockinfo>");
  ASSERT_TRUE(asked);
  EXPECT_TRUE(asked->shared);
  EXPECT_EQ(asked->owner, "<owner xmlns=\"DAV:\">Mia &amp; Tom</owner>");
  EXPECT_FALSE(parse_lockinfo("<D:lockinfo xmlns:D='DAV:'><D:locktype><D:write/></D:locktype></D:lockinfo>"));
}

TEST(IfHeaderTest, ListsAreAlternativesOfConditionsThatAllHold) {
  const auto met = [](std::string_view text, const std::vector<std::string>& holding) {
    const Result<IfHeader> header = IfHeader::parse(text);
    EXPECT_TRUE(header) << text;
    return header->is_met([&](const std::string& resource, const IfCondition& condition) {
      return std::ranges::find(holding, resource + condition.value) != holding.end();
    });
  };
  EXPECT_TRUE(met("", {}));
  EXPECT_TRUE(met("(<t1> [\"e1\"]) (<t2>)", {"t2"}));
  EXPECT_FALSE(met("(<t1> [\"e1\"])", {"t1"}));
  EXPECT_TRUE(met("(<t1> [\"e1\"])", {"t1", "\"e1\""}));
  EXPECT_TRUE(met("(Not <t1>)", {}));
  EXPECT_TRUE(met("</dav/a>(<t1>)(Not<t2>) <http://x/dav/b> ([W/\"e\"])", {"http://x/dav/bW/\"e\"", "/dav/at2"}));
  EXPECT_THAT(IfHeader::parse("<u>(Not <t1> [\"e\"]) (<t2>)")->tokens(), ElementsAre("t1", "t2"));
}

TEST(IfHeaderTest, WhatIsNoListIsRefused) {
  for (const std::string_view wrong : {"(", "()", "<a>", "(<t1>", "t1", "(<>)", "(Not)", "([\"e\")", "(<a>) x"}) {
    EXPECT_FALSE(IfHeader::parse(wrong)) << wrong;
  }
  std::string many = "(";
  for (int i = 0; i < 300; ++i) many += "<t>";
  EXPECT_FALSE(IfHeader::parse(many + ")"));
}

TEST(LockFileTest, KeepsLocksAsTheyAre) {
  const std::vector<Lock> locks{{.token = "urn:uuid:1",
                                 .root = *Path::parse("/Füße/a b%"),
                                 .deep = true,
                                 .holder = {7},
                                 .holder_name = "Mia's laptop",
                                 .owner = "<o>\n</o>",
                                 .expires = {12}},
                                {.token = "t", .root = {}, .shared = true, .holder_name = "", .owner = ""}};
  const Result<std::vector<Lock>> again = decode_locks(encode_locks(locks));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, locks);
  EXPECT_EQ(decode_locks("").value_or(locks).size(), 0U);
  EXPECT_EQ(decode_locks(encode_locks(locks) + "half a").error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace hearth::drive
