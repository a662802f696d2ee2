// What a node says of itself beyond the resources that it lends, for conditions to ask for (see condition.h).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace hearth::pool {

using AttributeValue = std::variant<bool, double, std::string>;
using Attributes = std::map<std::string, AttributeValue, std::less<>>;

enum class AttributeKind : std::uint8_t { kFlag, kNumber, kText };  // as AttributeValue's alternatives

struct KnownAttribute {
  std::string_view name;
  AttributeKind kind;
  std::string_view meaning;
};

inline constexpr std::array kKnownAttributes = {
    KnownAttribute{"name", AttributeKind::kText, "the node's name in the pool"},
    KnownAttribute{"arch", AttributeKind::kText, "its processor's architecture: 'x86_64'"},
    KnownAttribute{"os", AttributeKind::kText, "its system, as os-release has it: 'debian'"},
    KnownAttribute{"os.version", AttributeKind::kText, "its system's version: '12'"},
    KnownAttribute{"kernel", AttributeKind::kText, "its kernel's release: '6.1.0-28-amd64'"},
    KnownAttribute{"cpu", AttributeKind::kText, "its processor's model"},
    KnownAttribute{"cores", AttributeKind::kNumber, "cores of the machine"},
    KnownAttribute{"memory", AttributeKind::kNumber, "bytes of memory of the machine"},
    KnownAttribute{"gpus", AttributeKind::kNumber, "GPUs of the machine"},
    KnownAttribute{"gpu", AttributeKind::kText, "its first GPU's model"},
    KnownAttribute{"gpu.memory", AttributeKind::kNumber, "bytes of memory of its smallest GPU"},
    KnownAttribute{"isolation", AttributeKind::kText, "how it shuts tasks in: 'fence', 'oci' or 'microvm'"},
    KnownAttribute{"speed", AttributeKind::kNumber, "of one core, measured: SHA-256 of so many MB in a second"},
    KnownAttribute{"screen", AttributeKind::kFlag, "it has what programs with windows need (hearth run --window)"},
    KnownAttribute{"terminal", AttributeKind::kFlag, "it can give a program a terminal (hearth run --terminal)"},
    KnownAttribute{"watts", AttributeKind::kNumber, "what it draws under load, if its owner says so"},
    KnownAttribute{"price", AttributeKind::kNumber, "of electricity there now, a kWh, if its owner says so"},
};

// Attributes that nodes' owners make up: "label.room".
inline constexpr std::string_view kLabelPrefix = "label.";
inline constexpr std::size_t kMaxAttributes = 128;
inline constexpr std::size_t kMaxAttributeName = 64;
inline constexpr std::size_t kMaxAttributeText = 256;

// Null if there is none; labels are not among them.
constexpr const KnownAttribute* find_known_attribute(std::string_view name) {
  for (const KnownAttribute& known : kKnownAttributes) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

}  // namespace hearth::pool
