#include "egress/post.h"

#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "base/bytes.h"
#include "net/deadlines.h"
#include "net/dial.h"
#include "net/http_message.h"
#include "net/tls_stream.h"

namespace hearth::egress {
namespace {

using Tcp = asio::ip::tcp;

constexpr std::size_t kMaxHeadBytes = 16UL * 1024;
constexpr std::size_t kMaxHeads = 4;  // with answers like "103 Early Hints" before the one that counts

// Reads an answer's status from bytes as they come.
class Answer {
 public:
  std::string& bytes() { return bytes_; }

  // Nothing: more bytes are needed.
  Result<std::optional<unsigned>> status() {
    while (const auto size = end_.find(bytes_)) {
      const auto head = net::parse_response_head(std::string_view(bytes_).substr(0, *size), false);
      if (!head) return fail(Code::kInvalidArgument, "the answer is no HTTP: " + head.error().message);
      if (head->status >= 200 || head->status == 101) return head->status;
      if (++heads_ == kMaxHeads) break;
      bytes_.erase(0, *size);
      end_ = {};
    }
    if (heads_ < kMaxHeads && bytes_.size() <= kMaxHeadBytes) return std::nullopt;
    return fail(Code::kResourceExhausted, "the answer's head is longer than " + format_bytes(kMaxHeadBytes));
  }

 private:
  std::string bytes_;
  net::HeadEnd end_;
  std::size_t heads_ = 0;
};

std::string request_of(const Message& message) {
  net::Headers headers = message.headers;
  headers.set("Host", message.url.host());
  headers.set("Content-Length", std::to_string(message.body.size()));
  headers.set("Connection", "close");
  return net::format_request_head("POST", message.url.target, headers) + message.body;
}

net::Async<Result<unsigned>> exchange_in_clear(Tcp::socket socket, std::string request, Time due) {
  bool is_late = false;
  net::Deadline deadline(socket.get_executor(), [&] {
    is_late = true;
    asio::error_code ignored;
    socket.cancel(ignored);
  });
  deadline.arm(due);
  asio::error_code error;
  co_await asio::async_write(socket, asio::buffer(request), asio::redirect_error(asio::use_awaitable, error));
  Answer answer;
  std::array<char, 4096> piece{};
  // Who refuses may answer and close before everything was sent.
  while (!is_late) {
    const std::size_t count =
        co_await socket.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, error));
    answer.bytes().append(piece.data(), count);
    const Result<std::optional<unsigned>> status = answer.status();
    if (!status) co_return std::unexpected(status.error());
    if (*status) co_return **status;
    if (error && !is_late) co_return fail(Code::kUnavailable, "the connection was closed without an answer");
  }
  co_return fail(Code::kDeadlineExceeded, "no answer came in time");
}

net::Async<Result<unsigned>> exchange_by_tls(Tcp::socket socket, std::shared_ptr<const net::TlsContext> context,
                                             std::string host, std::string request, Time due) {
  net::TlsStream stream(std::move(socket), std::move(context));
  stream.expect_host(std::move(host));
  Result<void> done = co_await stream.handshake(due);
  if (!done) co_return std::unexpected(done.error());
  done = co_await stream.write(request, due - net::steady_now());
  if (!done) co_return std::unexpected(done.error());
  Answer answer;
  while (true) {
    const Result<std::optional<unsigned>> status = answer.status();
    if (!status) co_return std::unexpected(status.error());
    if (*status) {
      stream.say_goodbye();
      co_return **status;
    }
    const Result<std::size_t> count = co_await stream.read_append(answer.bytes(), due);
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) co_return fail(Code::kUnavailable, "the connection was closed without an answer");
  }
}

}  // namespace

Poster::Poster(World world) : world_(std::move(world)) {}

// The first address that passes and answers.
net::Async<Result<Tcp::socket>> Poster::connect(const Message& message, Time due) {
  const auto addresses = co_await world_.resolve(message.url.endpoint.host, due);
  if (!addresses) co_return std::unexpected(addresses.error());
  const std::vector<AddressRange> own = world_.own_ranges();
  std::string_view refusal;
  std::optional<Error> failure;
  for (const asio::ip::address& address : *addresses) {
    const std::string_view why = message.may_be_private ? std::string_view() : world_.refusal(address, own);
    if (!why.empty()) {
      refusal = why;
      continue;
    }
    auto socket = co_await net::dial({.host = address.to_string(), .port = message.url.endpoint.port}, due);
    if (socket) co_return std::move(*socket);
    failure = socket.error();
  }
  if (failure) co_return std::unexpected(*failure);
  co_return fail(Code::kPermissionDenied,
                 fmt::format("{} is {}, where nothing is sent", message.url.endpoint.host, refusal));
}

net::Async<Result<unsigned>> Poster::post(Message message) {
  const Time due = net::steady_now() + message.limit;
  Result<Tcp::socket> socket = co_await connect(message, due);
  if (!socket) co_return std::unexpected(socket.error());
  std::string request = request_of(message);
  if (!message.url.tls) co_return co_await exchange_in_clear(std::move(*socket), std::move(request), due);
  if (!tls_) tls_ = net::TlsContext::web_client();
  co_return co_await exchange_by_tls(std::move(*socket), tls_, message.url.endpoint.host, std::move(request), due);
}

}  // namespace hearth::egress
