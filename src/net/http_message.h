// HTTP/1.1 messages as bytes, without a socket: heads are parsed by Boost.Beast's parser behind checks of our own, and
// refused where two readers could disagree about where a message ends (RFC 9112, sections 5, 6 and 11.2).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace hearth::net {

// Why a message is refused, and the status that says so.
struct HttpFault {
  unsigned status = 400;
  std::string message;
};

// Where a body ends.
struct BodyFraming {
  enum class Kind { kLength, kChunked, kUntilEnd };
  Kind kind = Kind::kLength;
  std::uint64_t length = 0;
};

struct ParsedRequest {
  RequestHead head;
  BodyFraming body;
  bool keep_alive = true;
  bool upgrade = false;           // Connection: upgrade
  bool expects_continue = false;  // Expect: 100-continue
  bool chunks_allowed = true;     // HTTP/1.0 takes no chunked answer
};

struct ParsedResponse {
  unsigned status = 0;
  Headers headers;
  BodyFraming body;
  bool keep_alive = true;
};

// Finds a head's end in bytes that arrive over time.
class HeadEnd {
 public:
  // The size of the head at the front of `bytes`, with its blank line; nothing if it is not complete. `bytes` starts
  // with what was given before.
  std::optional<std::size_t> find(std::string_view bytes);

 private:
  std::size_t searched_ = 0;
};

// `head` is whole, with its blank line.
std::expected<ParsedRequest, HttpFault> parse_request_head(std::string_view head, PathRule paths = PathRule::kPlain);
std::expected<ParsedResponse, HttpFault> parse_response_head(std::string_view head, bool answers_head);

// Decodes a body from the bytes of a connection.
class BodyDecoder {
 public:
  explicit BodyDecoder(BodyFraming framing = {});

  struct Step {
    std::size_t consumed = 0;
    std::string_view body;  // within the input
  };

  // Takes some of `input`, at most `max_body` bytes of body. Nothing consumed: more input is needed. Errors:
  // kInvalidArgument.
  Result<Step> decode(std::string_view input, std::size_t max_body);

  bool done() const { return state_ == State::kDone; }

  // How many of the next bytes on the connection are body and nothing else, so that they can be read where they belong;
  // advance() tells of having done so.
  std::uint64_t plain_bytes() const;
  void advance(std::uint64_t count);

  // The connection's end: the body's end if it says so. Errors: kUnavailable.
  Result<void> end_of_input();

  // What is known to be left; nothing if that is not known.
  std::optional<std::uint64_t> left() const;

 private:
  enum class State { kPlain, kSizeLine, kDataEnd, kTrailer, kDone };
  Result<Step> decode_line(std::string_view input);
  Result<void> start_chunk(std::string_view line);

  BodyFraming framing_;
  State state_ = State::kPlain;
  std::uint64_t plain_left_ = 0;
  std::size_t trailer_bytes_ = 0;
};

// The bytes of a head. Line breaks within names and values become spaces.
std::string format_request_head(std::string_view method, std::string_view target, const Headers& headers);
std::string format_response_head(unsigned status, const Headers& headers);

// "1f4\r\n", before a chunk's bytes and "\r\n".
std::string format_chunk_size(std::size_t size);

// The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string websocket_accept_key(std::string_view key);

// Whether a comma-separated header value holds the token, without regard to case.
bool has_token(std::string_view list, std::string_view token);

}  // namespace hearth::net
