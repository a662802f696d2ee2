// The XML that WebDAV's answers are made of (RFC 4918, section 14), and how paths and dates are spelt in them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/drive/locks.h"
#include "core/drive/scope.h"
#include "drive/folder.h"
#include "drive/xml.h"

namespace hearth::drive {

inline constexpr std::string_view kMultistatusBegin =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">";
inline constexpr std::string_view kMultistatusEnd = "</D:multistatus>\n";

// What a file or folder has properties of.
struct Described {
  Entry entry;
  std::vector<Lock> locks;  // those that cover it
  Properties dead;          // those that clients have given it
  std::optional<Folder::Room> room;
  const Scope& scope;  // of whoever asks
};

// Whether answering needs what clients have given, or the disk's room.
bool asks_for_dead(const AskedProperties& asked);
bool asks_for_room(const AskedProperties& asked);

// One response element: what is asked of it, and what of that it has not (404).
std::string properties_response(const std::string& href, const Described& described, const AskedProperties& asked,
                                WallTime now);

// A property that the drive itself gives: no client can change it.
bool is_protected(const XmlName& name);

// A whole answer to a PROPPATCH. If one property is protected, none is changed: 403 for those, 424 for the others.
std::string changed_properties(const std::string& href, const std::vector<PropertyChange>& changes);

// What a LOCK answers with.
std::string lock_answer(const Scope& scope, const Lock& lock, WallTime now);

// An answer's body that says which rule was broken (section 16), "lock-token-submitted", for what (a path
// as the request has it), and in words.
std::string error_answer(std::string_view condition, std::string_view path, std::string_view message);

std::string href(const Scope& scope, const Path& path, Kind kind = Kind::kFile);
std::string href_below(const std::string& folder, const Entry& entry);
std::string http_date(WallTime time);  // "Fri, 27 Nov 2026 11:00:00 GMT"

// By the name's ending; "application/octet-stream" if nothing is known of it.
std::string_view content_type(std::string_view name);

}  // namespace hearth::drive
