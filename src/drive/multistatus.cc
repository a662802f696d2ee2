#include "drive/multistatus.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <span>

#include <fmt/format.h>

#include "base/rfc3339.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kXmlBegin = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
constexpr std::array<std::string_view, 9> kProperties = {"creationdate",   "displayname",  "getcontentlength",
                                                         "getcontenttype", "getetag",      "getlastmodified",
                                                         "lockdiscovery",  "resourcetype", "supportedlock"};
// Of the disk (RFC 4331): answered when they are asked for by name.
constexpr std::string_view kFreeBytes = "quota-available-bytes";
constexpr std::string_view kUsedBytes = "quota-used-bytes";

constexpr std::string_view kSupportedLocks =
    "<D:supportedlock>"
    "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    "<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    "</D:supportedlock>";

std::string active_lock(const Scope& scope, const Lock& lock, WallTime now) {
  return fmt::format(
      "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:{}/></D:lockscope><D:depth>{}</D:depth>{}"
      "<D:timeout>Second-{}</D:timeout><D:locktoken><D:href>{}</D:href></D:locktoken>"
      "<D:lockroot><D:href>{}</D:href></D:lockroot></D:activelock>",
      lock.shared ? "shared" : "exclusive", lock.deep ? "infinity" : "0", lock.owner,
      std::max<std::int64_t>(lock.expires.unix_millis - now.unix_millis, 0) / 1'000, xml_text(lock.token),
      href(scope, lock.root));
}

std::string lock_discovery(const Scope& scope, const std::vector<Lock>& locks, WallTime now) {
  if (locks.empty()) return "<D:lockdiscovery/>";
  std::string active;
  for (const Lock& lock : locks) active += active_lock(scope, lock, now);
  return fmt::format("<D:lockdiscovery>{}</D:lockdiscovery>", active);
}

// The element of a property that the drive gives, nothing if there is none.
std::string property(const Described& described, std::string_view name, WallTime now) {
  const Entry& entry = described.entry;
  const auto element = [&](const auto& value) { return fmt::format("<D:{0}>{1}</D:{0}>", name, value); };
  if (name == "resourcetype") return entry.kind == Kind::kFolder ? element("<D:collection/>") : "<D:resourcetype/>";
  if (name == "getlastmodified") return element(http_date(entry.modified));
  if (name == "creationdate") return element(rfc3339(entry.modified));
  if (name == "displayname") return element(xml_text(entry.name));
  if (name == "lockdiscovery") return lock_discovery(described.scope, described.locks, now);
  if (name == "supportedlock") return std::string(kSupportedLocks);
  if (name == kFreeBytes && described.room) return element(described.room->free);
  if (name == kUsedBytes && described.room) return element(described.room->used);
  if (entry.kind == Kind::kFolder) return {};
  if (name == "getcontentlength") return element(entry.bytes);
  if (name == "getcontenttype") return element(content_type(entry.name));
  if (name == "getetag") return element(xml_text(entry.etag));
  return {};
}

std::string empty_element(const XmlName& name) {
  return fmt::format("<{} xmlns=\"{}\"/>", name.local, xml_text(name.space));
}

std::string propstat(std::string_view properties, std::string_view status, std::string_view error = {}) {
  return fmt::format("<D:propstat><D:prop>{}</D:prop><D:status>HTTP/1.1 {}</D:status>{}</D:propstat>", properties,
                     status, error);
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 44> kTypes = {{
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"c", "text/plain; charset=utf-8"},
    {"cc", "text/plain; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"h", "text/plain; charset=utf-8"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"log", "text/plain; charset=utf-8"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"md", "text/markdown; charset=utf-8"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"py", "text/x-python; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"txt", "text/plain; charset=utf-8"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
}};

}  // namespace

bool is_protected(const XmlName& name) {
  return name.space == kDavSpace && (std::ranges::find(kProperties, name.local) != kProperties.end() ||
                                     name.local == kFreeBytes || name.local == kUsedBytes);
}

