#include "core/pool/condition.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace hearth::pool {
namespace {

constexpr int kMaxDepth = 32;
constexpr int kMaxParts = 16;  // named in answers

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// '*' is any text, '?' any one character.
bool is_like(std::string_view text, std::string_view pattern) {
  std::size_t at = 0;
  std::size_t in = 0;
  std::optional<std::pair<std::size_t, std::size_t>> star;  // where to go on after a star that took too little
  while (at < text.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star.emplace(++in, at);
    } else if (in < pattern.size() && (pattern[in] == '?' || pattern[in] == text[at])) {
      ++in;
      ++at;
    } else if (star) {
      in = star->first;
      at = ++star->second;
    } else {
      return false;
    }
  }
  while (in < pattern.size() && pattern[in] == '*') ++in;
  return in == pattern.size();
}

std::string list_of_attributes() {
  std::string list;
  for (const KnownAttribute& known : kKnownAttributes) list += std::string(known.name) + ", ";
  return list + "label.NAME";
}

std::string_view name_of(AttributeKind kind) {
  return kind == AttributeKind::kFlag     ? "true or false"
         : kind == AttributeKind::kNumber ? "a number"
                                          : "a text in quotes";
}

}  // namespace

class ConditionParser {
 public:
  explicit ConditionParser(std::string_view text) : text_(text) { made_.text_ = text; }

  Result<Condition> parse() {
    const std::size_t root = parse_or(0);
    skip_spaces();
    if (error_.empty() && at_ < text_.size()) complain("'" + rest() + "' is too much: join comparisons by && or ||");
    if (!error_.empty()) return fail(Code::kInvalidArgument, error_);
    made_.root_ = root;
    add_parts(root);
    return std::move(made_);
  }

 private:
  using Kind = Condition::Kind;
  using Term = Condition::Term;

