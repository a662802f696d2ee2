// What WebDAV's clients send, and paths: taken or refused, and a path that was taken is taken again as it is spelt.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "core/drive/path.h"
#include "core/drive/scope.h"
#include "drive/checksum.h"
#include "drive/if_header.h"
#include "drive/link_file.h"
#include "drive/lock_file.h"
#include "drive/uploads.h"
#include "drive/xml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto path = hearth::drive::Path::parse(text)) {
    CHECK(hearth::drive::Path::parse(path->text()) == *path);
  }
  if (const auto asked = hearth::drive::parse_propfind(text))
    CHECK(asked->names.size() <= hearth::drive::kMaxProperties);
  if (const auto changes = hearth::drive::parse_proppatch(text)) {
    hearth::drive::Properties properties;
    for (const auto& change : *changes) {
      if (!change.is_removed) properties[change.name] = change.xml;
    }
    // What is kept is understood again, as the same.
    const auto again = hearth::drive::parse_proppatch(hearth::drive::properties_xml(properties));
    CHECK(properties.empty() || again ||
          hearth::drive::properties_xml(properties).size() > hearth::drive::kMaxXmlBytes);
    for (const auto& change : again.value_or(std::vector<hearth::drive::PropertyChange>())) {
      CHECK(properties.at(change.name) == change.xml);
    }
  }
  (void)hearth::drive::parse_lockinfo(text);
  if (const auto header = hearth::drive::IfHeader::parse(text)) {
    CHECK(header->tokens().size() <= hearth::drive::IfHeader::kMaxConditions);
  }
  (void)hearth::drive::decode_locks(text);
  if (const auto links = hearth::drive::decode_links(text)) {
    CHECK(hearth::drive::decode_links(hearth::drive::encode_links(*links)) == *links);
  }
  const hearth::drive::Scope scope{.root = *hearth::drive::Path::parse("/shared/folder")};
  if (const auto path = scope.inside(text)) {
    CHECK(path->is_within(scope.root));
    CHECK(*scope.inside(scope.outside(*path)) == *path);
  }
  hearth::drive::UploadAbout about;
  if (hearth::drive::read_metadata(text, about))
    CHECK(hearth::drive::decode_about(hearth::drive::encode_about(about)) == about);
  (void)hearth::drive::decode_about(text);
  (void)hearth::drive::Checksum::parse(text);
  (void)hearth::drive::xml_text(text);
  return 0;
}
