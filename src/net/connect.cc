#include "net/connect.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>

#include <google/protobuf/descriptor.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/sizes.h"
#include "hearth/v1/access.pb.h"
#include "net/connect_codec.h"

namespace hearth::net {
namespace {

namespace pb = google::protobuf;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxOpenMessageBytes = 64 * kKiB;
constexpr std::size_t kPieceBytes = 16 * kKiB;

// How a call is encoded, as its Content-Type says.
struct Format {
  Codec codec = Codec::kProto;
  bool streaming = false;
  std::string_view content_type;
};

constexpr std::array<Format, 4> kFormats = {
    Format{Codec::kProto, false, "application/proto"}, Format{Codec::kJson, false, "application/json"},
    Format{Codec::kProto, true, "application/connect+proto"}, Format{Codec::kJson, true, "application/connect+json"}};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Parameters ("; charset=utf-8") are ignored.
const Format* find_format(std::string_view content_type, bool streaming) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  for (const Format& format : kFormats) {
    if (format.streaming == streaming && equal_ignoring_case(type, format.content_type)) return &format;
  }
  return nullptr;
}

std::optional<AccessLevel> access_level(const pb::MethodDescriptor& method) {
  switch (method.options().GetExtension(v1::access)) {
    case v1::ACCESS_OPEN:
      return AccessLevel::kOpen;
    case v1::ACCESS_NODE:
      return AccessLevel::kNode;
    case v1::ACCESS_MEMBER:
      return AccessLevel::kMember;
    case v1::ACCESS_OPERATOR:
      return AccessLevel::kOperator;
    case v1::ACCESS_OWNER:
      return AccessLevel::kOwner;
    default:
      return std::nullopt;
  }
}

std::string_view needed(AccessLevel level) {
  if (level == AccessLevel::kOwner) return "an owner's device";
  return level == AccessLevel::kOperator ? "an owner's or operator's device" : "a member's device";
}

Response json_response(unsigned status, std::string body) {
  Response response{.status = status, .headers = {}, .body = std::move(body)};
  response.headers.add("content-type", "application/json");
  response.headers.add("cache-control", "no-store");
  return response;
}

Response error_response(const Error& error) { return json_response(http_status(error.code), error_json(error)); }

Response unimplemented_response(const std::string& path) {
  return json_response(404, error_json({Code::kUnimplemented, path + " is no method of this server"}));
}

Response wrong_method_response() {
  Response response =
      json_response(405, error_json({Code::kUnimplemented, "a call is a POST; no other HTTP method is served here"}));
  response.headers.add("allow", "POST");
  return response;
}

Response wrong_type_response(bool streaming) {
  std::string types;
  for (const Format& format : kFormats) {
    if (format.streaming != streaming) continue;
    types += (types.empty() ? "" : ", ") + std::string(format.content_type);
  }
  Response response = json_response(
      415, error_json({Code::kUnknown, "this method needs a Content-Type of " + types + " (an unsupported codec)"}));
  response.headers.add("accept-post", types);
  return response;
}

// What of a call's head can be wrong, once the caller is known.
Result<std::optional<SteadyClock::time_point>> check_head(const Headers& headers, bool streaming) {
  const std::string_view version = headers.get("connect-protocol-version");
  if (!version.empty() && version != "1") {
    return fail(Code::kInvalidArgument, "Connect-Protocol-Version must be 1");
  }
  const std::string_view encoding = headers.get(streaming ? "connect-content-encoding" : "content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return fail(Code::kUnimplemented, "this server takes no compressed messages: the supported encoding is identity");
  }
  if (!headers.has("connect-timeout-ms")) return std::nullopt;
  Result<std::uint64_t> timeout = parse_timeout(headers.get("connect-timeout-ms"));
  if (!timeout) return std::unexpected(timeout.error());
  return SteadyClock::now() + std::chrono::milliseconds(*timeout);
}

struct Deadline {
  std::optional<SteadyClock::time_point> when;

