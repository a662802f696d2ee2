// Parsing of heads. Beast is included here alone: its headers take seconds to compile.
#include <utility>  // Boost 1.74 forgets it

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include <algorithm>
#include <limits>

#include "base/bytes.h"
#include "net/http_message.h"

namespace hearth::net {
namespace {

namespace beast = boost::beast;

constexpr std::size_t kMaxFields = 128;

// Collects what Beast finds.
template <bool is_request>
class HeadSink : public beast::http::basic_parser<is_request> {
 public:
  HeadSink() {
    this->header_limit(std::numeric_limits<std::uint32_t>::max());  // the caller has measured it
    this->body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  std::string method;
  std::string target;
  unsigned status = 0;
  Headers headers;
  bool http11 = true;
  std::size_t hosts = 0;
  bool other_encoding = false;  // a Transfer-Encoding that is not "chunked" alone

 private:
  using Code = beast::error_code;
  using Text = beast::string_view;

  void on_request_impl(beast::http::verb, Text verb, Text path, int version, Code&) override {
    method.assign(verb.data(), verb.size());
    target.assign(path.data(), path.size());
    http11 = version >= 11;
  }
  void on_response_impl(int code, Text, int version, Code&) override {
    status = static_cast<unsigned>(code);
    http11 = version >= 11;
  }
  void on_field_impl(beast::http::field field, Text name, Text value, Code& error) override {
    if (headers.fields().size() >= kMaxFields) {
      error = beast::http::error::header_limit;
      return;
    }
    if (field == beast::http::field::host) ++hosts;
    if (field == beast::http::field::transfer_encoding) other_encoding |= !beast::iequals(value, "chunked");
    headers.add(std::string(name), std::string(value));
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(Text, Code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, Text, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text, Code&) override { return 0; }
  void on_finish_impl(Code&) override {}
};

std::unexpected<HttpFault> refuse(unsigned status, std::string message) {
  return std::unexpected(HttpFault{status, std::move(message)});
}

// What Beast lets pass, or takes for something else than other readers do.
bool has_folded_line(std::string_view head) {
  return head.find("\r\n ") != std::string_view::npos || head.find("\r\n\t") != std::string_view::npos;
}

template <bool is_request>
std::expected<void, HttpFault> feed(HeadSink<is_request>& sink, std::string_view head) {
  if (has_folded_line(head)) return refuse(400, "a header field is folded over several lines");
  beast::error_code error;
  std::size_t used = sink.put(boost::asio::const_buffer(head.data(), head.size()), error);
  if (error == beast::http::error::header_limit) return refuse(431, "there are more than 128 header fields");
  if (error == beast::http::error::bad_version) return refuse(505, "this server speaks HTTP/1.1");
  if (error) return refuse(400, "the message's head is malformed: " + error.message());
  if (!sink.is_header_done() || used != head.size()) return refuse(400, "the message's head is malformed");
  if (sink.other_encoding) return refuse(501, "the only transfer encoding known here is \"chunked\"");
  bool both = sink.headers.has("Content-Length") && sink.headers.has("Transfer-Encoding");
  if (both) return refuse(400, "a message has a Content-Length or a Transfer-Encoding, not both");
  if (sink.chunked() && !sink.http11) return refuse(400, "HTTP/1.0 has no chunked bodies");
  return {};
}

template <bool is_request>
BodyFraming framing_of(HeadSink<is_request>& sink) {
  if (sink.chunked()) return {BodyFraming::Kind::kChunked, 0};
  if (sink.content_length()) return {BodyFraming::Kind::kLength, *sink.content_length()};
  return {is_request ? BodyFraming::Kind::kLength : BodyFraming::Kind::kUntilEnd, 0};
}

bool is_safe_path(std::string_view path) {
  bool climbs = path.ends_with("/..") || path.find("/../") != std::string_view::npos;
  return path.starts_with('/') && !climbs && path.find("//") == std::string_view::npos &&
         path.find('\0') == std::string_view::npos;
}

std::expected<void, HttpFault> split_target(std::string_view target, PathRule paths, RequestHead& head) {
  std::size_t mark = target.find('?');
  if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
  if (paths == PathRule::kAsSent) {
    if (!target.starts_with('/') || target.contains('#')) return refuse(400, "the path must start with '/'");
    head.path = target.substr(0, mark);
    return {};
  }
  std::optional<std::string> path = percent_decoded(target.substr(0, mark));
  if (!path || !is_safe_path(*path) || target.find('#') != std::string_view::npos) {
    return refuse(400, "the path must start with '/' and hold no \"..\", \"//\", zero byte or broken %-escape");
  }
  head.path = std::move(*path);
  return {};
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto byte = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

std::expected<ParsedRequest, HttpFault> parse_request_head(std::string_view head, PathRule paths) {
  HeadSink<true> sink;
  auto fed = feed(sink, head);
  if (!fed) return std::unexpected(fed.error());
  if (sink.hosts != 1) return refuse(400, "a request has exactly one Host field");
  ParsedRequest request;
  auto split = split_target(sink.target, paths, request.head);
  if (!split) return std::unexpected(split.error());
  request.body = framing_of(sink);
  request.keep_alive = sink.keep_alive();
  request.upgrade = sink.upgrade();
  request.chunks_allowed = sink.http11;
  request.expects_continue = sink.http11 && has_token(sink.headers.get("Expect"), "100-continue");
  if (sink.headers.has("Expect") && !request.expects_continue) return refuse(417, "only 100-continue can be expected");
  request.head.method = std::move(sink.method);
  request.head.headers = std::move(sink.headers);
  if (request.body.kind == BodyFraming::Kind::kLength) request.head.content_length = request.body.length;
  return request;
}

std::expected<ParsedResponse, HttpFault> parse_response_head(std::string_view head, bool answers_head) {
  HeadSink<false> sink;
  sink.skip(answers_head);
  auto fed = feed(sink, head);
  if (!fed) return std::unexpected(fed.error());
  ParsedResponse response;
  response.status = sink.status;
  bool no_body = answers_head || sink.status / 100 == 1 || sink.status == 204 || sink.status == 304;
  response.body = no_body ? BodyFraming{} : framing_of(sink);
  response.keep_alive = sink.http11 ? !has_token(sink.headers.get("Connection"), "close")
                                    : has_token(sink.headers.get("Connection"), "keep-alive");
  response.keep_alive = response.keep_alive && response.body.kind != BodyFraming::Kind::kUntilEnd;
  response.headers = std::move(sink.headers);
  return response;
}

bool has_token(std::string_view list, std::string_view token) {
  for (const auto& item : beast::http::token_list({list.data(), list.size()})) {
    if (beast::iequals(item, beast::string_view(token.data(), token.size()))) return true;
  }
  return false;
}

}  // namespace hearth::net