bool asks_for_dead(const AskedProperties& asked) {
  return asked.kind != AskedProperties::Kind::kSome || !std::ranges::all_of(asked.names, is_protected);
}

bool asks_for_room(const AskedProperties& asked) {
  return std::ranges::any_of(asked.names, [](const XmlName& name) {
    return is_protected(name) && (name.local == kFreeBytes || name.local == kUsedBytes);
  });
}

std::string properties_response(const std::string& href, const Described& described, const AskedProperties& asked,
                                WallTime now) {
  std::string found;
  std::string missing;
  for (const XmlName& name : asked.names) {
    const auto dead = described.dead.find(name);
    const std::string element = is_protected(name)             ? property(described, name.local, now)
                                : dead != described.dead.end() ? dead->second
                                                               : std::string();
    (element.empty() ? missing : found) += element.empty() ? empty_element(name) : element;
  }
  if (asked.kind != AskedProperties::Kind::kSome) {
    const bool names_alone = asked.kind == AskedProperties::Kind::kNames;
    for (const std::string_view name : kProperties) {
      const std::string element = property(described, name, now);
      if (!element.empty()) found += names_alone ? fmt::format("<D:{}/>", name) : element;
    }
    for (const auto& [name, xml] : described.dead) found += names_alone ? empty_element(name) : xml;
  }
  std::string stats;
  if (!found.empty() || missing.empty()) stats += propstat(found, "200 OK");
  if (!missing.empty()) stats += propstat(missing, "404 Not Found");
  return fmt::format("<D:response><D:href>{}</D:href>{}</D:response>\n", href, stats);
}

std::string changed_properties(const std::string& href, const std::vector<PropertyChange>& changes) {
  std::string refused;
  std::string others;
  for (const PropertyChange& change : changes) {
    (is_protected(change.name) ? refused : others) += empty_element(change.name);
  }
  std::string stats;
  if (!others.empty()) stats += propstat(others, refused.empty() ? "200 OK" : "424 Failed Dependency");
  if (!refused.empty()) {
    stats += propstat(refused, "403 Forbidden", "<D:error><D:cannot-modify-protected-property/></D:error>");
  }
  return fmt::format("{}<D:response><D:href>{}</D:href>{}</D:response>\n{}", kMultistatusBegin, href, stats,
                     kMultistatusEnd);
}

std::string lock_answer(const Scope& scope, const Lock& lock, WallTime now) {
  return fmt::format("{}\n<D:prop xmlns:D=\"DAV:\">{}</D:prop>\n", kXmlBegin, lock_discovery(scope, {lock}, now));
}

std::string error_answer(std::string_view condition, std::string_view path, std::string_view message) {
  std::string href;
  for (const char c : path) href += c == '/' ? "/" : net::percent_encoded(std::string_view(&c, 1));
  return fmt::format(
      "{0}\n<D:error xmlns:D=\"DAV:\"><D:{1}><D:href>{2}</D:href></D:{1}><message xmlns=\"\">{3}</message></D:error>\n",
      kXmlBegin, condition, href, xml_text(message));
}

std::string href(const Scope& scope, const Path& path, Kind kind) {
  std::string out = scope.url;
  const std::size_t hidden = path.is_within(scope.root) ? scope.root.names().size() : path.names().size();
  for (const std::string& name : std::span(path.names()).subspan(hidden)) out += "/" + net::percent_encoded(name);
  return kind == Kind::kFolder ? out + "/" : out;
}

std::string href_below(const std::string& folder, const Entry& entry) {
  return folder + net::percent_encoded(entry.name) + (entry.kind == Kind::kFolder ? "/" : "");
}

std::string http_date(WallTime time) {
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t second = time.unix_millis / 1'000;
  std::tm parts{};
  ::gmtime_r(&second, &parts);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<std::size_t>(parts.tm_wday)),
                     parts.tm_mday, kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string_view content_type(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  std::string ending(dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1));
  std::ranges::transform(ending, ending.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto found = std::ranges::find(kTypes, std::string_view(ending), [](const auto& type) { return type.first; });
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

}  // namespace hearth::drive
