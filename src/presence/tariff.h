// What electricity costs at which hour, from a file that the owner writes. One span a line, in local time:
//
//   # price per kWh
//   22:00-06:00 0.21
//   06:00-22:00 0.34
//
// A span may pass midnight; where spans overlap, the first one counts; a minute in none has no price. Prices have up to
// three decimals; their unit is the owner's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::presence {

constexpr std::size_t kMaxTariffBytes = 64 << 10;

class Tariff {
 public:
  // At most 1,000 spans. Errors: kInvalidArgument, with the line and what is allowed.
  static Result<Tariff> parse(std::string_view text);

  // In thousandths of the unit.
  std::optional<std::uint64_t> price_at(std::uint16_t minute_of_day) const;

 private:
  struct Span {
    std::uint16_t from = 0;
    std::uint16_t to = 0;
    std::uint64_t price = 0;
  };
  static Result<Span> parse_span(std::string_view line);

  std::vector<Span> spans_;
};

// "0.34" as 340. Errors: kInvalidArgument.
Result<std::uint64_t> parse_price(std::string_view text);

}  // namespace hearth::presence
