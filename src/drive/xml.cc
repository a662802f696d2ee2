#include "drive/xml.h"

#include <expat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace hearth::drive {
namespace {

constexpr char kSeparator = '\n';  // between namespace and name: in neither
constexpr std::size_t kMaxElements = 2'000;
constexpr std::string_view kXmlSpace = "http://www.w3.org/XML/1998/namespace";

XmlName split(std::string_view name) {
  const std::size_t at = name.rfind(kSeparator);
  if (at == std::string_view::npos) return {.space = "", .local = std::string(name)};
  return {.space = std::string(name.substr(0, at)), .local = std::string(name.substr(at + 1))};
}

// An element, or a piece of text (without a name).
struct Node {
  XmlName name;
  std::string text;
  std::vector<std::pair<XmlName, std::string>> attributes;
  std::vector<Node> inner;

  bool is(std::string_view local) const { return name.space == kDavSpace && name.local == local; }
  const Node* find(std::string_view local) const {
    const auto found = std::ranges::find_if(inner, [&](const Node& node) { return node.is(local); });
    return found == inner.end() ? nullptr : &*found;
  }
};

// Makes the tree of a body.
struct Builder {
  XML_Parser parser = nullptr;
  std::vector<Node> open;
  std::size_t elements = 0;
  Node root;
  std::optional<std::string> refusal;  // in our words; else expat's

