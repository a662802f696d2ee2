// The client's side of connect.h.
#include <optional>

#include "base/sizes.h"
#include "net/connect.h"
#include "net/connect_codec.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxReplyBytes = 64 * kMiB;
constexpr std::size_t kMaxErrorBytes = 64 * kKiB;

Headers call_headers(std::string_view content_type, std::string_view bearer) {
  Headers headers;
  headers.add("content-type", std::string(content_type));
  headers.add("connect-protocol-version", "1");
  if (!bearer.empty()) headers.add("authorization", "Bearer " + std::string(bearer));
  return headers;
}

// Takes the body of a streamed answer apart. The status is not known while the body arrives: an answer that does not
// begin with a flag byte is no stream but the text of an error.
class StreamReply {
 public:
  using Make = std::function<std::unique_ptr<google::protobuf::Message>()>;
  using Sink = std::function<Async<Result<void>>(const google::protobuf::Message&)>;

  StreamReply(const Make& make, const Sink& sink) : make_(make), sink_(sink), reader_(kMaxReplyBytes) {}

  Async<Result<void>> take(std::string_view bytes) {
    if (bytes.empty()) co_return Result<void>();
    if (!is_stream_) is_stream_ = static_cast<unsigned char>(bytes[0]) <= (kCompressedFlag | kEndStreamFlag);
    if (!*is_stream_) {
      text_.append(bytes.substr(0, kMaxErrorBytes - text_.size()));
      co_return Result<void>();
    }
    reader_.feed(bytes);
    Result<void> taken = co_await take_envelopes();
    if (!taken) failure_ = taken.error();
    co_return taken;
  }

  // The call's outcome, from what HTTP said in the end.
  Result<void> outcome(const Result<Response>& response) const {
    if (failure_) return std::unexpected(*failure_);
    if (end_) return *end_;
    if (!response) return std::unexpected(response.error());
    if (response->status != 200) {
      return std::unexpected(parse_error(response->status, response->body.empty() ? text_ : response->body));
    }
    return fail(Code::kUnavailable, "the server's stream broke off");
  }

 private:
  Async<Result<void>> take_envelopes() {
    for (;;) {
      Result<std::optional<Envelope>> envelope = reader_.next();
      if (!envelope) co_return std::unexpected(envelope.error());
      if (!*envelope) co_return Result<void>();
      if (end_) co_return fail(Code::kInternal, "the server sent something after the end of its stream");
      if ((**envelope).flags == kEndStreamFlag) {
        end_ = parse_end_stream((**envelope).message);
        continue;
      }
      const std::unique_ptr<google::protobuf::Message> message = make_();
      if (Result<void> parsed = decode_message(Codec::kProto, (**envelope).message, *message); !parsed) {
        co_return fail(Code::kInternal, "the server sent a malformed message: " + parsed.error().message);
      }
      if (Result<void> taken = co_await sink_(*message); !taken) co_return taken;
    }
  }

  const Make& make_;
  const Sink& sink_;
  EnvelopeReader reader_;
  std::optional<bool> is_stream_;
  std::string text_;
  std::optional<Result<void>> end_;
  std::optional<Error> failure_;
};

}  // namespace

Async<Result<void>> call_erased(Client& client, std::string_view method, std::string_view bearer,
                                const google::protobuf::Message& request, google::protobuf::Message& reply) {
  Result<std::string> body = encode_message(Codec::kProto, request);
  if (!body) co_return std::unexpected(body.error());
  Result<Response> response = co_await client.request(
      "POST", "/" + std::string(method), call_headers("application/proto", bearer), *std::move(body), kMaxReplyBytes);
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 200) co_return std::unexpected(parse_error(response->status, response->body));
  if (!response->headers.get("content-type").starts_with("application/proto")) {
    co_return fail(Code::kInternal, "what answered is no Hearth server: its answer is no protobuf message");
  }
  if (Result<void> parsed = decode_message(Codec::kProto, response->body, reply); !parsed) {
    co_return fail(Code::kInternal, "the server's answer is malformed: " + parsed.error().message);
  }
  co_return Result<void>();
}

Async<Result<void>> call_stream_erased(
    Client& client, std::string_view method, std::string_view bearer, const google::protobuf::Message& request,
    const std::function<std::unique_ptr<google::protobuf::Message>()>& make,
    const std::function<Async<Result<void>>(const google::protobuf::Message&)>& sink) {
  Result<std::string> encoded = encode_message(Codec::kProto, request);
  if (!encoded) co_return std::unexpected(encoded.error());
  std::string body;
  append_envelope(body, 0, *encoded);
  StreamReply reply(make, sink);
  const Result<Response> response =
      co_await client.stream("POST", "/" + std::string(method), call_headers("application/connect+proto", bearer),
                             std::move(body), [&reply](std::string_view bytes) { return reply.take(bytes); });
  co_return reply.outcome(response);
}

}  // namespace hearth::net
