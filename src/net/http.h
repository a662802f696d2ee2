// HTTP/1.1 as values: what server.h hands to handlers and client.h sends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::net {

// Header fields in order. Names compare without regard to case.
class Headers {
 public:
  std::string_view get(std::string_view name) const;  // the first value; empty if absent
  bool has(std::string_view name) const;
  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);  // replaces
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Which paths a request may have, and how RequestHead tells them.
enum class PathRule {
  kPlain,   // decoded, and refused where two readers could see two things in them
  kAsSent,  // whatever begins with '/', as it was sent: for whoever hands it on
};

struct RequestHead {
  std::string method;
  std::string path;   // percent-decoded once, starts with '/'; never holds a NUL, "/../" or "//" (PathRule::kPlain)
  std::string query;  // as sent, without '?'
  Headers headers;
  std::optional<std::uint64_t> content_length;  // absent: chunked
};

// "a%20b" as "a b"; nothing if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

// The value of `name` in a query or a form body, percent-decoded; nothing if absent.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

// The value of a cookie in a Cookie header; empty if absent.
std::string_view cookie_value(std::string_view cookie_header, std::string_view name);

// Whether a browser says that it is not the page of this very origin (scheme, host and port) that asks, and not its
// person. Cookies do not tell: they are a host's, whatever the port. What is no browser says nothing.
bool is_asked_from_elsewhere(const RequestHead& head);

struct Response {
  unsigned status = 200;
  Headers headers;
  std::string body;
};

// A plain-text answer: "404 not found: MESSAGE\n".
Response text_response(unsigned status, std::string_view message);

// One byte range of "Range: bytes=..." against a size: first byte and count. Nothing if there is none, or several (then
// the whole is sent); `unsatisfiable` set if it lies outside (416).
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size, bool& unsatisfiable);

}  // namespace hearth::net
