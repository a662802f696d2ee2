#include "net/tunnel_exchange.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/file_pieces.h"
#include "net/http_message.h"
#include "net/tunnel.h"

namespace hearth::net {
namespace {

constexpr Duration kStall = seconds(30);
constexpr std::size_t kMaxHeadBytes = 32 * kKiB;
constexpr std::size_t kPiece = 64 * kKiB;
constexpr std::uint16_t kNormal = 1000;

class TunnelExchange final : public Exchange, public Cuttable {
 public:
  TunnelExchange(Loop& loop, std::shared_ptr<WebSocket> tunnel) : loop_(loop), tunnel_(std::move(tunnel)) {}

  // False: it is over already.
  Async<bool> begin();
  Async<void> settle();

  const RequestHead& head() const override { return head_; }
  std::string peer_address() const override { return {}; }
  Async<Result<std::size_t>> read_body(std::span<char> buffer) override;
  Async<Result<std::string>> read_whole_body(std::size_t limit) override;
  Async<Result<void>> reply(Response response) override;
  Async<Result<void>> start(unsigned status, Headers headers, std::optional<std::uint64_t> length) override;
  Async<Result<void>> write(std::string_view bytes) override;
  Async<Result<void>> finish() override;
  Async<Result<void>> write_file(int file, std::uint64_t offset, std::uint64_t count, Workers& workers) override;
  Async<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::string_view, std::size_t) override {
    co_return fail(Code::kUnimplemented, "a tunnel's request is answered once");
  }
  Async<Result<std::unique_ptr<Upgraded>>> upgrade(Headers) override {
    co_return fail(Code::kUnimplemented, "a tunnel's request is answered once");
  }
  Cuttable& connection() override { return *this; }
  bool gone() const override { return gone_; }
  void cut() override {
    gone_ = true;
    tunnel_->close(kNormal, "");
  }

 private:
  enum class Answer { kNone, kStarted, kFinished };

  bool has_answer_body() const { return head_.method != "HEAD" && status_ != 204 && status_ != 304; }
  Async<Result<void>> more();
  Async<Result<void>> send(std::string_view bytes);

  Loop& loop_;
  std::shared_ptr<WebSocket> tunnel_;
  RequestHead head_;
  BodyDecoder body_;
  std::string bytes_;  // come, and not used yet
  Answer answer_ = Answer::kNone;
  unsigned status_ = 0;
  bool gone_ = false;
};

Async<Result<void>> TunnelExchange::more() {
  const Result<std::string> piece = co_await tunnel_->read(kStall);
  gone_ = gone_ || !piece;
  if (!piece) co_return std::unexpected(piece.error());
  gone_ = gone_ || piece->empty();
  if (gone_) co_return fail(Code::kUnavailable, "the request ends too early");
  bytes_ += *piece;
  co_return Result<void>();
}

Async<Result<void>> TunnelExchange::send(std::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kMaxTunnelMessage))) {
    Result<void> sent = co_await tunnel_->write(std::string(bytes.substr(0, kMaxTunnelMessage)));
    gone_ = gone_ || !sent;
    if (!sent) co_return sent;
  }
  co_return Result<void>();
}

Async<bool> TunnelExchange::begin() {
  HeadEnd end;
  std::optional<std::size_t> size;
  while (!(size = end.find(bytes_)) && bytes_.size() <= kMaxHeadBytes) {
    if (!co_await more()) co_return false;
  }
  if (size.value_or(SIZE_MAX) > kMaxHeadBytes) {
    co_await reply(text_response(431, "the request's head is over 32 KiB"));
    co_return false;
  }
  std::expected<ParsedRequest, HttpFault> request = parse_request_head(std::string_view(bytes_).substr(0, *size));
  if (!request) {
    co_await reply(text_response(request.error().status, request.error().message));
    co_return false;
  }
  bytes_.erase(0, *size);
  head_ = std::move(request->head);
  body_ = BodyDecoder(request->body);
  co_return true;
}

Async<Result<std::size_t>> TunnelExchange::read_body(std::span<char> buffer) {
  while (!body_.done()) {
    const Result<BodyDecoder::Step> step = body_.decode(bytes_, buffer.size());
    if (!step) co_return std::unexpected(step.error());
    std::ranges::copy(step->body, buffer.begin());
    const std::size_t count = step->body.size();
    const std::size_t consumed = step->consumed;
    bytes_.erase(0, consumed);
    if (count > 0) co_return count;
    if (consumed > 0) continue;
    if (Result<void> came = co_await more(); !came) co_return std::unexpected(came.error());
  }
  co_return 0;
}

Async<Result<std::string>> TunnelExchange::read_whole_body(std::size_t limit) {
  std::string whole;
  for (;;) {
    const std::size_t filled = whole.size();
    whole.resize(filled + kPiece);
    const Result<std::size_t> count = co_await read_body(std::span(whole).subspan(filled));
    if (!count) co_return std::unexpected(count.error());
    whole.resize(filled + *count);
    if (*count == 0) co_return whole;
    if (whole.size() > limit) {
      co_return fail(Code::kResourceExhausted, "the request's body is longer than " + std::to_string(limit) + " bytes");
    }
  }
}

Async<Result<void>> TunnelExchange::reply(Response response) {
  Result<void> sent = co_await start(response.status, std::move(response.headers), response.body.size());
  if (sent) sent = co_await write(response.body);
  if (sent) sent = co_await finish();
  co_return sent;
}

// Of an unknown length, the answer ends with the tunnel.
Async<Result<void>> TunnelExchange::start(unsigned status, Headers headers, std::optional<std::uint64_t> length) {
  CHECK(answer_ == Answer::kNone);
  answer_ = Answer::kStarted;
  status_ = status;
  if (length && status != 204 && status != 304) headers.set("Content-Length", std::to_string(*length));
  headers.set("Connection", "close");
  co_return co_await send(format_response_head(status, headers));
}

Async<Result<void>> TunnelExchange::write(std::string_view bytes) {
  CHECK(answer_ == Answer::kStarted);
  if (!has_answer_body()) co_return Result<void>();
  co_return co_await send(bytes);
}

Async<Result<void>> TunnelExchange::finish() {
  CHECK(answer_ == Answer::kStarted);
  answer_ = Answer::kFinished;
  co_return co_await tunnel_->write("");
}

Async<Result<void>> TunnelExchange::write_file(int file, std::uint64_t offset, std::uint64_t count, Workers& workers) {
  FilePieces pieces(loop_, workers, file, offset, has_answer_body() ? count : 0);
  co_return co_await pieces.write_by([this](std::string_view piece) { return write(piece); });
}

// Whoever asked closes the tunnel once it has the whole answer: closing it here could overtake its last piece.
Async<void> TunnelExchange::settle() {
  if (answer_ == Answer::kNone && !gone_) {
    log_error("no answer was given", {{"method", head_.method}, {"path", head_.path}});
    co_await reply(text_response(500, "no answer was given"));
  }
  while (answer_ == Answer::kFinished && !gone_) gone_ = !co_await tunnel_->read(kStall);
  cut();
}

}  // namespace

Async<void> serve_tunnel(Loop& loop, std::shared_ptr<WebSocket> tunnel, Server::Handler handler) {
  TunnelExchange exchange(loop, std::move(tunnel));
  if (co_await exchange.begin()) co_await handler(exchange);
  co_await exchange.settle();
}

}  // namespace hearth::net
