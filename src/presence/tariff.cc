#include "presence/tariff.h"

#include <charconv>
#include <string>

namespace hearth::presence {
namespace {

constexpr std::size_t kMaxSpans = 1'000;
constexpr std::uint64_t kMaxUnits = 1'000'000;
constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

// All of the text as a number of at most `digits` digits.
std::optional<std::uint64_t> number(std::string_view text, std::size_t digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.size() > digits) return std::nullopt;
  return value;
}

// "22:30"; 24:00 is the day's end.
std::optional<std::uint16_t> minute_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.size() - colon != 3) return std::nullopt;
  const auto hour = number(text.substr(0, colon), 2);
  const auto minute = number(text.substr(colon + 1), 2);
  if (!hour || !minute || *minute > 59 || *hour * 60 + *minute > 24 * 60) return std::nullopt;
  return static_cast<std::uint16_t>((*hour * 60 + *minute) % (24 * 60));
}

}  // namespace

Result<std::uint64_t> parse_price(std::string_view text) {
  const std::size_t point = text.find('.');
  const auto units = number(text.substr(0, point), 7);
  std::string_view decimals = point == std::string_view::npos ? std::string_view("0") : text.substr(point + 1);
  auto thousandths = number(decimals, 3);
  if (!units || !thousandths || *units > kMaxUnits) {
    return fail(Code::kInvalidArgument, "'" + std::string(text.substr(0, 40)) +
                                            "' is no price: a number like 0.34 is needed, with up to three decimals");
  }
  for (std::size_t digits = decimals.size(); digits < 3; ++digits) *thousandths *= 10;
  return *units * 1000 + *thousandths;
}

Result<Tariff::Span> Tariff::parse_span(std::string_view line) {
  const std::size_t blank = line.find_first_of(kBlanks);
  const std::size_t dash = line.find('-');
  if (blank == std::string_view::npos || dash == std::string_view::npos || dash > blank) {
    return fail(Code::kInvalidArgument, "a line like \"22:00-06:00 0.21\" is needed");
  }
  const auto from = minute_of(line.substr(0, dash));
  const auto to = minute_of(line.substr(dash + 1, blank - dash - 1));
  if (!from || !to) {
    return fail(Code::kInvalidArgument, "'" + std::string(line.substr(0, std::min<std::size_t>(blank, 40))) +
                                            "' is no span: two times of the day like 22:00-06:00 are needed");
  }
  Result<std::uint64_t> price = parse_price(trimmed(line.substr(blank)));
  if (!price) return std::unexpected(price.error());
  return Span{*from, *to, *price};
}

Result<Tariff> Tariff::parse(std::string_view text) {
  if (text.size() > kMaxTariffBytes) return fail(Code::kInvalidArgument, "a tariff has at most 64 KiB");
  Tariff tariff;
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (tariff.spans_.size() == kMaxSpans) return fail(Code::kInvalidArgument, "a tariff has at most 1,000 spans");
    Result<Span> span = parse_span(line);
    if (!span) return fail(span, "line " + std::to_string(line_number));
    tariff.spans_.push_back(*span);
  }
  if (tariff.spans_.empty()) return fail(Code::kInvalidArgument, "the tariff has no line like \"22:00-06:00 0.21\"");
  return tariff;
}

std::optional<std::uint64_t> Tariff::price_at(std::uint16_t minute_of_day) const {
  for (const Span& span : spans_) {
    const bool after = minute_of_day >= span.from;
    const bool before = minute_of_day < span.to;
    const bool wraps = span.to <= span.from;
    if (wraps ? after || before : after && before) return span.price;
  }
  return std::nullopt;
}

}  // namespace hearth::presence
