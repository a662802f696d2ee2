#include "net/websocket.h"

#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>

#include "base/sizes.h"
#include "net/websocket_frames.h"
#include "net/websocket_handshake.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxQueuedBytes = 64 * kMiB;
constexpr Duration kWriteStall = seconds(60);

// What the coroutines of one WebSocket share; it outlives the WebSocket while one of them waits.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(std::shared_ptr<TlsStream> stream, std::string bytes, WebSocketRole role, std::size_t max_message_bytes)
      : stream_(std::move(stream)), role_(role), decoder_(role, max_message_bytes), input_(std::move(bytes)) {}

  static Async<Result<std::string>> read(std::shared_ptr<Socket> self, Duration limit) {
    while (true) {
      if (self->ended_) co_return self->end_error();
      auto item = self->next_item();
      if (!item) co_return co_await fault(std::move(self), std::move(item.error()));
      if (*item) {
        if ((*item)->kind == FrameKind::kBinary) co_return std::move((*item)->payload);
        if ((*item)->kind == FrameKind::kClose) co_return co_await closed_by_peer(std::move(self), std::move(**item));
        if ((*item)->kind == FrameKind::kPing) co_await answer_ping(self, std::move((*item)->payload));
        continue;
      }
      Result<std::size_t> count = co_await self->stream_->read_append(self->input_, steady_now() + limit);
      if (!count && count.error().code == Code::kDeadlineExceeded) co_return std::unexpected(count.error());
      if (!count) co_return self->end(count.error());
      if (*count == 0) co_return self->end({Code::kUnavailable, "the peer closed the connection"});
    }
  }

  static Async<Result<void>> write(std::shared_ptr<Socket> self, std::string message) {
    if (self->ended_) co_return self->end_error();
    if (self->queued_.size() + self->leaving_ + message.size() > kMaxQueuedBytes) {
      self->stream_->cut();
      co_return self->end({Code::kResourceExhausted, "more than 64 MiB wait for a peer that does not read"});
    }
    append_frame(self->queued_, self->role_, FrameKind::kBinary, message);
    std::string().swap(message);
    std::uint64_t ticket = ++self->messages_queued_;
    co_return co_await flush(std::move(self), ticket);
  }

  void close(std::uint16_t code, std::string_view reason) {
    if (ended_) return;
    std::string frame;
    append_frame(frame, role_, FrameKind::kClose, close_payload(code, reason));
    // Between two messages only; else the peer would take it for a part of one.
    if (!writing_ && queued_.empty()) stream_->write_now(frame);
    stream_->say_goodbye();
    stream_->cut();
    static_cast<void>(end({Code::kUnavailable, "the connection is closed"}));
  }

 private:
  std::expected<std::optional<WebSocketItem>, WebSocketFault> next_item() {
    std::string_view rest = std::string_view(input_).substr(used_);
    auto item = decoder_.next(rest);
    used_ = input_.size() - rest.size();
    if (rest.empty()) {
      std::string().swap(input_);  // nothing is held while the peer is silent
      used_ = 0;
    }
    return item;
  }

  // Waits until the first `ticket` messages have left; writes what is queued if nobody else does.
  static Async<Result<void>> flush(std::shared_ptr<Socket> self, std::uint64_t ticket) {
    while (self->messages_sent_ < ticket) {
      if (self->ended_) co_return self->end_error();
      if (self->writing_) {
        co_await self->progress_.wait();
      } else {
        co_await write_queued(*self);
      }
    }
    co_return Result<void>();
  }

  static Async<void> write_queued(Socket& self) {
    self.writing_ = true;
    std::string batch = std::exchange(self.pong_, std::string());
    batch += self.queued_;
    std::string().swap(self.queued_);
    self.leaving_ = batch.size();
    std::uint64_t last = self.messages_queued_;
    Result<void> written = co_await self.stream_->write(batch, kWriteStall);
    self.writing_ = false;
    self.leaving_ = 0;
    self.messages_sent_ = last;
    if (!written) {
      self.stream_->cut();
      static_cast<void>(self.end(written.error()));
    }
    self.progress_.notify();
  }

  // The newest ping alone needs an answer. It is not waited for: a peer that is slow to read must not stop our reading.
  static Async<void> answer_ping(std::shared_ptr<Socket> self, std::string payload) {
    self->pong_.clear();
    append_frame(self->pong_, self->role_, FrameKind::kPong, payload);
    if (!self->flushing_pong_) {
      self->flushing_pong_ = true;
      asio::co_spawn(co_await asio::this_coro::executor, flush_pong(self), asio::detached);
    }
  }

  static Async<void> flush_pong(std::shared_ptr<Socket> self) {
    while (!self->pong_.empty() && !self->ended_) {
      if (self->writing_) {
        co_await self->progress_.wait();
      } else {
        co_await write_queued(*self);
      }
    }
    self->flushing_pong_ = false;
  }

  static Async<Result<std::string>> fault(std::shared_ptr<Socket> self, WebSocketFault fault) {
    Code code = fault.code == 1009 ? Code::kResourceExhausted : Code::kInvalidArgument;
    co_await say_close(self, fault.code, fault.message);
    co_return self->end({code, std::move(fault.message)});
  }

  static Async<Result<std::string>> closed_by_peer(std::shared_ptr<Socket> self, WebSocketItem item) {
    co_await say_close(self, item.code == 1005 ? 1000 : item.code, "");
    std::string text = "the peer closed the connection (" + std::to_string(item.code) + ")";
    if (!item.payload.empty()) text += ": " + item.payload;
    co_return self->end({Code::kUnavailable, std::move(text)});
  }

  static Async<void> say_close(std::shared_ptr<Socket> self, std::uint16_t code, std::string_view reason) {
    bool between_messages = !self->writing_;
    static_cast<void>(self->end({Code::kUnavailable, "the connection is closed"}));
    if (between_messages) {
      std::string frame;
      append_frame(frame, self->role_, FrameKind::kClose, close_payload(code, reason));
      self->stream_->write_now(frame);
    }
    co_await self->stream_->close();
  }

  std::unexpected<Error> end(Error error) {
    if (!ended_) ended_ = error;
    progress_.notify();
    return std::unexpected(std::move(error));
  }

  std::unexpected<Error> end_error() const { return std::unexpected(*ended_); }

  std::shared_ptr<TlsStream> stream_;
  WebSocketRole role_;
  FrameDecoder decoder_;
  std::string input_;
  std::size_t used_ = 0;  // bytes of input_
  std::string queued_;    // frames that leave with the next write
  std::size_t leaving_ = 0;
  std::uint64_t messages_queued_ = 0;
  std::uint64_t messages_sent_ = 0;
  bool writing_ = false;
  std::string pong_;
  bool flushing_pong_ = false;
  Event progress_;
  std::optional<Error> ended_;
};

class TlsWebSocket : public WebSocket {
 public:
  explicit TlsWebSocket(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  ~TlsWebSocket() override { socket_->close(1001, ""); }

  Async<Result<std::string>> read(Duration limit) override { return Socket::read(socket_, limit); }
  Async<Result<void>> write(std::string message) override { return Socket::write(socket_, std::move(message)); }
  void close(std::uint16_t code, std::string_view reason) override { socket_->close(code, reason); }

 private:
  std::shared_ptr<Socket> socket_;
};

}  // namespace

std::unique_ptr<WebSocket> make_websocket(std::shared_ptr<TlsStream> stream, std::string bytes, WebSocketRole role,
                                          std::size_t max_message_bytes) {
  stream->keep_alive();
  return std::make_unique<TlsWebSocket>(
      std::make_shared<Socket>(std::move(stream), std::move(bytes), role, max_message_bytes));
}

}  // namespace hearth::net
