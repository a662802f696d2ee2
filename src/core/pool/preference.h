// Which of the nodes that have room a job would rather run on:
//
//   -price, speed
//
// the one where electricity costs least, and of several such the fastest. A term is a node's number or several of them
// with * and / between, and the node with the most of it comes first; with a - before it, the one with the least. Later
// terms decide among nodes that are alike in the earlier ones. Three words stand for what people mostly want:
//
//   fast     speed
//   frugal   -watts / cores / speed           the least energy for the same work
//   cheap    -price * watts / cores / speed   the least money for that energy, now
//
// A node that does not say one of a term's numbers comes after all that do.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/pool/attributes.h"

namespace hearth::pool {

class Preference {
 public:
  static constexpr std::size_t kMaxBytes = 256;
  static constexpr std::size_t kMaxTerms = 4;
  static constexpr std::size_t kMaxFactors = 8;  // of a term

  // The smaller, the rather. Finite, or infinity where it is not known; never NaN.
  using Rank = std::array<double, kMaxTerms>;

  // Errors: kInvalidArgument (what is wrong, and what is allowed).
  static Result<Preference> parse(std::string_view text);

  Rank rank(const Attributes& node) const;

 private:
  struct Factor {
    std::string name;
    bool divides = false;
  };
  struct Term {
    std::vector<Factor> factors;
    bool least = false;
  };
  static Result<Term> parse_term(std::string_view text);
  static double value_of(const Term& term, const Attributes& node);

  std::vector<Term> terms_;
};

}  // namespace hearth::pool
