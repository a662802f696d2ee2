#include "net/server_exchange.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/log.h"
#include "net/file_pieces.h"
#include "net/websocket_handshake.h"

namespace hearth::net {
namespace {

constexpr std::uint64_t kMaxDrainedBytes = 1024UL * 1024;
constexpr std::size_t kCopiedBytes = 64UL * 1024;  // up to here one copy is cheaper than one more record
constexpr std::size_t kReadPiece = 64UL * 1024;

constexpr Duration kForever = minutes(60L * 24 * 365);
constexpr Duration kUpgradedStall = seconds(60);

class UpgradedConnection : public Upgraded {
 public:
  UpgradedConnection(std::shared_ptr<TlsStream> stream, std::string bytes)
      : stream_(std::move(stream)), bytes_(std::move(bytes)) {}
  ~UpgradedConnection() override { UpgradedConnection::close(); }

  Async<Result<std::string>> read() override { return read(stream_, std::exchange(bytes_, std::string())); }
  Async<Result<void>> write(std::string_view bytes) override { return stream_->write(bytes, kUpgradedStall); }
  void close() override {
    stream_->say_goodbye();
    stream_->cut();
  }

 private:
  static Async<Result<std::string>> read(std::shared_ptr<TlsStream> stream, std::string bytes) {
    if (!bytes.empty()) co_return bytes;
    Result<std::size_t> count = co_await stream->read_append(bytes, steady_now() + kForever);
    if (!count) co_return std::unexpected(count.error());
    co_return bytes;
  }