  // The first complaint counts; after it nothing is read any more.
  void complain(const std::string& what) {
    if (error_.empty()) error_ = "at character " + std::to_string(at_ + 1) + ": " + what;
  }
  std::string rest() const { return std::string(text_.substr(at_, 20)); }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool take(std::string_view token) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(token)) return false;
    if (is_name_character(token.front()) && at_ + token.size() < text_.size() &&
        is_name_character(text_[at_ + token.size()])) {
      return false;  // the beginning of a longer word
    }
    at_ += token.size();
    return true;
  }
  std::size_t add(Term term) {
    made_.terms_.push_back(std::move(term));
    return made_.terms_.size() - 1;
  }

  std::size_t parse_or(int depth) {
    std::size_t left = parse_and(depth);
    while (error_.empty() && (take("||") || take("or"))) {
      left = join(Kind::kOr, left, parse_and(depth));
    }
    return left;
  }
  std::size_t parse_and(int depth) {
    std::size_t left = parse_not(depth);
    while (error_.empty() && (take("&&") || take("and"))) {
      left = join(Kind::kAnd, left, parse_not(depth));
    }
    return left;
  }
  std::size_t join(Kind kind, std::size_t left, std::size_t right) {
    if (!error_.empty()) return left;
    return add({.kind = kind,
                .left = left,
                .right = right,
                .first = made_.terms_[left].first,
                .end = made_.terms_[right].end});
  }
  std::size_t parse_not(int depth) {
    skip_spaces();
    const std::size_t first = at_;
    if (depth > kMaxDepth) {
      complain("more than 32 parentheses and negations lie within each other");
    } else if (!text_.substr(at_).starts_with("!=") && (take("!") || take("not"))) {
      const std::size_t inner = parse_not(depth + 1);
      if (error_.empty()) return add({.kind = Kind::kNot, .left = inner, .right = inner, .first = first, .end = at_});
    } else if (take("(")) {
      const std::size_t inner = parse_or(depth + 1);
      if (error_.empty() && !take(")")) complain("a ')' is missing");
      if (error_.empty()) made_.terms_[inner].first = first, made_.terms_[inner].end = at_;
      return inner;
    } else {
      return parse_comparison(first);
    }
    return 0;
  }

  std::size_t parse_comparison(std::size_t first) {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    const std::string name(text_.substr(start, at_ - start));
    const std::optional<AttributeKind> kind = kind_of(name, start);
    if (!error_.empty()) return 0;
    Term term{.kind = Kind::kEqual, .name = name, .value = true, .first = first, .end = at_};
    if (!parse_operator(term.kind)) {
      if (kind && *kind != AttributeKind::kFlag) {
        complain("compare " + name + " with " + std::string(name_of(*kind)) + ", by == != < <= > >= or ~");
      }
      return error_.empty() ? add(std::move(term)) : 0;
    }
    parse_value(term);
    term.end = at_;
    if (error_.empty()) check_kind(term, kind);
    return error_.empty() ? add(std::move(term)) : 0;
  }

  // None: a label, which may be of any kind.
  std::optional<AttributeKind> kind_of(const std::string& name, std::size_t start) {
    const KnownAttribute* known = find_known_attribute(name);
    if (known != nullptr) return known->kind;
    const bool is_label = name.starts_with(kLabelPrefix) && name.size() > kLabelPrefix.size();
    if (is_label && name.size() <= kMaxAttributeName) return std::nullopt;
    at_ = start;
    complain((name.empty() ? (rest().empty() ? "an attribute is missing" : "'" + rest() + "' begins with no attribute")
                           : "nodes have no attribute '" + name + "'") +
             "; those that there are: " + list_of_attributes());
    return std::nullopt;
  }

  bool parse_operator(Kind& kind) {
    struct Spelling {
      std::string_view text;
      Kind kind;
    };
    constexpr std::array kSpellings = {Spelling{"==", Kind::kEqual},  Spelling{"!=", Kind::kUnequal},
                                       Spelling{"<=", Kind::kAtMost}, Spelling{">=", Kind::kAtLeast},
                                       Spelling{"<", Kind::kLess},    Spelling{">", Kind::kMore},
                                       Spelling{"~", Kind::kLike},    Spelling{"=", Kind::kEqual}};
    for (const Spelling& spelling : kSpellings) {
      if (!take(spelling.text)) continue;
      kind = spelling.kind;
      return true;
    }
    return false;
  }

  void parse_value(Term& term) {
    skip_spaces();
    if (at_ == text_.size()) return complain("what '" + term.name + "' is compared with is missing");
    const char c = text_[at_];
    if (c == '"' || c == '\'') {
      const std::size_t end = text_.find(c, at_ + 1);
      if (end == std::string_view::npos) return complain("a quote is not closed");
      if (end - at_ - 1 > kMaxAttributeText) return complain("a text is longer than 256 bytes");
      term.value = std::string(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
    } else if (is_digit(c) || c == '-' || c == '.') {
      parse_number(term);
    } else if (take("true")) {
      term.value = true;
    } else if (take("false")) {
      term.value = false;
    } else {
      complain("'" + rest() + "' is no value: a number like 8G, a text in quotes, true or false");
    }
  }
  void parse_number(Term& term) {
    double number = 0;
    const char* first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(number)) return complain("'" + rest() + "' is no number");
    at_ += static_cast<std::size_t>(end - first);
    constexpr std::string_view kUnits = "KMGT";
    if (at_ < text_.size() && kUnits.contains(text_[at_])) {
      number = std::ldexp(number, 10 * static_cast<int>(kUnits.find(text_[at_++]) + 1));
      if (text_.substr(at_).starts_with("iB")) at_ += 2;
    }
    if (at_ < text_.size() && is_name_character(text_[at_])) return complain("a number ends in K, M, G, T or nothing");
    term.value = number;
  }
  void check_kind(const Term& term, std::optional<AttributeKind> kind) {
    const auto given = static_cast<AttributeKind>(term.value.index());
    const bool is_ordered = term.kind != Kind::kEqual && term.kind != Kind::kUnequal && term.kind != Kind::kLike;
    if (kind && *kind != given) {
      complain(term.name + " is compared with " + std::string(name_of(*kind)));
    } else if (term.kind == Kind::kLike && given != AttributeKind::kText) {
      complain("~ compares with a pattern in quotes");
    } else if (is_ordered && given != AttributeKind::kNumber) {
      complain("< <= > >= compare numbers");
    }
  }

  void add_parts(std::size_t index) {
    const Term& term = made_.terms_[index];
    const bool is_enclosed = text_[term.first] == '(' && made_.terms_[term.left].first != term.first;
    if (term.kind == Kind::kAnd && !is_enclosed && made_.parts_.size() < kMaxParts - 1) {
      add_parts(term.left);
      add_parts(term.right);
    } else {
      made_.parts_.push_back(index);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
  Condition made_;
};

Result<Condition> Condition::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return fail(Code::kInvalidArgument, std::to_string(text.size()) + " bytes: at most " + std::to_string(kMaxBytes));
  }
  return ConditionParser(text).parse();
}

bool Condition::holds(std::size_t index, const Attributes& node) const {
  const Term& term = terms_[index];
  switch (term.kind) {
    case Kind::kAnd:
      return holds(term.left, node) && holds(term.right, node);
    case Kind::kOr:
      return holds(term.left, node) || holds(term.right, node);
    case Kind::kNot:
      return !holds(term.left, node);
    default:
      return compare(term, node);
  }
}

bool Condition::compare(const Term& term, const Attributes& node) {
  const auto found = node.find(term.name);
  if (found == node.end() || found->second.index() != term.value.index()) return term.kind == Kind::kUnequal;
  const AttributeValue& is = found->second;
  switch (term.kind) {
    case Kind::kEqual:
      return is == term.value;
    case Kind::kUnequal:
      return is != term.value;
    case Kind::kLess:
      return is < term.value;
    case Kind::kAtMost:
      return is <= term.value;
    case Kind::kMore:
      return is > term.value;
    case Kind::kAtLeast:
      return is >= term.value;
    default:
      return is_like(std::get<std::string>(is), std::get<std::string>(term.value));
  }
}

std::vector<std::string> Condition::parts() const {
  std::vector<std::string> texts;
  for (const std::size_t part : parts_)
    texts.push_back(text_.substr(terms_[part].first, terms_[part].end - terms_[part].first));
  return texts;
}

}  // namespace hearth::pool
