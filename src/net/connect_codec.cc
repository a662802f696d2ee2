#include "net/connect_codec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include "base/bytes.h"
#include "base/check.h"

namespace hearth::net {
namespace {

namespace pb = google::protobuf;

// Strings from outside are escaped rather than trusted: an error's message may quote what a client sent.
std::string json_string(std::string_view text) {
  std::string printable;
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) printable.push_back(c);
  }
  const bool utf8 = is_plain_utf8(printable);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7F) {
      out.append("\\u00");
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 0xF]);
    } else {
      out.push_back(byte < 0x80 || utf8 ? c : '?');
    }
  }
  out.push_back('"');
  return out;
}

bool parse_json(std::string_view json, pb::Message& message) {
  pb::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return pb::util::JsonStringToMessage(pb::StringPiece(json.data(), json.size()), &message, options).ok();
}

const pb::Value* field(const pb::Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? nullptr : &found->second;
}

std::string string_field(const pb::Struct& object, const char* name) {
  const pb::Value* value = field(object, name);
  return value == nullptr ? std::string() : value->string_value();
}

// The Error of a Connect error object; nothing without one of the 16 codes.
std::optional<Error> error_of(const pb::Struct& object) {
  const std::string name = string_field(object, "code");
  const Code code = code_from_name(name);
  if (code_name(code) != name) return std::nullopt;
  return Error{code, string_field(object, "message")};
}

}  // namespace

Result<void> decode_message(Codec codec, std::string_view bytes, pb::Message& message) {
  // Without this protobuf prints a line for every malformed message that a stranger sends.
  const pb::LogSilencer silencer;
  if (codec == Codec::kProto) {
    if (bytes.size() <= INT32_MAX && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
    return fail(Code::kInvalidArgument, "the body is no " + message.GetDescriptor()->full_name() + " in protobuf");
  }
  pb::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = pb::util::JsonStringToMessage(pb::StringPiece(bytes.data(), bytes.size()), &message, options);
  if (status.ok()) return {};
  std::string reason(status.message().data(), std::min<std::size_t>(status.message().size(), 200));
  return fail(Code::kInvalidArgument,
              "the body is no " + message.GetDescriptor()->full_name() + " in JSON: " + std::move(reason));
}

Result<std::string> encode_message(Codec codec, const pb::Message& message) {
  std::string out;
  if (codec == Codec::kProto) {
    CHECK(message.SerializeToString(&out));
    return out;
  }
  const pb::LogSilencer silencer;
  if (!pb::util::MessageToJsonString(message, &out).ok()) {
    return fail(Code::kInternal, "the answer " + message.GetDescriptor()->full_name() + " has no JSON form");
  }
  return out;
}

std::string stable_json(const pb::Message& message) {
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  CHECK(pb::util::MessageToJsonString(message, &text, options).ok());
  return text;
}

unsigned http_status(Code code) {
  constexpr std::array<unsigned, 17> kStatus = {500, 499, 500, 400, 504, 404, 409, 403, 429,
                                                400, 409, 400, 501, 500, 503, 500, 401};
  return kStatus[static_cast<std::size_t>(code)];
}

Code code_of_status(unsigned status) {
  switch (status) {
    case 400:
      return Code::kInternal;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code::kUnavailable;
    default:
      return Code::kUnknown;
  }
}

std::string error_json(const Error& error) {
  std::string out = "{\"code\":\"" + std::string(code_name(error.code)) + "\"";
  if (!error.message.empty()) out += ",\"message\":" + json_string(error.message);
  return out + "}";
}

Error parse_error(unsigned status, std::string_view body) {
  const pb::LogSilencer silencer;
  pb::Struct object;
  if (parse_json(body, object)) {
    if (std::optional<Error> error = error_of(object)) return *std::move(error);
  }
  return {code_of_status(status), "the server answered with HTTP status " + std::to_string(status)};
}

std::string end_stream_json(const Result<void>& outcome) {
  return outcome ? "{}" : "{\"error\":" + error_json(outcome.error()) + "}";
}

Result<void> parse_end_stream(std::string_view json) {
  const pb::LogSilencer silencer;
  pb::Struct object;
  if (!parse_json(json, object)) return fail(Code::kInternal, "the server ended the stream with a malformed message");
  const pb::Value* error = field(object, "error");
  if (error == nullptr) return {};
  std::optional<Error> parsed = error_of(error->struct_value());
  if (!parsed) return fail(Code::kUnknown, "the server ended the stream with an error that it does not name");
  return std::unexpected(*std::move(parsed));
}

Result<std::uint64_t> parse_timeout(std::string_view header) {
  std::uint64_t milliseconds = 0;
  const char* end = header.data() + header.size();
  const auto [rest, error] = std::from_chars(header.data(), end, milliseconds);
  if (header.size() > 10 || error != std::errc() || rest != end || milliseconds == 0) {
    return fail(Code::kInvalidArgument, "Connect-Timeout-Ms must be a positive whole number of at most ten digits");
  }
  return milliseconds;
}

void append_envelope(std::string& out, std::uint8_t flags, std::string_view message) {
  CHECK(message.size() <= UINT32_MAX);
  const auto length = static_cast<std::uint32_t>(message.size());
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>((length >> shift) & 0xFF));
  out.append(message);
}

void EnvelopeReader::feed(std::string_view bytes) {
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  buffer_.append(bytes);
}

Result<std::optional<Envelope>> EnvelopeReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(consumed_);
  if (rest.size() < kEnvelopeHeadBytes) return std::nullopt;
  const auto flags = static_cast<std::uint8_t>(rest[0]);
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < kEnvelopeHeadBytes; ++i) length = length << 8 | static_cast<unsigned char>(rest[i]);
  if ((flags & kCompressedFlag) != 0) {
    return fail(Code::kInvalidArgument, "a message is compressed, but no compression was announced");
  }
  if ((flags & ~kEndStreamFlag) != 0) return fail(Code::kInvalidArgument, "a message has flags that are reserved");
  if (length > max_message_bytes_) {
    return fail(Code::kResourceExhausted, "a message of " + format_bytes(length) + " is larger than " +
                                              format_bytes(max_message_bytes_) + ", the limit");
  }
  if (rest.size() - kEnvelopeHeadBytes < length) return std::nullopt;
  consumed_ += kEnvelopeHeadBytes + length;
  return Envelope{flags, std::string(rest.substr(kEnvelopeHeadBytes, length))};
}

}  // namespace hearth::net
