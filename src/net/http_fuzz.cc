// Heads and bodies of HTTP/1.1: whatever is accepted keeps the promises of http.h, and a body decodes to the same bytes
// however it is cut into pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "net/http_message.h"

namespace hearth::net {
namespace {

void check_request(const ParsedRequest& request) {
  const std::string& path = request.head.path;
  CHECK(path.starts_with('/') && path.find("//") == std::string::npos && path.find("/../") == std::string::npos);
  CHECK(path.find('\0') == std::string::npos && !path.ends_with("/.."));
  const Headers& headers = request.head.headers;
  CHECK(headers.has("Host") && !(headers.has("Content-Length") && headers.has("Transfer-Encoding")));
  bool chunked = request.body.kind == BodyFraming::Kind::kChunked;
  CHECK(chunked == !request.head.content_length && chunked == headers.has("Transfer-Encoding"));
  for (const auto& [name, value] : headers.fields()) {
    CHECK(name.find_first_of("\r\n: ") == std::string::npos && value.find_first_of("\r\n") == std::string::npos);
  }
}

// What the body decodes to, or "error".
std::string decode(std::string_view bytes, BodyFraming framing, std::size_t piece) {
  BodyDecoder decoder(framing);
  std::string out;
  std::string buffer;
  while (!decoder.done()) {
    Result<BodyDecoder::Step> step = decoder.decode(buffer, piece * 2 + 1);
    if (!step) return "error";
    CHECK(step->consumed <= buffer.size() && step->body.size() <= step->consumed);
    out += step->body;
    buffer.erase(0, step->consumed);
    if (step->consumed > 0) continue;
    if (bytes.empty()) return decoder.end_of_input() ? out : "error";
    std::size_t count = std::min(piece, bytes.size());
    buffer += bytes.substr(0, count);
    bytes.remove_prefix(count);
  }
  return out;
}

}  // namespace
}  // namespace hearth::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::net;  // NOLINT(google-build-using-namespace): a program of its own
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadEnd end;
  std::size_t head_size = end.find(bytes).value_or(size);
  std::string_view head = bytes.substr(0, head_size);
  if (auto request = parse_request_head(head)) check_request(*request);
  if (auto request = parse_request_head(head, PathRule::kAsSent)) CHECK(request->head.path.starts_with('/'));
  if (auto response = parse_response_head(head, size % 2 == 0)) CHECK(response->status >= 100);
  BodyFraming chunked{BodyFraming::Kind::kChunked, 0};
  CHECK(decode(bytes, chunked, 1) == decode(bytes, chunked, size + 1));
  BodyFraming length{BodyFraming::Kind::kLength, size / 2};
  CHECK(decode(bytes, length, 3) == bytes.substr(0, size / 2));
  return 0;
}
