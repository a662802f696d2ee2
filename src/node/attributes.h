// What the node says of itself, for the conditions of jobs (hearth run --where). From the machine, from a measure of
// its speed, and from what its owner says in policy.json:
//
//   {"labels": {"room": "cellar", "quiet": true, "tier": 3}, "watts": 65}
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "hearth/v1/session.pb.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

using LabelValue = std::variant<bool, double, std::string>;

struct OwnersWords {
  std::map<std::string, LabelValue> labels;  // at most 64
  double watts = 0;                          // under load; 0: not said
  bool operator==(const OwnersWords&) const = default;
};

// Errors: kInvalidArgument (which field, what is allowed).
Result<OwnersWords> parse_owners_words(std::string_view json);

using AttributeList = google::protobuf::RepeatedPtrField<v1::Attribute>;

// What may change while the node runs.
struct Standing {
  double speed = 0;                         // 0: not known yet
  std::optional<std::uint64_t> price = {};  // of a kWh now, in thousandths of the owner's unit; none: not said
  bool screen = false;                      // programs with windows can run here
  bool terminal = false;                    // programs can have a terminal here
};
AttributeList make_attributes(const sandbox::Machine& machine, std::string_view isolation, const Standing& now,
                              const OwnersWords& words);

// SHA-256 of so many MB in a second, by one core; takes about 60 ms. The best of three, since others may disturb one.
double measure_speed();

}  // namespace hearth::node
