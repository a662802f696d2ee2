// A question about a node's attributes, which a job asks of the nodes that it may run on:
//
//   gpu.memory >= 8G && os == "debian"
//   label.room == 'cellar' or not (arch != x86_64 and speed < 300)
//
// Comparisons (== != < <= > >=, and ~ for a text by a pattern of * and ?) of an attribute with a number, which may end
// in K, M, G or T (of 1024), with a text in either kind of quotes, or with true or false; a flag alone; && || ! or
// their words and, or, not; parentheses. A comparison with an attribute that a node does not have is false, but for !=.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/pool/attributes.h"

namespace hearth::pool {

class Condition {
 public:
  static constexpr std::size_t kMaxBytes = 1'024;

  // Errors: kInvalidArgument (what is wrong at which character, and what is allowed).
  static Result<Condition> parse(std::string_view text);

  bool holds(const Attributes& node) const { return holds(root_, node); }

  // What must all hold, as it was written: "a && b" has two parts.
  std::vector<std::string> parts() const;
  bool part_holds(std::size_t part, const Attributes& node) const { return holds(parts_[part], node); }

 private:
  friend class ConditionParser;
  enum class Kind : std::uint8_t { kAnd, kOr, kNot, kEqual, kUnequal, kLess, kAtMost, kMore, kAtLeast, kLike };
  struct Term {
    Kind kind = Kind::kAnd;
    std::size_t left = 0;  // terms, by their place in terms_
    std::size_t right = 0;
    std::string name;  // of a comparison
    AttributeValue value;
    std::size_t first = 0;  // where it was written
    std::size_t end = 0;
  };

  bool holds(std::size_t index, const Attributes& node) const;
  static bool compare(const Term& term, const Attributes& node);

  std::string text_;
  std::vector<Term> terms_;
  std::size_t root_ = 0;
  std::vector<std::size_t> parts_;
};

}  // namespace hearth::pool
