#include "account/audit_chain.h"

#include "net/crypto.h"

namespace hearth::account {
namespace {

constexpr std::string_view kContext = "hearth-audit/1";

}  // namespace

std::string audit_hash(std::string_view previous, std::string_view statement) {
  return net::sha256(std::string(kContext).append(previous).append(statement));
}

Result<v1::AuditStatement> AuditVerifier::next(const v1::AuditLine& line) {
  v1::AuditStatement statement;
  const std::string expected = std::to_string(number_ + 1);
  if (!statement.ParseFromString(line.statement())) {
    return fail(Code::kDataLoss, "line " + expected + " of the audit log is malformed: it was changed");
  }
  if (statement.number() != number_ + 1) {
    return fail(Code::kDataLoss, "line " + expected + " of the audit log is missing: after line " +
                                     std::to_string(number_) + " comes line " + std::to_string(statement.number()));
  }
  if (line.hash() != audit_hash(hash_, line.statement())) {
    return fail(Code::kDataLoss, "line " + expected + " of the audit log was changed, or a line before it was");
  }
  number_ = statement.number();
  hash_ = line.hash();
  return statement;
}

}  // namespace hearth::account
