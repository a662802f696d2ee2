// The XML that WebDAV's clients send (RFC 4918), as far as it says something here. A document type, and with it every
// entity, is refused: no client needs one, and that is how small requests become large.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::drive {

struct XmlName {
  std::string space;
  std::string local;
  auto operator<=>(const XmlName&) const = default;
};

inline constexpr std::string_view kDavSpace = "DAV:";

inline constexpr std::size_t kMaxXmlBytes = 256 << 10;  // of a request's body
inline constexpr std::size_t kMaxXmlDepth = 32;
inline constexpr std::size_t kMaxProperties = 200;  // that one request may name

// What a PROPFIND asks for.
struct AskedProperties {
  enum class Kind { kAll, kNames, kSome };
  Kind kind = Kind::kAll;
  std::vector<XmlName> names;  // of kSome
};

// An empty body asks for all. Errors: kInvalidArgument.
Result<AskedProperties> parse_propfind(std::string_view body);

struct PropertyChange {
  XmlName name;
  bool is_removed = false;
  std::string xml;  // the element as a whole, which says its namespaces itself; empty if it is removed
};

// What a PROPPATCH sets and removes, in its order. Errors: kInvalidArgument.
Result<std::vector<PropertyChange>> parse_proppatch(std::string_view body);

// Properties that clients have given to a file or folder ("dead" ones), each as a PropertyChange's xml.
using Properties = std::map<XmlName, std::string>;

// As a PROPPATCH that sets them all; parse_proppatch() reads it.
std::string properties_xml(const Properties& properties);

// What a LOCK asks for.
struct AskedLock {
  bool shared = false;
  std::string owner;  // the element as a whole, or empty
};

// Errors: kInvalidArgument.
Result<AskedLock> parse_lockinfo(std::string_view body);

// Text between tags or in an attribute.
std::string xml_text(std::string_view text);

}  // namespace hearth::drive
