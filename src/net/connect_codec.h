// What the Connect protocol puts into bodies, without any I/O: envelopes, messages in either encoding, errors.
// Source: connectrpc.com/docs/protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "base/result.h"

namespace hearth::net {

enum class Codec : std::uint8_t { kProto, kJson };

// Parses a message. JSON is proto3's canonical mapping; fields that the schema does not know are ignored in both
// encodings, so that a newer client can speak to an older server. Nesting deeper than 100 is refused.
// Errors: kInvalidArgument.
Result<void> decode_message(Codec codec, std::string_view bytes, google::protobuf::Message& message);

// Errors: kInternal (a string field that is no UTF-8, in JSON).
Result<std::string> encode_message(Codec codec, const google::protobuf::Message& message);

// For programs that know no schema: JSON on one line, with the schema's field names, and fields that have their default
// value too. What is no UTF-8 must not be in it (CHECKed).
std::string stable_json(const google::protobuf::Message& message);

// The HTTP status of a unary error.
unsigned http_status(Code code);

// What a client makes of an HTTP status whose body is no Connect error.
Code code_of_status(unsigned status);

// {"code":"not_found","message":"..."}
std::string error_json(const Error& error);

// The error of an answer whose status is not 200. A body that is no Connect error is judged by the status alone.
Error parse_error(unsigned status, std::string_view body);

// The last envelope of a stream: {} or {"error":{...}}.
std::string end_stream_json(const Result<void>& outcome);

// The inverse. Errors: the one in the message; kInternal if it is malformed.
Result<void> parse_end_stream(std::string_view json);

// Connect-Timeout-Ms: at most ten digits, positive. Errors: kInvalidArgument.
Result<std::uint64_t> parse_timeout(std::string_view header);

inline constexpr std::uint8_t kCompressedFlag = 0x01;
inline constexpr std::uint8_t kEndStreamFlag = 0x02;
inline constexpr std::size_t kEnvelopeHeadBytes = 5;

struct Envelope {
  std::uint8_t flags = 0;
  std::string message;
};

// Appends one envelope: flags, length (4 bytes, big-endian), message. The message is shorter than 4 GiB.
void append_envelope(std::string& out, std::uint8_t flags, std::string_view message);

// Cuts a stream of bytes into envelopes. Holds at most one envelope and what the last feed() brought.
//
//   reader.feed(piece);
//   for (;;) {
//     Result<std::optional<Envelope>> envelope = reader.next();   // an error is for good
//     if (!envelope || !*envelope) break;
//   }
class EnvelopeReader {
 public:
  explicit EnvelopeReader(std::size_t max_message_bytes) : max_message_bytes_(max_message_bytes) {}

  void feed(std::string_view bytes);

  // Nothing if the next envelope is not whole yet. Errors: kResourceExhausted (its announced length is over the
  // limit), kInvalidArgument (compressed though no compression was agreed on, or a reserved flag).
  Result<std::optional<Envelope>> next();

  // Whether an envelope has begun that is not whole yet.
  bool in_the_middle() const { return consumed_ < buffer_.size(); }

 private:
  std::size_t max_message_bytes_;
  std::string buffer_;
  std::size_t consumed_ = 0;
};

}  // namespace hearth::net
