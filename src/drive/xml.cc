#include "drive/xml.h"

#include <expat.h>

#include <memory>
#include <optional>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

constexpr char kSeparator = '\n';  // between namespace and name: in neither
constexpr std::string_view kDav = "DAV:";

XmlName split(std::string_view name) {
  const std::size_t at = name.rfind(kSeparator);
  if (at == std::string_view::npos) return {.space = "", .local = std::string(name)};
  return {.space = std::string(name.substr(0, at)), .local = std::string(name.substr(at + 1))};
}

// The elements that are open, and what of them says something.
struct Reading {
  XML_Parser parser = nullptr;
  std::vector<XmlName> open;
  XmlName root;
  std::vector<XmlName> in_root;        // its children
  std::vector<XmlName> properties;     // children of a DAV:prop
  std::optional<std::string> refusal;  // in our words; else expat's

  void refuse(std::string why) {
    refusal = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
  void begin(std::string_view said) {
    XmlName name = split(said);
    if (open.size() == kMaxXmlDepth) return refuse(fmt::format("elements within elements, {} deep", kMaxXmlDepth));
    if (open.empty()) root = name;
    if (open.size() == 1) in_root.push_back(name);
    const bool is_property = !open.empty() && open.back() == XmlName{.space = std::string(kDav), .local = "prop"};
    if (is_property && open.size() <= 3) properties.push_back(name);
    if (properties.size() > kMaxProperties || in_root.size() > kMaxProperties) {
      return refuse(fmt::format("more than {} properties", kMaxProperties));
    }
    open.push_back(std::move(name));
  }
};

Result<Reading> read(std::string_view body, std::string_view root) {
  if (body.size() > kMaxXmlBytes) return fail(Code::kInvalidArgument, "a body of more than 256 KiB");
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreateNS(nullptr, kSeparator),
                                                                       XML_ParserFree);
  Reading reading{.parser = parser.get(), .open = {}, .root = {}, .in_root = {}, .properties = {}, .refusal = {}};
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(
      parser.get(), [](void* data, const char* name, const char**) { static_cast<Reading*>(data)->begin(name); },
      [](void* data, const char*) { static_cast<Reading*>(data)->open.pop_back(); });
  XML_SetStartDoctypeDeclHandler(parser.get(), [](void* data, const char*, const char*, const char*, int) {
    static_cast<Reading*>(data)->refuse("a document type");
  });
  if (XML_Parse(parser.get(), body.data(), static_cast<int>(body.size()), XML_TRUE) != XML_STATUS_OK) {
    return fail(Code::kInvalidArgument, "the body is not XML as WebDAV has it: " +
                                            reading.refusal.value_or(XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  if (reading.root != XmlName{.space = std::string(kDav), .local = std::string(root)}) {
    return fail(Code::kInvalidArgument, fmt::format("the body is no {} of WebDAV's", root));
  }
  return reading;
}

}  // namespace

Result<AskedProperties> parse_propfind(std::string_view body) {
  AskedProperties asked;
  if (body.empty()) return asked;
  Result<Reading> reading = read(body, "propfind");
  if (!reading) return std::unexpected(reading.error());
  for (const XmlName& name : reading->in_root) {
    if (name.space != kDav) continue;
    if (name.local == "propname") asked.kind = AskedProperties::Kind::kNames;
    if (name.local == "prop") asked.kind = AskedProperties::Kind::kSome;
  }
  if (asked.kind == AskedProperties::Kind::kSome) asked.names = std::move(reading->properties);
  return asked;
}

Result<std::vector<XmlName>> parse_proppatch(std::string_view body) {
  Result<Reading> reading = read(body, "propertyupdate");
  if (!reading) return std::unexpected(reading.error());
  if (reading->properties.empty()) return fail(Code::kInvalidArgument, "the body names no property");
  return std::move(reading->properties);
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

}  // namespace hearth::drive
