// The If header of WebDAV (RFC 4918, section 10.4): what must hold for a request to be done, and the tokens of the
// locks that its sender knows of.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::drive {

struct IfCondition {
  bool negated = false;
  bool is_etag = false;
  std::string value;  // a lock's token, or an etag with its quotes
};

// Conditions that must all hold, of one resource.
struct IfList {
  std::string resource;  // a URL as it was sent; empty: the request's own
  std::vector<IfCondition> conditions;
};

class IfHeader {
 public:
  static constexpr std::size_t kMaxConditions = 200;

  // An empty header asks for nothing. Errors: kInvalidArgument.
  static Result<IfHeader> parse(std::string_view text);

  // Each token that it names, in whatever way.
  std::vector<std::string> tokens() const;

  // Whether it asks for nothing, or all conditions of some list hold.
  using Holds = std::function<bool(const std::string& resource, const IfCondition& condition)>;  // but for the Not
  bool is_met(const Holds& holds) const;

  bool empty() const { return lists_.empty(); }

 private:
  std::vector<IfList> lists_;
};

}  // namespace hearth::drive