  bool passed() const { return when && SteadyClock::now() >= *when; }
  static std::unexpected<Error> error() {
    return fail(Code::kDeadlineExceeded, "the call took longer than the client's limit");
  }
};

// The one message of a server-streaming request.
Async<Result<std::string>> read_enveloped(Exchange& exchange, std::size_t limit) {
  EnvelopeReader reader(limit);
  std::optional<std::string> message;
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    Result<std::size_t> count = co_await exchange.read_body(piece);
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) break;
    reader.feed(std::string_view(piece).substr(0, *count));
    for (;;) {
      Result<std::optional<Envelope>> envelope = reader.next();
      if (!envelope) co_return std::unexpected(envelope.error());
      if (!*envelope) break;
      if ((**envelope).flags != 0) co_return fail(Code::kInvalidArgument, "a request has no end-of-stream message");
      if (message) co_return fail(Code::kUnimplemented, "this method takes one message, not several");
      message = std::move((**envelope).message);
    }
  }
  if (reader.in_the_middle()) co_return fail(Code::kInvalidArgument, "the request ends within a message");
  if (!message) co_return fail(Code::kUnimplemented, "this method takes one message; the request has none");
  co_return *std::move(message);
}

class EnvelopeStream final : public ReplyStream {
 public:
  EnvelopeStream(Exchange& exchange, Codec codec, Deadline deadline)
      : exchange_(exchange), codec_(codec), deadline_(deadline) {}

  Async<Result<void>> send(const pb::Message& message) override {
    if (deadline_.passed()) co_return Deadline::error();
    if (exchange_.gone()) co_return fail(Code::kUnavailable, "the client is gone");
    Result<std::string> encoded = encode_message(codec_, message);
    if (!encoded) co_return std::unexpected(encoded.error());
    std::string envelope;
    append_envelope(envelope, 0, *encoded);
    co_return co_await exchange_.write(envelope);
  }

  bool gone() const override { return exchange_.gone(); }

 private:
  Exchange& exchange_;
  Codec codec_;
  Deadline deadline_;
};

// Tells the registry of the end, however it comes.
class Registration {
 public:
  Registration(const StreamRegistry& registry, const Caller& caller, Cuttable& connection)
      : registry_(registry), caller_(caller), connection_(connection) {
    if (registry_) registry_(caller_, connection_, true);
  }
  ~Registration() {
    if (registry_) registry_(caller_, connection_, false);
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  const StreamRegistry& registry_;
  const Caller caller_;  // a copy: the handler may change its own
  Cuttable& connection_;
};

bool is_identifier(std::string_view text, bool dotted) {
  bool has_dot = false;
  for (char c : text) {
    if (c == '.') has_dot = true;
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    const bool allowed = letter || (dotted && c == '.');
    if (!allowed) return false;
  }
  return !text.empty() && has_dot == dotted;
}

}  // namespace

struct Dispatcher::State {
  struct Method {
    const pb::MethodDescriptor* descriptor = nullptr;
    AccessLevel level = AccessLevel::kOwner;
    bool fresh_proof = false;
    const pb::Message* prototype = nullptr;
    UnaryHandler unary;
    StreamHandler streaming;

    bool is_streaming() const { return descriptor->server_streaming(); }
  };

  Authorizer authorizer;
  StreamRegistry registry;
  std::size_t max_message_bytes = 0;
  CallObserver observer;
  std::map<std::string, Method, std::less<>> methods;  // by path

  Method& add(std::string_view name, const pb::Descriptor* request, const pb::Descriptor* reply, bool streaming);
  Result<Caller> authorize(const Method& method, Exchange& exchange) const;
  std::size_t limit(const Method& method) const {
    return method.level == AccessLevel::kOpen ? std::min(max_message_bytes, kMaxOpenMessageBytes) : max_message_bytes;
  }
  Async<Result<std::string>> run_unary(const Method& method, Codec codec, Exchange& exchange,
                                       Headers& reply_headers) const;
  Async<std::optional<Code>> answer_unary(const Method& method, const Format& format, Exchange& exchange) const;
  Async<Result<void>> run_streaming(const Method& method, Codec codec, Exchange& exchange, Headers headers,
                                    bool& started) const;
  Async<std::optional<Code>> answer_streaming(const Method& method, const Format& format, Exchange& exchange) const;
  Async<std::optional<Code>> answer(const Method& method, Exchange& exchange) const;
};