  void refuse(std::string why) {
    refusal = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
  void begin(std::string_view said, const char** attributes) {
    if (open.size() == kMaxXmlDepth) return refuse(fmt::format("elements within elements, {} deep", kMaxXmlDepth));
    if (++elements > kMaxElements) return refuse(fmt::format("more than {} elements", kMaxElements));
    Node& node = open.emplace_back();
    node.name = split(said);
    for (const char** at = attributes; *at != nullptr; at += 2) node.attributes.emplace_back(split(at[0]), at[1]);
  }
  void end() {
    Node node = std::move(open.back());
    open.pop_back();
    if (open.empty())
      root = std::move(node);
    else
      open.back().inner.push_back(std::move(node));
  }
  void add(std::string_view text) {
    std::vector<Node>& inner = open.back().inner;
    if (inner.empty() || !inner.back().name.local.empty()) inner.emplace_back();
    inner.back().text += text;
  }
};

Result<Node> read(std::string_view body, std::string_view root) {
  if (body.size() > kMaxXmlBytes) return fail(Code::kInvalidArgument, "a body of more than 256 KiB");
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreateNS(nullptr, kSeparator),
                                                                       XML_ParserFree);
  Builder builder{.parser = parser.get(), .open = {}, .root = {}, .refusal = {}};
  XML_SetUserData(parser.get(), &builder);
  XML_SetElementHandler(
      parser.get(),
      [](void* data, const char* name, const char** attributes) {
        static_cast<Builder*>(data)->begin(name, attributes);
      },
      [](void* data, const char*) { static_cast<Builder*>(data)->end(); });
  XML_SetCharacterDataHandler(parser.get(), [](void* data, const char* text, int size) {
    static_cast<Builder*>(data)->add(std::string_view(text, static_cast<std::size_t>(size)));
  });
  XML_SetStartDoctypeDeclHandler(parser.get(), [](void* data, const char*, const char*, const char*, int) {
    static_cast<Builder*>(data)->refuse("a document type");
  });
  if (XML_Parse(parser.get(), body.data(), static_cast<int>(body.size()), XML_TRUE) != XML_STATUS_OK) {
    return fail(Code::kInvalidArgument, "the body is not XML as WebDAV has it: " +
                                            builder.refusal.value_or(XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  if (!builder.root.is(root)) return fail(Code::kInvalidArgument, fmt::format("the body is no {} of WebDAV's", root));
  return std::move(builder.root);
}

// With every namespace said where it is used, so that it means the same wherever it is put. `space`: the default one of
// what it is put into.
std::string xml_of(const Node& node, const std::string* space = nullptr) {
  if (node.name.local.empty()) return xml_text(node.text);
  std::string out = "<" + node.name.local;
  if (space == nullptr || *space != node.name.space) out += fmt::format(" xmlns=\"{}\"", xml_text(node.name.space));
  for (std::size_t i = 0; i < node.attributes.size(); ++i) {
    const auto& [name, value] = node.attributes[i];
    std::string prefix = name.space.empty() ? "" : fmt::format("n{}:", i);
    if (name.space == kXmlSpace)
      prefix = "xml:";
    else if (!prefix.empty())
      out += fmt::format(" xmlns:n{}=\"{}\"", i, xml_text(name.space));
    out += fmt::format(" {}{}=\"{}\"", prefix, name.local, xml_text(value));
  }
  if (node.inner.empty()) return out + "/>";
  out += ">";
  for (const Node& inner : node.inner) out += xml_of(inner, &node.name.space);
  return out + fmt::format("</{}>", node.name.local);
}

// The language that is said of a property's surroundings is a part of it (RFC 4918, section 4.3).
void inherit_language(Node& property, const Node& outer) {
  const XmlName language{.space = std::string(kXmlSpace), .local = "lang"};
  const auto said = std::ranges::find(outer.attributes, language, &std::pair<XmlName, std::string>::first);
  const auto own = std::ranges::find(property.attributes, language, &std::pair<XmlName, std::string>::first);
  if (said != outer.attributes.end() && own == property.attributes.end()) property.attributes.push_back(*said);
}

}  // namespace

Result<AskedProperties> parse_propfind(std::string_view body) {
  AskedProperties asked;
  if (body.empty()) return asked;
  const Result<Node> root = read(body, "propfind");
  if (!root) return std::unexpected(root.error());
  if (root->find("propname") != nullptr) asked.kind = AskedProperties::Kind::kNames;
  const Node* properties = root->find("prop");
  if (properties == nullptr) return asked;
  asked.kind = AskedProperties::Kind::kSome;
  for (const Node& property : properties->inner) {
    if (!property.name.local.empty()) asked.names.push_back(property.name);
  }
  if (asked.names.size() > kMaxProperties) {
    return fail(Code::kInvalidArgument, fmt::format("more than {} properties", kMaxProperties));
  }
  return asked;
}

Result<std::vector<PropertyChange>> parse_proppatch(std::string_view body) {
  Result<Node> root = read(body, "propertyupdate");
  if (!root) return std::unexpected(root.error());
  std::vector<PropertyChange> changes;
  for (Node& step : root->inner) {
    if (!step.is("set") && !step.is("remove")) continue;
    for (Node& properties : step.inner) {
      if (!properties.is("prop")) continue;
      for (Node& property : properties.inner) {
        if (property.name.local.empty()) continue;
        for (const Node* outer : {&properties, &step, &*root}) inherit_language(property, *outer);
        const bool is_removed = step.is("remove");
        changes.push_back(
            {.name = property.name, .is_removed = is_removed, .xml = is_removed ? std::string() : xml_of(property)});
      }
    }
  }
  if (changes.empty()) return fail(Code::kInvalidArgument, "the body names no property");
  if (changes.size() > kMaxProperties) {
    return fail(Code::kInvalidArgument, fmt::format("more than {} properties", kMaxProperties));
  }
  return changes;
}

std::string properties_xml(const Properties& properties) {
  std::string elements;
  for (const auto& [name, xml] : properties) elements += xml;
  return fmt::format("<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop>{}</D:prop></D:set></D:propertyupdate>",
                     elements);
}

Result<AskedLock> parse_lockinfo(std::string_view body) {
  const Result<Node> root = read(body, "lockinfo");
  if (!root) return std::unexpected(root.error());
  const Node* scope = root->find("lockscope");
  const Node* type = root->find("locktype");
  const bool shared = scope != nullptr && scope->find("shared") != nullptr;
  if (scope == nullptr || (!shared && scope->find("exclusive") == nullptr) || type == nullptr ||
      type->find("write") == nullptr) {
    return fail(Code::kInvalidArgument, "a lock is exclusive or shared, and of type write");
  }
  const Node* owner = root->find("owner");
  return AskedLock{.shared = shared, .owner = owner == nullptr ? std::string() : xml_of(*owner)};
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
    else if (c == '\r')
      out += "&#13;";
    else
      out += c;
  }
  return out;
}

}  // namespace hearth::drive