  std::shared_ptr<TlsStream> stream_;
  std::string bytes_;  // what came with the request
};

}  // namespace

ServerExchange::ServerExchange(ServerConnection& connection, ParsedRequest request)
    : connection_(connection),
      request_(std::move(request)),
      body_(request_.body),
      keep_alive_(request_.keep_alive),
      continue_due_(request_.expects_continue && !body_.done()) {
  if (!body_.done()) connection_.stream().acknowledge_now();
}

Async<Result<void>> ServerExchange::send(std::string_view bytes) {
  return connection_.stream().write(bytes, connection_.server().options.body_stall_limit);
}

Async<Result<std::size_t>> ServerExchange::read_body(std::span<char> buffer) {
  if (continue_due_ && connection_.input().empty()) {
    Result<void> sent = co_await send("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return std::unexpected(sent.error());
  }
  continue_due_ = false;
  co_return co_await connection_.input().read_body(body_, buffer, connection_.server().options.body_stall_limit);
}

Async<Result<std::string>> ServerExchange::read_whole_body(std::size_t limit) {
  auto too_long = [limit] {
    return fail(Code::kResourceExhausted, "the request's body is longer than " + std::to_string(limit) + " bytes");
  };
  if (body_.left().value_or(0) > limit) co_return too_long();
  std::string whole;
  while (!body_.done()) {
    std::size_t filled = whole.size();
    std::size_t room = std::min<std::uint64_t>(body_.left().value_or(kReadPiece), kReadPiece);
    whole.resize(filled + std::max<std::size_t>(room, 1));
    Result<std::size_t> count = co_await read_body(std::span(whole).subspan(filled));
    if (!count) co_return std::unexpected(count.error());
    whole.resize(filled + *count);
    if (whole.size() > limit) co_return too_long();
  }
  co_return whole;
}

bool ServerExchange::has_answer_body() const {
  return request_.head.method != "HEAD" && status_ != 204 && status_ != 304;
}

void ServerExchange::add_connection_header(Headers& headers) {
  // More of a request than the server is willing to read and drop: the connection ends with this answer.
  if (body_.left().value_or(0) > kMaxDrainedBytes || continue_due_) keep_alive_ = false;
  if (has_token(headers.get("Connection"), "close")) keep_alive_ = false;
  if (!keep_alive_) headers.set("Connection", "close");
}

Async<Result<void>> ServerExchange::reply(Response response) {
  CHECK(answer_ == Answer::kNone);
  answer_ = Answer::kFinished;
  status_ = response.status;
  add_connection_header(response.headers);
  if (status_ != 204 && status_ != 304) response.headers.set("Content-Length", std::to_string(response.body.size()));
  std::string bytes = format_response_head(status_, response.headers);
  if (!has_answer_body()) co_return co_await send(bytes);
  if (response.body.size() <= kCopiedBytes) {
    bytes += response.body;
    co_return co_await send(bytes);
  }
  Result<void> sent = co_await send(bytes);
  if (!sent) co_return sent;
  co_return co_await send(response.body);
}

Async<Result<void>> ServerExchange::start(unsigned status, Headers headers, std::optional<std::uint64_t> length) {
  CHECK(answer_ == Answer::kNone);
  answer_ = Answer::kStarted;
  status_ = status;
  chunked_ = !length && request_.chunks_allowed;
  if (!length && !chunked_) keep_alive_ = false;  // HTTP/1.0: the answer ends with the connection
  answer_left_ = length.value_or(UINT64_MAX);
  add_connection_header(headers);
  bool framed = status != 204 && status != 304;
  if (framed && length) headers.set("Content-Length", std::to_string(*length));
  if (framed && chunked_) headers.set("Transfer-Encoding", "chunked");
  held_ = format_response_head(status, headers);
  // A stream may have nothing to say for a while; bytes of known number follow at once.
  if (length.value_or(0) > 0 && has_answer_body()) co_return Result<void>();
  co_return co_await send_held();
}

Async<Result<void>> ServerExchange::send_held() {
  std::string held = std::exchange(held_, std::string());
  co_return co_await send(held);
}

Async<Result<void>> ServerExchange::write(std::string_view bytes) {
  CHECK(answer_ == Answer::kStarted && bytes.size() <= answer_left_);
  if (bytes.empty() || !has_answer_body()) co_return Result<void>();
  if (!chunked_ && answer_left_ != UINT64_MAX) answer_left_ -= bytes.size();
  if (chunked_) held_ += format_chunk_size(bytes.size());
  std::size_t with_head = held_.empty() ? 0 : std::min(bytes.size(), kCopiedBytes);
  if (with_head > 0) {
    held_.append(bytes.substr(0, with_head));
    if (chunked_ && with_head == bytes.size()) held_ += "\r\n";
    Result<void> sent = co_await send_held();
    if (!sent || with_head == bytes.size()) co_return sent;
  }
  Result<void> sent = co_await send(bytes.substr(with_head));
  if (sent && chunked_) held_ = "\r\n";  // leaves with the next chunk or the end
  co_return sent;
}

Async<Result<void>> ServerExchange::finish() {
  CHECK(answer_ == Answer::kStarted);
  answer_ = Answer::kFinished;
  if (!has_answer_body()) co_return Result<void>();
  if (answer_left_ > 0 && answer_left_ != UINT64_MAX) {
    connection_.cut();
    co_return fail(Code::kInternal, "the answer is " + std::to_string(answer_left_) + " bytes shorter than announced");
  }
  if (chunked_) held_ += "0\r\n\r\n";
  if (held_.empty()) co_return Result<void>();
  co_return co_await send_held();
}

Async<Result<void>> ServerExchange::write_file(int file, std::uint64_t offset, std::uint64_t count, Workers& workers) {
  FilePieces pieces(connection_.server().loop, workers, file, offset, has_answer_body() ? count : 0);
  co_return co_await pieces.write_by([this](std::string_view piece) { return write(piece); });
}

Async<Result<std::unique_ptr<WebSocket>>> ServerExchange::accept_websocket(std::string_view protocol,
                                                                           std::size_t max_message_bytes) {
  CHECK(answer_ == Answer::kNone);
  std::expected<Headers, HttpFault> headers = websocket_answer(request_, protocol);
  if (!headers) {
    Response refusal = text_response(headers.error().status, headers.error().message);
    if (refusal.status == 426) refusal.headers.add("Sec-WebSocket-Version", "13");
    static_cast<void>(co_await reply(std::move(refusal)));
    co_return fail(Code::kInvalidArgument, headers.error().message);
  }
  answer_ = Answer::kUpgraded;
  request_.head.headers = {};  // a session lasts for days
  Result<void> sent = co_await send(format_response_head(101, *headers));
  if (!sent) co_return std::unexpected(sent.error());
  co_return make_websocket(connection_.input().shared_stream(), connection_.input().take_rest(), WebSocketRole::kServer,
                           max_message_bytes);
}

Async<Result<std::unique_ptr<Upgraded>>> ServerExchange::upgrade(Headers headers) {
  CHECK(answer_ == Answer::kNone);
  answer_ = Answer::kUpgraded;
  request_.head.headers = {};
  Result<void> sent = co_await send(format_response_head(101, headers));
  if (!sent) co_return std::unexpected(sent.error());
  connection_.stream().keep_alive();
  co_return std::make_unique<UpgradedConnection>(connection_.input().shared_stream(), connection_.input().take_rest());
}

Async<bool> ServerExchange::settle() {
  // Once it has its answer, the next read finds that the peer has closed, without one more question to the kernel.
  const bool is_over = answer_ == Answer::kFinished ? connection_.stream().broken() : connection_.stream().gone();
  if (answer_ == Answer::kUpgraded || is_over) co_return false;
  if (answer_ == Answer::kStarted) {  // cut short: only the connection's end can tell the client
    connection_.cut();
    co_return false;
  }
  if (answer_ == Answer::kNone) {
    log_error("no answer was given", {{"method", request_.head.method}, {"path", request_.head.path}});
    Result<void> sent = co_await reply(text_response(500, "the server gave no answer"));
    if (!sent) co_return false;
  }
  if (keep_alive_ && co_await drain_body()) co_return true;
  co_await connection_.stream().close();
  co_return false;
}

// Reads and drops what is left of the request. False if that is too much.
Async<bool> ServerExchange::drain_body() {
  std::uint64_t dropped = 0;
  std::string piece;
  while (!body_.done() && !continue_due_) {
    piece.resize(kReadPiece);
    Result<std::size_t> count = co_await read_body(piece);
    if (!count) co_return false;
    dropped += *count;
    if (dropped > kMaxDrainedBytes) co_return false;
  }
  co_return body_.done();
}

}  // namespace hearth::net
