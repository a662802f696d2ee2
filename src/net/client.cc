#include "net/client.h"

#include <algorithm>
#include <utility>

#include "net/client_pool.h"
#include "net/file_pieces.h"
#include "net/websocket_handshake.h"

namespace hearth::net {
namespace {

using Sink = std::function<Async<Result<void>>(std::string_view)>;

constexpr std::size_t kMaxHeadBytes = 64UL * 1024;
constexpr std::size_t kMaxErrorBytes = 64UL * 1024;  // of a refusal's text
constexpr std::size_t kReadPiece = 256UL * 1024;
constexpr std::size_t kStreamPiece = 16UL * 1024;  // held while a stream is silent
constexpr Duration kForever = minutes(60L * 24 * 365);

// Gives the connection back when a request ends, however it ends.
class Lease {
 public:
  Lease(std::shared_ptr<ClientPool> pool, std::unique_ptr<ClientConnection> connection)
      : pool_(std::move(pool)), connection_(std::move(connection)) {}
  Lease(Lease&& other) noexcept
      : pool_(std::move(other.pool_)), connection_(std::move(other.connection_)), reusable_(other.reusable_) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (connection_) pool_->release(std::move(connection_), reusable_);
  }

  HttpInput& input() { return connection_->input; }
  TlsStream& stream() { return connection_->input.stream(); }
  bool reused() const { return connection_->reused; }
  void set_reusable(bool reusable) { reusable_ = reusable; }

 private:
  std::shared_ptr<ClientPool> pool_;
  std::unique_ptr<ClientConnection> connection_;
  bool reusable_ = false;
};

struct FileBody {
  int file = -1;
  std::uint64_t size = 0;
};

struct Outgoing {
  std::string method;
  std::string target;
  Headers headers;
  std::string body;
  std::optional<FileBody> file;
  Duration stall;  // for the answer's body
};

// A request that has been sent, and the head of its answer.
struct Answered {
  Lease lease;
  ParsedResponse head;
};

void add_fixed_headers(Outgoing& request, const Endpoint& endpoint) {
  request.headers.set("Host", endpoint.text());
  bool has_body = request.file || !request.body.empty() || (request.method != "GET" && request.method != "HEAD");
  std::uint64_t size = request.file ? request.file->size : request.body.size();
  if (has_body) request.headers.set("Content-Length", std::to_string(size));
}

}  // namespace

class TlsClient : public Client {
 public:
  TlsClient(std::shared_ptr<ClientPool> pool, Workers& workers) : pool_(std::move(pool)), workers_(workers) {}
  ~TlsClient() override { pool_->close(); }

  Async<Result<Response>> request(std::string method, std::string target, Headers headers, std::string body,
                                  std::size_t max_reply_bytes) override {
    return whole(pool_, workers_, {std::move(method), std::move(target), std::move(headers), std::move(body), {}, {}},
                 max_reply_bytes);
  }

  Async<Result<Response>> send_file(std::string target, Headers headers, int file, std::uint64_t size) override {
    return whole(pool_, workers_, {"PUT", std::move(target), std::move(headers), {}, FileBody{file, size}, {}},
                 kMaxErrorBytes);
  }

  Async<Result<Response>> fetch(std::string target, Headers headers, Sink sink) override {
    return piecewise(pool_, workers_,
                     {"GET", std::move(target), std::move(headers), {}, {}, pool_->options().stall_limit},
                     std::move(sink));
  }

  Async<Result<Response>> stream(std::string method, std::string target, Headers headers, std::string body,
                                 Sink sink) override {
    return piecewise(pool_, workers_,
                     {std::move(method), std::move(target), std::move(headers), std::move(body), {}, kForever},
                     std::move(sink));
  }

  Async<Result<std::unique_ptr<WebSocket>>> websocket(std::string target, Headers headers, std::string_view protocol,
                                                      std::size_t max_message_bytes) override {
    return upgrade(pool_, {"GET", std::move(target), std::move(headers), {}, {}, {}}, std::string(protocol),
                   max_message_bytes);
  }

  std::string server_identity() const override { return pool_->server_identity(); }
  std::string local_address() const override { return pool_->local_address(); }
  void close() override { pool_->close(); }