Dispatcher::State::Method& Dispatcher::State::add(std::string_view name, const pb::Descriptor* request,
                                                  const pb::Descriptor* reply, bool streaming) {
  const pb::MethodDescriptor* descriptor = pb::DescriptorPool::generated_pool()->FindMethodByName(std::string(name));
  CHECK(descriptor != nullptr);
  CHECK(descriptor->input_type() == request);
  CHECK(descriptor->output_type() == reply);
  CHECK(!descriptor->client_streaming());
  CHECK(descriptor->server_streaming() == streaming);
  const std::optional<AccessLevel> level = access_level(*descriptor);
  CHECK(level.has_value());
  const auto [entry, added] = methods.try_emplace("/" + descriptor->service()->full_name() + "/" + descriptor->name());
  CHECK(added);
  Method& method = entry->second;
  method.descriptor = descriptor;
  method.level = *level;
  method.fresh_proof = descriptor->options().GetExtension(v1::fresh_proof);
  method.prototype = pb::MessageFactory::generated_factory()->GetPrototype(request);
  return method;
}

Result<Caller> Dispatcher::State::authorize(const Method& method, Exchange& exchange) const {
  Caller caller;
  if (method.level != AccessLevel::kOpen) {
    Result<Caller> known = authorizer(exchange.head(), exchange.peer_address());
    if (!known) return known;
    if (known->level < method.level) {
      return fail(Code::kPermissionDenied,
                  "this is for " + std::string(needed(method.level)) + ", and this device is none");
    }
    if (method.fresh_proof && !known->freshly_proved) {
      return fail(Code::kUnauthenticated, "prove the device's key again");
    }
    caller = *std::move(known);
  }
  caller.address = exchange.peer_address();
  caller.host = exchange.head().headers.get("host");
  return caller;
}

Async<Result<std::string>> Dispatcher::State::run_unary(const Method& method, Codec codec, Exchange& exchange,
                                                        Headers& reply_headers) const {
  // Nothing of the body is looked at before the caller is known.
  Result<Caller> caller = authorize(method, exchange);
  if (!caller) co_return std::unexpected(caller.error());
  caller->reply_headers = &reply_headers;
  const auto when = check_head(exchange.head().headers, false);
  if (!when) co_return std::unexpected(when.error());
  const Deadline deadline{*when};

  Result<std::string> body = co_await exchange.read_whole_body(limit(method));
  if (!body) co_return std::unexpected(body.error());
  // The body may have come slowly, and the caller been shut out meanwhile.
  if (caller = authorize(method, exchange); !caller) co_return std::unexpected(caller.error());
  caller->reply_headers = &reply_headers;
  const std::unique_ptr<pb::Message> request(method.prototype->New());
  if (Result<void> parsed = decode_message(codec, *body, *request); !parsed) co_return std::unexpected(parsed.error());
  body->clear();
  body->shrink_to_fit();

  // A handler is not interrupted: it may be in the middle of a commit. Its late answer is dropped.
  Result<std::unique_ptr<pb::Message>> reply = co_await method.unary(*request, *caller);
  if (deadline.passed()) co_return Deadline::error();
  if (!reply) co_return std::unexpected(reply.error());
  co_return encode_message(codec, **reply);
}

Async<std::optional<Code>> Dispatcher::State::answer_unary(const Method& method, const Format& format,
                                                           Exchange& exchange) const {
  Headers reply_headers;
  Result<std::string> body = co_await run_unary(method, format.codec, exchange, reply_headers);
  Response response;
  if (body) {
    response.body = *std::move(body);
    response.headers.add("content-type", std::string(format.content_type));
    response.headers.add("cache-control", "no-store");
  } else {
    response = error_response(body.error());
  }
  for (const auto& [name, value] : reply_headers.fields()) response.headers.add(name, value);
  const std::optional<Code> ended = body ? std::nullopt : std::optional(body.error().code);
  // A client that is gone needs no answer.
  (void)co_await exchange.reply(std::move(response));
  co_return ended;
}

