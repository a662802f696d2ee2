// The XML that WebDAV's answers are made of (RFC 4918, section 14), and how paths and dates are spelt in them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drive/folder.h"
#include "drive/xml.h"

namespace hearth::drive {

inline constexpr std::string_view kMultistatusBegin =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">";
inline constexpr std::string_view kMultistatusEnd = "</D:multistatus>\n";

// One response element: what is asked of an entry, and what of that it has not (404).
std::string properties_response(const std::string& href, const Entry& entry, const AskedProperties& asked);

// A whole answer: 403 for each.
std::string refused_properties(const std::string& href, const std::vector<XmlName>& names);

std::string encoded(std::string_view name);  // percent-encoded but for letters, digits and "-._~"
std::string href(const Path& path, Kind kind);
std::string href_below(const std::string& folder, const Entry& entry);
std::string http_date(WallTime time);  // "Fri, 27 Nov 2026 11:00:00 GMT"

// By the name's ending; "application/octet-stream" if nothing is known of it.
std::string_view content_type(std::string_view name);

}  // namespace hearth::drive
