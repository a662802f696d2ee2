// The chain of the audit log (proto/hearth/v1/audit.proto): each line's hash covers the line before, so whoever kept
// one hash can check all that led to it, without trusting the hub.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hearth/v1/audit.pb.h"

namespace hearth::account {

// `previous`: the hash of the line before; empty for the first.
std::string audit_hash(std::string_view previous, std::string_view statement);

// Takes a log's lines from the first on.
class AuditVerifier {
 public:
  // The line's statement. Errors: kDataLoss: which line is missing, or was changed.
  Result<v1::AuditStatement> next(const v1::AuditLine& line);

  // Of the last line that was taken.
  std::uint64_t number() const { return number_; }
  const std::string& hash() const { return hash_; }

 private:
  std::uint64_t number_ = 0;
  std::string hash_;
};

}  // namespace hearth::account
