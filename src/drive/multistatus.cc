#include "drive/multistatus.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>

#include "base/rfc3339.h"

namespace hearth::drive {
namespace {

constexpr std::array<std::string_view, 7> kProperties = {
    "creationdate", "displayname", "getcontentlength", "getcontenttype", "getetag", "getlastmodified", "resourcetype"};

// The element of a property, nothing if the entry has it not.
std::string property(const Entry& entry, std::string_view name) {
  const auto element = [&](std::string_view value) { return fmt::format("<D:{0}>{1}</D:{0}>", name, value); };
  if (name == "resourcetype") return entry.kind == Kind::kFolder ? element("<D:collection/>") : "<D:resourcetype/>";
  if (name == "getlastmodified") return element(http_date(entry.modified));
  if (name == "creationdate") return element(rfc3339(entry.modified));
  if (name == "displayname") return element(xml_text(entry.name));
  if (entry.kind == Kind::kFolder) return {};
  if (name == "getcontentlength") return element(fmt::format("{}", entry.bytes));
  if (name == "getcontenttype") return element(content_type(entry.name));
  if (name == "getetag") return element(xml_text(entry.etag));
  return {};
}

std::string unknown(const XmlName& name) { return fmt::format("<{} xmlns=\"{}\"/>", name.local, xml_text(name.space)); }

std::string propstat(std::string_view properties, std::string_view status) {
  return fmt::format("<D:propstat><D:prop>{}</D:prop><D:status>HTTP/1.1 {}</D:status></D:propstat>", properties,
                     status);
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 41> kTypes = {{
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
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"json", "application/json"},
    {"log", "text/plain; charset=utf-8"},
    {"m4a", "audio/mp4"},
    {"md", "text/markdown; charset=utf-8"},
    {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
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

std::string properties_response(const std::string& href, const Entry& entry, const AskedProperties& asked) {
  std::string found;
  std::string missing;
  if (asked.kind == AskedProperties::Kind::kSome) {
    for (const XmlName& name : asked.names) {
      const std::string element = name.space == "DAV:" ? property(entry, name.local) : std::string();
      if (element.empty()) missing += unknown(name);
      found += element;
    }
  } else {
    for (const std::string_view name : kProperties) {
      const std::string element = property(entry, name);
      if (element.empty()) continue;
      found += asked.kind == AskedProperties::Kind::kNames ? fmt::format("<D:{}/>", name) : element;
    }
  }
  std::string stats;
  if (!found.empty() || missing.empty()) stats += propstat(found, "200 OK");
  if (!missing.empty()) stats += propstat(missing, "404 Not Found");
  return fmt::format("<D:response><D:href>{}</D:href>{}</D:response>\n", href, stats);
}

std::string refused_properties(const std::string& href, const std::vector<XmlName>& names) {
  std::string elements;
  for (const XmlName& name : names) elements += unknown(name);
  return fmt::format("{}<D:response><D:href>{}</D:href>{}</D:response>\n{}", kMultistatusBegin, href,
                     propstat(elements, "403 Forbidden"), kMultistatusEnd);
}

std::string encoded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._~").contains(c);
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string href(const Path& path, Kind kind) {
  std::string out = "/dav";
  for (const std::string& name : path.names()) out += "/" + encoded(name);
  return kind == Kind::kFolder ? out + "/" : out;
}

std::string href_below(const std::string& folder, const Entry& entry) {
  return folder + encoded(entry.name) + (entry.kind == Kind::kFolder ? "/" : "");
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