Async<Result<void>> Dispatcher::State::run_streaming(const Method& method, Codec codec, Exchange& exchange,
                                                     Headers headers, bool& started) const {
  Result<Caller> caller = authorize(method, exchange);
  if (!caller) co_return std::unexpected(caller.error());
  const auto when = check_head(exchange.head().headers, true);
  if (!when) co_return std::unexpected(when.error());

  Result<std::string> body = co_await read_enveloped(exchange, limit(method));
  if (!body) co_return std::unexpected(body.error());
  // As in run_unary().
  if (caller = authorize(method, exchange); !caller) co_return std::unexpected(caller.error());
  const std::unique_ptr<pb::Message> request(method.prototype->New());
  if (Result<void> parsed = decode_message(codec, *body, *request); !parsed) co_return parsed;

  const Registration registration(registry, *caller, exchange.connection());
  // The head leaves before the first message, so that a client knows at once that its stream stands.
  started = true;
  if (Result<void> sent = co_await exchange.start(200, std::move(headers), std::nullopt); !sent) co_return sent;
  EnvelopeStream stream(exchange, codec, {*when});
  Result<void> done = co_await method.streaming(*request, *caller, stream);
  if (Deadline{*when}.passed()) co_return Deadline::error();
  co_return done;
}

Async<std::optional<Code>> Dispatcher::State::answer_streaming(const Method& method, const Format& format,
                                                               Exchange& exchange) const {
  Headers headers;
  headers.add("content-type", std::string(format.content_type));
  headers.add("cache-control", "no-store");
  bool started = false;
  const Result<void> outcome = co_await run_streaming(method, format.codec, exchange, headers, started);
  const std::optional<Code> ended = outcome ? std::nullopt : std::optional(outcome.error().code);
  if (exchange.gone()) co_return ended;
  // Errors of a stream travel in its last message; the HTTP status is always 200.
  std::string end;
  append_envelope(end, kEndStreamFlag, end_stream_json(outcome));
  if (!started) {
    (void)co_await exchange.reply({.status = 200, .headers = std::move(headers), .body = std::move(end)});
    co_return ended;
  }
  if (co_await exchange.write(end)) (void)co_await exchange.finish();
  co_return ended;
}

Async<std::optional<Code>> Dispatcher::State::answer(const Method& method, Exchange& exchange) const {
  const RequestHead& head = exchange.head();
  if (head.method != "POST") {
    (void)co_await exchange.reply(wrong_method_response());
    co_return Code::kUnimplemented;
  }
  const Format* format = find_format(head.headers.get("content-type"), method.is_streaming());
  if (format == nullptr) {
    (void)co_await exchange.reply(wrong_type_response(method.is_streaming()));
    co_return Code::kUnknown;
  }
  if (method.is_streaming()) co_return co_await answer_streaming(method, *format, exchange);
  co_return co_await answer_unary(method, *format, exchange);
}

Dispatcher::Dispatcher(Authorizer authorizer, StreamRegistry registry, std::size_t max_message_bytes)
    : state_(std::make_unique<State>(std::move(authorizer), std::move(registry), max_message_bytes)) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::add_unary(std::string_view method, const pb::Descriptor* request, const pb::Descriptor* reply,
                           UnaryHandler handler) {
  state_->add(method, request, reply, false).unary = std::move(handler);
}

void Dispatcher::add_streaming(std::string_view method, const pb::Descriptor* request, const pb::Descriptor* reply,
                               StreamHandler handler) {
  state_->add(method, request, reply, true).streaming = std::move(handler);
}

bool Dispatcher::is_call(std::string_view path) {
  if (!path.starts_with('/')) return false;
  path.remove_prefix(1);
  const std::size_t slash = path.find('/');
  return slash != std::string_view::npos && is_identifier(path.substr(0, slash), true) &&
         is_identifier(path.substr(slash + 1), false);
}

void Dispatcher::observe(CallObserver observer) { state_->observer = std::move(observer); }

Async<void> Dispatcher::handle(Exchange& exchange, std::string_view below) {
  const SteadyClock::time_point began = SteadyClock::now();
  const auto found = state_->methods.find(std::string_view(exchange.head().path).substr(below.size()));
  AnsweredCall call{.error = Code::kUnimplemented};
  if (found == state_->methods.end()) {
    (void)co_await exchange.reply(unimplemented_response(exchange.head().path));
  } else {
    call.method = found->second.descriptor->full_name();
    call.streamed = found->second.is_streaming();
    call.error = co_await state_->answer(found->second, exchange);
  }
  if (!state_->observer) co_return;
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
  call.took = microseconds(took.count());
  state_->observer(call);
}

std::vector<std::string> Dispatcher::methods() const {
  std::vector<std::string> names;
  for (const auto& [path, method] : state_->methods) names.push_back(method.descriptor->full_name());
  std::ranges::sort(names);
  return names;
}

}  // namespace hearth::net