 private:
  // The coroutines own what they use: the client may be destroyed while they wait.
  using Pool = std::shared_ptr<ClientPool>;
  static Async<Result<Response>> whole(Pool pool, Workers& workers, Outgoing request, std::size_t max_reply_bytes);
  static Async<Result<Response>> piecewise(Pool pool, Workers& workers, Outgoing request, Sink sink);
  static Async<Result<std::unique_ptr<WebSocket>>> upgrade(Pool pool, Outgoing request, std::string protocol,
                                                           std::size_t max_message_bytes);
  static Async<Result<ParsedResponse>> ask_upgrade(ClientPool& pool, HttpInput& input, const Outgoing& request);
  static Async<std::unexpected<Error>> refused_upgrade(ClientPool& pool, HttpInput& input,
                                                       const ParsedResponse& answer);
  static Async<Result<Answered>> transact(Pool pool, Workers& workers, Outgoing& request);
  static Async<Result<void>> send(ClientPool& pool, Workers& workers, TlsStream& stream, const Outgoing& request);
  static Async<Result<void>> send_pieces(ClientPool& pool, Workers& workers, TlsStream& stream, FileBody file);
  static Async<Result<ParsedResponse>> read_answer(ClientPool& pool, HttpInput& input, const std::string& method);
  static Async<Result<std::string>> read_all(HttpInput& input, BodyDecoder& body, std::size_t limit, Duration stall);

  Pool pool_;
  Workers& workers_;
};

namespace {

// What failed because close() was called says so.
std::unexpected<Error> ended(const ClientPool& pool, const Error& error) {
  if (pool.closed()) return fail(Code::kCanceled, "the connection was closed on this side");
  return std::unexpected(error);
}

Response without_body(ParsedResponse& head) {
  return {.status = head.status, .headers = std::move(head.headers), .body = {}};
}

}  // namespace

Async<Result<void>> TlsClient::send(ClientPool& pool, Workers& workers, TlsStream& stream, const Outgoing& request) {
  std::string bytes = format_request_head(request.method, request.target, request.headers);
  bool together = request.body.size() <= kMaxErrorBytes;
  if (together) bytes += request.body;
  Duration stall = pool.options().stall_limit;
  Result<void> sent = co_await stream.write(bytes, stall);
  if (sent && !together) sent = co_await stream.write(request.body, stall);
  if (sent && request.file) sent = co_await send_pieces(pool, workers, stream, *request.file);
  co_return sent;
}

Async<Result<void>> TlsClient::send_pieces(ClientPool& pool, Workers& workers, TlsStream& stream, FileBody file) {
  FilePieces pieces(pool.loop(), workers, file.file, 0, file.size);
  co_return co_await pieces.write_by([&](std::string_view piece) -> Async<Result<void>> {
    // An answer before the request has ended is a refusal: no use in sending the rest.
    if (stream.has_input()) co_return fail(Code::kAborted, "the server answered before the file was sent");
    co_return co_await stream.write(piece, pool.options().stall_limit);
  });
}

Async<Result<ParsedResponse>> TlsClient::read_answer(ClientPool& pool, HttpInput& input, const std::string& method) {
  while (true) {
    Result<std::string> head = co_await input.read_head(kMaxHeadBytes, steady_now() + pool.options().stall_limit);
    if (!head) co_return std::unexpected(head.error());
    std::expected<ParsedResponse, HttpFault> response = parse_response_head(*head, method == "HEAD");
    if (!response) co_return fail(Code::kInternal, "the server's answer is malformed: " + response.error().message);
    bool interim = response->status / 100 == 1 && response->status != 101;
    if (!interim) co_return std::move(*response);
  }
}

Async<Result<Answered>> TlsClient::transact(Pool pool, Workers& workers, Outgoing& request) {
  add_fixed_headers(request, pool->endpoint());
  for (bool fresh = false;; fresh = true) {
    Result<std::unique_ptr<ClientConnection>> connection = co_await pool->acquire(fresh);
    if (!connection) co_return ended(*pool, connection.error());
    Lease lease(pool, std::move(*connection));
    Result<void> sent = co_await send(*pool, workers, lease.stream(), request);
    bool own_fault = !sent && sent.error().code != Code::kUnavailable && sent.error().code != Code::kAborted;
    if (own_fault) co_return ended(*pool, sent.error());
    // Also after a failure to send: the server may have refused the request and said why.
    Result<bool> begun = co_await lease.input().wait_for_bytes(steady_now() + pool->options().stall_limit);
    if (begun && !*begun) begun = fail(Code::kUnavailable, "the server closed the connection without an answer");
    if (!begun) {
      bool stale = lease.reused() && !pool->closed() && begun.error().code == Code::kUnavailable;
      if (stale) continue;
      co_return ended(*pool, sent ? begun.error() : sent.error());
    }
    Result<ParsedResponse> head = co_await read_answer(*pool, lease.input(), request.method);
    if (!head) co_return ended(*pool, head.error());
    if (!sent) head->keep_alive = false;
    co_return Answered{std::move(lease), std::move(*head)};
  }
}

