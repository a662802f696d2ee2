#include "net/http_message.h"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/check.h"
#include "base/sizes.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxChunkLine = 256;  // a size and its extensions
constexpr std::size_t kMaxTrailerBytes = 8 * kKiB;

std::string single_line(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return out;
}

void append_fields(std::string& out, const Headers& headers) {
  for (const auto& [name, value] : headers.fields()) {
    out += single_line(name);
    out += ": ";
    out += single_line(value);
    out += "\r\n";
  }
  out += "\r\n";
}

std::string_view status_text(unsigned status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 500:
      return "Internal Server Error";
    default:
      return status < 400 ? "OK" : "Error";
  }
}

}  // namespace

std::optional<std::size_t> HeadEnd::find(std::string_view bytes) {
  std::size_t at = bytes.find("\r\n\r\n", searched_ > 3 ? searched_ - 3 : 0);
  searched_ = bytes.size();
  if (at == std::string_view::npos) return std::nullopt;
  return at + 4;
}

BodyDecoder::BodyDecoder(BodyFraming framing) : framing_(framing) {
  if (framing.kind == BodyFraming::Kind::kChunked) {
    state_ = State::kSizeLine;
  } else {
    plain_left_ = framing.kind == BodyFraming::Kind::kLength ? framing.length : UINT64_MAX;
    if (plain_left_ == 0) state_ = State::kDone;
  }
}

std::uint64_t BodyDecoder::plain_bytes() const { return state_ == State::kPlain ? plain_left_ : 0; }

void BodyDecoder::advance(std::uint64_t count) {
  CHECK(count <= plain_bytes());
  if (framing_.kind == BodyFraming::Kind::kUntilEnd) return;
  plain_left_ -= count;
  if (plain_left_ > 0) return;
  state_ = framing_.kind == BodyFraming::Kind::kChunked ? State::kDataEnd : State::kDone;
}

std::optional<std::uint64_t> BodyDecoder::left() const {
  if (done()) return 0;
  return framing_.kind == BodyFraming::Kind::kLength ? std::optional(plain_left_) : std::nullopt;
}

Result<void> BodyDecoder::end_of_input() {
  if (framing_.kind == BodyFraming::Kind::kUntilEnd) state_ = State::kDone;
  if (!done()) return fail(Code::kUnavailable, "the connection ended within a message");
  return {};
}

Result<BodyDecoder::Step> BodyDecoder::decode(std::string_view input, std::size_t max_body) {
  if (done()) return Step{};
  if (state_ != State::kPlain) return decode_line(input);
  std::uint64_t count = std::min<std::uint64_t>({plain_left_, input.size(), max_body});
  if (count > 0) advance(count);
  return Step{count, input.substr(0, count)};
}

Result<BodyDecoder::Step> BodyDecoder::decode_line(std::string_view input) {
  if (state_ == State::kDataEnd && !std::string_view("\r\n").starts_with(input.substr(0, 2))) {
    return fail(Code::kInvalidArgument, "a chunk is longer than its size says");
  }
  std::size_t end = input.find("\r\n");
  std::size_t limit = state_ == State::kTrailer ? kMaxTrailerBytes : kMaxChunkLine;
  if (std::min(end, input.size()) > limit) return fail(Code::kInvalidArgument, "a chunk's size line is too long");
  if (end == std::string_view::npos) return Step{};
  std::string_view line = input.substr(0, end);
  if (state_ == State::kDataEnd) {
    state_ = State::kSizeLine;
  } else if (state_ == State::kSizeLine) {
    Result<void> started = start_chunk(line);
    if (!started) return std::unexpected(started.error());
  } else {
    trailer_bytes_ += line.size();
    if (trailer_bytes_ > kMaxTrailerBytes) return fail(Code::kInvalidArgument, "the trailers are too long");
    if (line.empty()) state_ = State::kDone;
  }
  return Step{end + 2, {}};
}

Result<void> BodyDecoder::start_chunk(std::string_view line) {
  std::string_view size = line.substr(0, line.find(';'));
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), value, 16);
  bool whole = error == std::errc() && end == size.data() + size.size() && size.size() <= 15;
  bool clean = std::ranges::none_of(line, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 127; });
  if (!whole || !clean || size.starts_with('-')) return fail(Code::kInvalidArgument, "a chunk's size is malformed");
  plain_left_ = value;
  state_ = value == 0 ? State::kTrailer : State::kPlain;
  return {};
}

std::string format_request_head(std::string_view method, std::string_view target, const Headers& headers) {
  std::string out = single_line(method) + " " + single_line(target) + " HTTP/1.1\r\n";
  append_fields(out, headers);
  return out;
}

std::string format_response_head(unsigned status, const Headers& headers) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, status_text(status));
  append_fields(out, headers);
  return out;
}

std::string format_chunk_size(std::size_t size) { return fmt::format("{:x}\r\n", size); }

}  // namespace hearth::net
