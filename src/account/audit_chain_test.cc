#include "account/audit_chain.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "net/crypto.h"

namespace hearth::account {
namespace {

using testing::HasSubstr;

std::vector<v1::AuditLine> chain(std::uint64_t count) {
  std::vector<v1::AuditLine> lines;
  std::string hash;
  for (std::uint64_t number = 1; number <= count; ++number) {
    v1::AuditStatement statement;
    statement.set_number(number);
    statement.set_action("device.ring");
    v1::AuditLine& line = lines.emplace_back();
    line.set_statement(statement.SerializeAsString());
    line.set_hash(hash = audit_hash(hash, line.statement()));
  }
  return lines;
}

// The error of the first line that is not taken; empty if all are.
std::string complaint(const std::vector<v1::AuditLine>& lines) {
  AuditVerifier verifier;
  for (const v1::AuditLine& line : lines) {
    const auto statement = verifier.next(line);
    if (statement) continue;
    EXPECT_EQ(statement.error().code, Code::kDataLoss);
    return statement.error().message;
  }
  EXPECT_EQ(verifier.number(), lines.size());
  return "";
}

TEST(AuditChain, IsWhatTheSchemaSays) {
  EXPECT_EQ(audit_hash("", "a"), net::sha256("hearth-audit/1a"));
  EXPECT_EQ(audit_hash(std::string(32, 'p'), "a"), net::sha256("hearth-audit/1" + std::string(32, 'p') + "a"));
}

TEST(AuditChain, TakesWhatIsWhole) { EXPECT_EQ(complaint(chain(5)), ""); }

TEST(AuditChain, FindsAMissingAChangedAndAnAddedLine) {
  auto lines = chain(5);
  lines.erase(lines.begin() + 2);
  EXPECT_THAT(complaint(lines), HasSubstr("line 3 of the audit log is missing"));
  lines = chain(5);
  lines.erase(lines.begin());
  EXPECT_THAT(complaint(lines), HasSubstr("line 1 of the audit log is missing"));
  lines = chain(5);
  v1::AuditStatement changed;
  ASSERT_TRUE(changed.ParseFromString(lines[1].statement()));
  changed.set_action("device.allow");
  lines[1].set_statement(changed.SerializeAsString());
  EXPECT_THAT(complaint(lines), HasSubstr("line 2 of the audit log was changed"));
  lines[1].set_hash(audit_hash(lines[0].hash(), lines[1].statement()));  // and with it its own hash
  EXPECT_THAT(complaint(lines), HasSubstr("line 3 of the audit log was changed, or a line before it was"));
  lines = chain(5);
  lines.insert(lines.begin() + 1, lines[1]);
  EXPECT_THAT(complaint(lines), HasSubstr("after line 2 comes line 2"));
  lines = chain(2);
  lines[1].set_statement("\xFF");
  EXPECT_THAT(complaint(lines), HasSubstr("line 2 of the audit log is malformed"));
}

}  // namespace
}  // namespace hearth::account
