// For tests: requests and answers in memory, without sockets.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <unistd.h>

#include "base/check.h"
#include "base/sizes.h"
#include "net/client.h"
#include "net/server.h"

namespace hearth::net {

// One request whose body arrives in pieces of `piece_bytes`, and the answer as the handler gave it.
class FakeExchange final : public Exchange, public Cuttable {
 public:
  FakeExchange(RequestHead head, std::string body) : head_(std::move(head)), body_(std::move(body)) {
    head_.content_length = body_.size();
  }

  std::size_t piece_bytes = 7;
  std::size_t cut_after_writes = SIZE_MAX;  // the client goes away then
  Response answer;                          // a streamed one too, once finished
  bool answered = false;
  bool streamed = false;
  bool finished = false;
  bool body_read = false;  // whether anybody asked for the body
  std::size_t writes = 0;

  const RequestHead& head() const override { return head_; }
  std::string peer_address() const override { return "192.0.2.7"; }

  Async<Result<std::size_t>> read_body(std::span<char> buffer) override {
    body_read = true;
    const std::size_t count = std::min({buffer.size(), piece_bytes, body_.size() - read_});
    std::copy_n(body_.data() + read_, count, buffer.data());
    read_ += count;
    co_return count;
  }

  Async<Result<std::string>> read_whole_body(std::size_t limit) override {
    body_read = true;
    if (body_.size() > limit) co_return fail(Code::kResourceExhausted, "the body is too long");
    co_return body_;
  }

  Async<Result<void>> reply(Response response) override {
    CHECK(!answered);
    answered = finished = true;
    answer = std::move(response);
    co_return Result<void>();
  }

  Async<Result<void>> start(unsigned status, Headers headers, std::optional<std::uint64_t>) override {
    CHECK(!answered);
    answered = streamed = true;
    answer.status = status;
    answer.headers = std::move(headers);
    co_return Result<void>();
  }

  Async<Result<void>> write(std::string_view bytes) override {
    CHECK(streamed && !finished);
    if (writes++ >= cut_after_writes) cut_ = true;
    if (cut_) co_return fail(Code::kUnavailable, "the connection is closed");
    answer.body.append(bytes);
    co_return Result<void>();
  }

  Async<Result<void>> finish() override {
    finished = true;
    co_return Result<void>();
  }

  Async<Result<void>> write_file(int file, std::uint64_t offset, std::uint64_t count, Workers&) override {
    std::string bytes(count, '\0');
    CHECK(::pread(file, bytes.data(), count, static_cast<off_t>(offset)) == static_cast<ssize_t>(count));
    co_return co_await write(bytes);
  }

  Async<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::string_view, std::size_t) override {
    co_return fail(Code::kUnimplemented, "no WebSockets here");
  }

  Async<Result<std::unique_ptr<Upgraded>>> upgrade(Headers) override {
    co_return fail(Code::kUnimplemented, "no other protocols here");
  }

  Cuttable& connection() override { return *this; }
  bool gone() const override { return cut_; }
  void cut() override { cut_ = true; }

 private:
  RequestHead head_;
  std::string body_;
  std::size_t read_ = 0;
  bool cut_ = false;
};

// A client whose server is a function. Answers reach sinks in pieces of `piece_bytes`.
class FakeClient : public Client {
 public:
  using Handler = std::function<Async<void>(Exchange&)>;
  explicit FakeClient(Handler handler) : handler_(std::move(handler)) {}

  std::size_t piece_bytes = 5;
  std::string identity = std::string(32, 'i');
  std::size_t requests = 0;
  std::size_t running = 0;  // at this moment
  std::size_t most_running = 0;
  Result<void> connection;  // an error here: nothing gets through

  Async<Result<Response>> request(std::string method, std::string target, Headers headers, std::string body,
                                  std::size_t max_reply_bytes) override {
    ++requests;
    if (!connection) co_return std::unexpected(connection.error());
    FakeExchange exchange(make_head(std::move(method), std::move(target), std::move(headers)), std::move(body));
    exchange.piece_bytes = kMiB;
    most_running = std::max(most_running, ++running);
    co_await sleep_for(Duration{});  // others get their turn
    co_await handler_(exchange);
    --running;
    if (!exchange.finished) co_return fail(Code::kUnavailable, "the server closed the connection");
    if (exchange.answer.body.size() > max_reply_bytes) co_return fail(Code::kResourceExhausted, "reply too long");
    co_return std::move(exchange.answer);
  }

  Async<Result<Response>> send_file(std::string target, Headers headers, int file, std::uint64_t size) override {
    std::string body(size, '\0');
    CHECK(::pread(file, body.data(), size, 0) == static_cast<ssize_t>(size));
    co_return co_await request("PUT", std::move(target), std::move(headers), std::move(body), kMiB);
  }

  Async<Result<Response>> fetch(std::string target, Headers headers,
                                std::function<Async<Result<void>>(std::string_view)> sink) override {
    Result<Response> response = co_await request("GET", std::move(target), std::move(headers), "", kGiB);
    if (!response || response->status != 200) co_return response;
    co_return co_await give(*std::move(response), std::move(sink));
  }

  Async<Result<Response>> stream(std::string method, std::string target, Headers headers, std::string body,
                                 std::function<Async<Result<void>>(std::string_view)> sink) override {
    Result<Response> response =
        co_await request(std::move(method), std::move(target), std::move(headers), std::move(body), kGiB);
    if (!response) co_return response;
    co_return co_await give(*std::move(response), std::move(sink));
  }

  Async<Result<std::unique_ptr<WebSocket>>> websocket(std::string, Headers, std::string_view, std::size_t) override {
    co_return fail(Code::kFailedPrecondition, "no WebSockets here");
  }

  std::string server_identity() const override { return identity; }
  std::string local_address() const override { return "192.0.2.7"; }
  void close() override {}

 private:
  static RequestHead make_head(std::string method, std::string target, Headers headers) {
    RequestHead head;
    head.method = std::move(method);
    head.path = std::move(target);
    head.headers = std::move(headers);
    head.headers.set("host", "kitchen.local:7443");
    return head;
  }

  Async<Result<Response>> give(Response response, std::function<Async<Result<void>>(std::string_view)> sink) const {
    const std::string body = std::exchange(response.body, "");
    for (std::size_t begin = 0; begin < body.size(); begin += piece_bytes) {
      const std::string_view piece = std::string_view(body).substr(begin, piece_bytes);
      if (Result<void> taken = co_await sink(piece); !taken) co_return std::unexpected(taken.error());
    }
    co_return response;
  }

  Handler handler_;
};

}  // namespace hearth::net
