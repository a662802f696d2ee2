#include "net/http.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"

namespace hearth::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// As application/x-www-form-urlencoded has it; a '%' that starts no escape stands for itself.
std::string form_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool may_escape = text[i] == '%' && i + 2 < text.size();
    if (const auto byte = may_escape ? from_hex(text.substr(i + 1, 2)) : std::nullopt) {
      out += *byte;
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

// Takes the text up to `separator` off the front of `rest`.
std::string_view take_item(std::string_view& rest, char separator) {
  std::size_t end = rest.find(separator);
  std::string_view item = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return item;
}

// Digits alone; a number beyond 64 bits is as good as the largest.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  bool digits = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return std::nullopt;
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : UINT64_MAX;
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 400:
      return "bad request";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not found";
    case 405:
      return "method not allowed";
    case 406:
      return "not acceptable";
    case 408:
      return "request timeout";
    case 409:
      return "conflict";
    case 411:
      return "length required";
    case 412:
      return "precondition failed";
    case 413:
      return "content too large";
    case 415:
      return "unsupported media type";
    case 416:
      return "range not satisfiable";
    case 417:
      return "expectation failed";
    case 426:
      return "upgrade required";
    case 429:
      return "too many requests";
    case 431:
      return "request header fields too large";
    case 500:
      return "internal server error";
    case 501:
      return "not implemented";
    case 503:
      return "service unavailable";
    case 507:
      return "insufficient storage";
    default:
      return status < 400 ? "ok" : "failed";
  }
}

}  // namespace

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (same_name(key, name)) return value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::ranges::any_of(fields_, [&](const auto& field) { return same_name(field.first, name); });
}

void Headers::add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
  fields_.emplace_back(name, std::move(value));
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view item = take_item(query, '&');
    std::string_view key = take_item(item, '=');
    if (!key.empty() && form_decoded(key) == name) return form_decoded(item);
  }
  return std::nullopt;
}

std::string_view cookie_value(std::string_view cookie_header, std::string_view name) {
  while (!cookie_header.empty()) {
    std::string_view item = take_item(cookie_header, ';');
    std::string_view key = trimmed(take_item(item, '='));
    if (key != name) continue;
    std::string_view value = trimmed(item);
    bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    return quoted ? value.substr(1, value.size() - 2) : value;
  }
  return {};
}

bool is_asked_from_elsewhere(const RequestHead& head) {
  const std::string_view origin = head.headers.get("Origin");
  if (!origin.empty() && origin != "https://" + std::string(head.headers.get("Host"))) return true;
  const std::string_view site = head.headers.get("Sec-Fetch-Site");
  return !site.empty() && site != "same-origin" && site != "none";
}

Response text_response(unsigned status, std::string_view message) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.headers.add("X-Content-Type-Options", "nosniff");
  response.body = std::to_string(status) + " " + std::string(reason_phrase(status));
  if (!message.empty()) response.body += ": " + std::string(message);
  response.body += "\n";
  return response;
}

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size, bool& unsatisfiable) {
  unsatisfiable = false;
  std::string_view rest = trimmed(header);
  if (!same_name(trimmed(take_item(rest, '=')), "bytes")) return std::nullopt;
  rest = trimmed(rest);
  std::size_t dash = rest.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::string_view first_text = trimmed(rest.substr(0, dash));
  std::string_view last_text = trimmed(rest.substr(dash + 1));
  std::optional<std::uint64_t> first = parse_position(first_text);
  std::optional<std::uint64_t> last = parse_position(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return std::nullopt;
  if (first && last && *last < *first) return std::nullopt;
  if (!first) {  // the last so many bytes
    unsatisfiable = *last == 0 || size == 0;
    std::uint64_t count = std::min(*last, size);
    return unsatisfiable ? std::nullopt : std::optional(ByteRange{size - count, count});
  }
  unsatisfiable = *first >= size;
  if (unsatisfiable) return std::nullopt;
  std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1};
}

}  // namespace hearth::net