Async<Result<std::string>> TlsClient::read_all(HttpInput& input, BodyDecoder& body, std::size_t limit, Duration stall) {
  std::string whole;
  while (!body.done()) {
    std::size_t filled = whole.size();
    std::size_t room = std::min<std::uint64_t>(body.left().value_or(16 * 1024), kReadPiece);
    whole.resize(filled + std::max<std::size_t>(room, 1));
    Result<std::size_t> count = co_await input.read_body(body, std::span(whole).subspan(filled), stall);
    if (!count) co_return std::unexpected(count.error());
    whole.resize(filled + *count);
    if (whole.size() > limit || body.left().value_or(0) > limit) {
      co_return fail(Code::kResourceExhausted, "the answer is longer than " + std::to_string(limit) + " bytes");
    }
  }
  co_return whole;
}

Async<Result<Response>> TlsClient::whole(Pool pool, Workers& workers, Outgoing request, std::size_t max_reply_bytes) {
  Result<Answered> answered = co_await transact(pool, workers, request);
  if (!answered) co_return std::unexpected(answered.error());
  BodyDecoder body(answered->head.body);
  Result<std::string> bytes =
      co_await read_all(answered->lease.input(), body, max_reply_bytes, pool->options().stall_limit);
  if (!bytes) co_return ended(*pool, bytes.error());
  answered->lease.set_reusable(answered->head.keep_alive);
  Response response = without_body(answered->head);
  response.body = std::move(*bytes);
  co_return response;
}

Async<Result<Response>> TlsClient::piecewise(Pool pool, Workers& workers, Outgoing request, Sink sink) {
  Result<Answered> answered = co_await transact(pool, workers, request);
  if (!answered) co_return std::unexpected(answered.error());
  BodyDecoder body(answered->head.body);
  HttpInput& input = answered->lease.input();
  Response response = without_body(answered->head);
  if (response.status != 200) {
    Result<std::string> text = co_await read_all(input, body, kMaxErrorBytes, pool->options().stall_limit);
    if (!text) co_return ended(*pool, text.error());
    response.body = std::move(*text);
  }
  std::string piece(request.stall == kForever ? kStreamPiece : kReadPiece, '\0');
  while (!body.done()) {
    Result<std::size_t> count = co_await input.read_body(body, piece, request.stall);
    if (!count) co_return ended(*pool, count.error());
    if (*count == 0) continue;
    Result<void> taken = co_await sink(std::string_view(piece).substr(0, *count));
    if (!taken) co_return std::unexpected(taken.error());
  }
  answered->lease.set_reusable(answered->head.keep_alive);
  co_return response;
}

// Asks on the connection that has just served us, if there is one: another would cost both ends a TLS handshake.
Async<Result<std::unique_ptr<WebSocket>>> TlsClient::upgrade(Pool pool, Outgoing request, std::string protocol,
                                                             std::size_t max_message_bytes) {
  std::string key = websocket_key();
  request.headers.set("Host", pool->endpoint().text());
  add_websocket_request(request.headers, protocol, key);
  for (bool fresh = false;; fresh = true) {
    Result<std::unique_ptr<ClientConnection>> connection = co_await pool->detach(fresh);
    if (!connection) co_return ended(*pool, connection.error());
    HttpInput& input = (*connection)->input;
    Result<ParsedResponse> answer = co_await ask_upgrade(*pool, input, request);
    bool stale = !answer && (*connection)->reused && !pool->closed() && answer.error().code == Code::kUnavailable;
    if (stale) continue;
    if (!answer) co_return ended(*pool, answer.error());
    if (answer->status != 101) co_return co_await refused_upgrade(*pool, input, *answer);
    Result<void> agreed = check_websocket_answer(*answer, protocol, key);
    if (!agreed) co_return std::unexpected(agreed.error());
    co_return make_websocket(input.shared_stream(), input.take_rest(), WebSocketRole::kClient, max_message_bytes);
  }
}

Async<Result<ParsedResponse>> TlsClient::ask_upgrade(ClientPool& pool, HttpInput& input, const Outgoing& request) {
  std::string head = format_request_head(request.method, request.target, request.headers);
  Result<void> sent = co_await input.stream().write(head, pool.options().stall_limit);
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await read_answer(pool, input, request.method);
}

Async<std::unexpected<Error>> TlsClient::refused_upgrade(ClientPool& pool, HttpInput& input,
                                                         const ParsedResponse& answer) {
  BodyDecoder body(answer.body);
  Result<std::string> text = co_await read_all(input, body, kMaxErrorBytes, pool.options().stall_limit);
  co_return fail(Code::kFailedPrecondition, "the server refused the connection with status " +
                                                std::to_string(answer.status) + ": " + text.value_or(""));
}

std::unique_ptr<Client> Client::make(Loop& loop, Endpoint endpoint, ServerPin pin, Workers& workers,
                                     ClientOptions options) {
  auto pool = std::make_shared<ClientPool>(loop, std::move(endpoint), std::move(pin), options);
  return std::make_unique<TlsClient>(std::move(pool), workers);
}

}  // namespace hearth::net
