// The Connect protocol (connectrpc.com/docs/protocol) over server.h and client.h: unary and server-streaming calls,
// protobuf or JSON.
//
// A Dispatcher maps "/hearth.v1.JobService/Submit" to a handler and enforces the method's options of
// proto/hearth/v1/access.proto before the handler runs: a method without an `access` option, or one nobody registered,
// reaches nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/message.h>

#include "base/ids.h"
#include "base/sizes.h"
#include "net/async.h"
#include "net/client.h"
#include "net/server.h"

namespace hearth::net {

// Values of hearth.v1.Access and what a session grants; a larger one includes the smaller ones, kOpen needs no session
// at all.
enum class AccessLevel { kOpen, kNode, kMember, kOperator, kOwner };

// Who calls, as the session says. Filled by the Authorizer; for open methods only the address.
struct Caller {
  AccessLevel level = AccessLevel::kOpen;
  DeviceId device;
  std::string device_name;
  std::uint64_t session = 0;
  bool freshly_proved = false;  // within the last 60 s
  std::string address;
  std::string host;                  // the Host header: the name by which the caller reached us
  Headers* reply_headers = nullptr;  // added to the answer (unary only); a place for Set-Cookie
};

// Reads cookie or bearer token. Errors: kUnauthenticated.
using Authorizer = std::function<Result<Caller>(const RequestHead& head, const std::string& peer_address)>;

// Where a streaming handler puts its messages.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  // Errors: kUnavailable when the client is gone or was cut: the handler returns then.
  virtual Async<Result<void>> send(const google::protobuf::Message& message) = 0;
  virtual bool gone() const = 0;
};

// Called with true when a streaming exchange begins and false when it ends, so that a revoked session's streams can be
// cut.
using StreamRegistry = std::function<void(const Caller& caller, Cuttable& connection, bool begins)>;

// A call that was answered.
struct AnsweredCall {
  std::string_view method;    // "hearth.v1.JobService.Submit"; empty: none that is registered
  std::optional<Code> error;  // nothing: it ended well
  bool streamed = false;
  Duration took;
};
using CallObserver = std::function<void(const AnsweredCall& call)>;

class Dispatcher {
 public:
  // `max_message_bytes` bounds requests; larger ones get resource_exhausted. What strangers may send, to open methods,
  // is at most 64 KiB.
  Dispatcher(Authorizer authorizer, StreamRegistry registry, std::size_t max_message_bytes = 8 * kMiB);
  ~Dispatcher();

  // `method` is "hearth.v1.JobService.Submit"; its request and reply types must be the schema's (CHECKed), as must an
  // access option.
  template <class Request, class Reply>
  void unary(std::string_view method, std::function<Async<Result<Reply>>(const Request&, Caller&)> handler);
  template <class Request, class Reply>
  void streaming(std::string_view method,
                 std::function<Async<Result<void>>(const Request&, Caller&, ReplyStream&)> handler);

  void observe(CallObserver observer);

  // Whether the path looks like a call ("/pkg.Service/Method").
  static bool is_call(std::string_view path);

  // Answers one call. `below`: what stands before the call in the path.
  Async<void> handle(Exchange& exchange, std::string_view below = {});

  // What is registered, sorted: "hearth.v1.JobService.Submit". For a test that compares with the schema.
  std::vector<std::string> methods() const;

 private:
  using UnaryHandler = std::function<Async<Result<std::unique_ptr<google::protobuf::Message>>>(
      const google::protobuf::Message&, Caller&)>;
  using StreamHandler = std::function<Async<Result<void>>(const google::protobuf::Message&, Caller&, ReplyStream&)>;
  void add_unary(std::string_view method, const google::protobuf::Descriptor* request,
                 const google::protobuf::Descriptor* reply, UnaryHandler handler);
  void add_streaming(std::string_view method, const google::protobuf::Descriptor* request,
                     const google::protobuf::Descriptor* reply, StreamHandler handler);

  struct State;
  std::unique_ptr<State> state_;
};

// Calls of a client, in the protobuf encoding. `bearer` is sent as Authorization if not empty.
Async<Result<void>> call_erased(Client& client, std::string_view method, std::string_view bearer,
                                const google::protobuf::Message& request, google::protobuf::Message& reply);
Async<Result<void>> call_stream_erased(
    Client& client, std::string_view method, std::string_view bearer, const google::protobuf::Message& request,
    const std::function<std::unique_ptr<google::protobuf::Message>()>& make,
    const std::function<Async<Result<void>>(const google::protobuf::Message&)>& sink);

// `method` is "hearth.v1.JobService/Submit".
template <class Reply>
Async<Result<Reply>> call(Client& client, std::string_view method, std::string_view bearer,
                          const google::protobuf::Message& request) {
  Reply reply;
  Result<void> done = co_await call_erased(client, method, bearer, request, reply);
  if (!done) co_return std::unexpected(done.error());
  co_return std::move(reply);
}

// Ends when the server ends it, or when `sink` returns an error.
template <class Reply>
Async<Result<void>> call_stream(Client& client, std::string_view method, std::string_view bearer,
                                const google::protobuf::Message& request,
                                std::function<Async<Result<void>>(const Reply&)> sink) {
  co_return co_await call_stream_erased(
      client, method, bearer, request, [] { return std::make_unique<Reply>(); },
      [&sink](const google::protobuf::Message& message) { return sink(static_cast<const Reply&>(message)); });
}

template <class Request, class Reply>
void Dispatcher::unary(std::string_view method, std::function<Async<Result<Reply>>(const Request&, Caller&)> handler) {
  add_unary(
      method, Request::descriptor(), Reply::descriptor(),
      [handler = std::move(handler)](const google::protobuf::Message& request,
                                     Caller& caller) -> Async<Result<std::unique_ptr<google::protobuf::Message>>> {
        Result<Reply> reply = co_await handler(static_cast<const Request&>(request), caller);
        if (!reply) co_return std::unexpected(reply.error());
        co_return std::make_unique<Reply>(std::move(*reply));
      });
}

template <class Request, class Reply>
void Dispatcher::streaming(std::string_view method,
                           std::function<Async<Result<void>>(const Request&, Caller&, ReplyStream&)> handler) {
  add_streaming(
      method, Request::descriptor(), Reply::descriptor(),
      [handler = std::move(handler)](const google::protobuf::Message& request, Caller& caller, ReplyStream& stream) {
        return handler(static_cast<const Request&>(request), caller, stream);
      });
}

}  // namespace hearth::net
