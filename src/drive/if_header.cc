#include "drive/if_header.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

// What of the header has not been read.
class Reader {
 public:
  explicit Reader(std::string_view text) : left_(text) {}

  bool at_end() {
    skip_blanks();
    return left_.empty();
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }
  // What stands between two marks, neither of them in it.
  std::optional<std::string> take_between(char first, char last) {
    skip_blanks();
    const std::size_t end = left_.find(last);
    if (!left_.starts_with(first) || end == std::string_view::npos) return std::nullopt;
    std::string inner(left_.substr(1, end - 1));
    left_.remove_prefix(end + 1);
    return inner;
  }

 private:
  void skip_blanks() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t"), left_.size())); }

  std::string_view left_;
};

std::unexpected<Error> malformed() {
  return fail(Code::kInvalidArgument,
              "If: lists as (<token> [\"etag\"]) or (Not <token>), each after <URL> or none of them");
}

std::optional<IfCondition> read_condition(Reader& reader) {
  IfCondition condition;
  condition.negated = reader.take("Not");
  std::optional<std::string> token = reader.take_between('<', '>');
  condition.is_etag = !token;
  if (!token) token = reader.take_between('[', ']');
  if (!token || token->empty()) return std::nullopt;
  condition.value = *std::move(token);
  return condition;
}

}  // namespace

Result<IfHeader> IfHeader::parse(std::string_view text) {
  IfHeader header;
  Reader reader(text);
  std::size_t conditions = 0;
  std::string resource;
  while (!reader.at_end()) {
    if (std::optional<std::string> tag = reader.take_between('<', '>')) resource = *std::move(tag);
    if (!reader.take("(")) return malformed();
    IfList list{.resource = resource, .conditions = {}};
    do {
      std::optional<IfCondition> condition = read_condition(reader);
      if (!condition) return malformed();
      list.conditions.push_back(*std::move(condition));
      if (++conditions > kMaxConditions) {
        return fail(Code::kInvalidArgument, fmt::format("If: more than {} conditions", kMaxConditions));
      }
    } while (!reader.take(")"));
    header.lists_.push_back(std::move(list));
  }
  return header;
}

std::vector<std::string> IfHeader::tokens() const {
  std::vector<std::string> tokens;
  for (const IfList& list : lists_) {
    for (const IfCondition& condition : list.conditions) {
      if (!condition.is_etag) tokens.push_back(condition.value);
    }
  }
  return tokens;
}

bool IfHeader::is_met(const Holds& holds) const {
  return lists_.empty() || std::ranges::any_of(lists_, [&](const IfList& list) {
           return std::ranges::all_of(list.conditions, [&](const IfCondition& condition) {
             return holds(list.resource, condition) != condition.negated;
           });
         });
}

}  // namespace hearth::drive
