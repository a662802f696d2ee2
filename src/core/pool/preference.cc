#include "core/pool/preference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace hearth::pool {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::infinity();

constexpr std::array kWords = {
    std::pair<std::string_view, std::string_view>{"fast", "speed"},
    std::pair<std::string_view, std::string_view>{"frugal", "-watts / cores / speed"},
    std::pair<std::string_view, std::string_view>{"cheap", "-price * watts / cores / speed"},
};

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// What comes before the first of the characters, taken off the text with it.
std::string_view take_until(std::string_view& text, std::string_view ends, char& end) {
  const std::size_t at = text.find_first_of(ends);
  const std::string_view part = trim(text.substr(0, at));
  end = at == std::string_view::npos ? '\0' : text[at];
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

std::string known_numbers() {
  std::string names;
  for (const KnownAttribute& known : kKnownAttributes) {
    if (known.kind == AttributeKind::kNumber) names += std::string(known.name) + ", ";
  }
  return names + "label.NAME";
}

Result<void> check_name(std::string_view name) {
  const KnownAttribute* known = find_known_attribute(name);
  const bool is_label = name.size() > kLabelPrefix.size() && name.starts_with(kLabelPrefix) &&
                        name.size() <= kMaxAttributeName && !name.contains(' ');
  if (is_label || (known != nullptr && known->kind == AttributeKind::kNumber)) return {};
  return fail(Code::kInvalidArgument, "'" + std::string(name) +
                                          "' is no number that nodes have: write fast, frugal or " +
                                          "cheap, or one of " + known_numbers() + ", with * and / between");
}

}  // namespace

Result<Preference::Term> Preference::parse_term(std::string_view text) {
  Term term;
  text = trim(text);
  if (text.starts_with('-')) {
    term.least = true;
    text.remove_prefix(1);
  }
  char before = '*';
  for (bool goes_on = true; goes_on;) {
    char end = '\0';
    const std::string_view name = take_until(text, "*/", end);
    if (const Result<void> checked = check_name(name); !checked) return std::unexpected(checked.error());
    term.factors.push_back({std::string(name), before == '/'});
    before = end;
    goes_on = end != '\0';
  }
  if (term.factors.size() <= kMaxFactors) return term;
  return fail(Code::kInvalidArgument, "a term has at most " + std::to_string(kMaxFactors) + " numbers");
}

Result<Preference> Preference::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fail(Code::kInvalidArgument,
                "it has " + std::to_string(text.size()) + " bytes: at most " + std::to_string(kMaxBytes));
  }
  for (const auto& [word, meaning] : kWords) {
    if (trim(text) == word) text = meaning;
  }
  Preference preference;
  char end = '\0';
  do {
    Result<Term> term = parse_term(take_until(text, ",", end));
    if (!term) return std::unexpected(term.error());
    preference.terms_.push_back(std::move(*term));
  } while (end != '\0' && preference.terms_.size() <= kMaxTerms);
  if (preference.terms_.size() <= kMaxTerms) return preference;
  return fail(Code::kInvalidArgument, "it has at most " + std::to_string(kMaxTerms) + " terms, with commas between");
}

double Preference::value_of(const Term& term, const Attributes& node) {
  double value = 1;
  for (const Factor& factor : term.factors) {
    const auto found = node.find(factor.name);
    const double* number = found == node.end() ? nullptr : std::get_if<double>(&found->second);
    if (number == nullptr) return kUnknown;
    value = factor.divides ? value / *number : value * *number;
  }
  if (!std::isfinite(value)) return kUnknown;
  return term.least ? value : -value;
}

Preference::Rank Preference::rank(const Attributes& node) const {
  Rank rank{};
  std::ranges::transform(terms_, rank.begin(), [&node](const Term& term) { return value_of(term, node); });
  return rank;
}

}  // namespace hearth::pool
