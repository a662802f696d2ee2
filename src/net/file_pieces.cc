#include "net/file_pieces.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "base/sizes.h"

namespace hearth::net {
namespace {

constexpr std::size_t kCachedPiece = 64 * kKiB;
constexpr std::size_t kWorkerPiece = 256 * kKiB;
constexpr unsigned kMostInARow = 16;  // then other coroutines have their turn

// Fills the buffer from the file.
Result<void> read_exactly(int file, std::string& buffer, std::uint64_t offset) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    ssize_t count = ::pread(file, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "reading the file");
    if (count == 0) return fail(Code::kDataLoss, "the file became shorter while it was sent");
    filled += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace

struct FilePieces::Ahead {
  int file = -1;
  std::string buffer;
  Result<void> outcome;
  bool reading = true;
  Event done;
};

FilePieces::FilePieces(Loop& loop, Workers& workers, int file, std::uint64_t offset, std::uint64_t count)
    : loop_(loop), workers_(workers), file_(file), offset_(offset), left_(count) {}

// Reads into current_ what needs no disk. 0: nothing, or the file system cannot tell, or it is the worker's to say why.
std::size_t FilePieces::read_cached(std::size_t limit) {
  current_.resize(std::min<std::uint64_t>(left_, limit));
  iovec part{.iov_base = current_.data(), .iov_len = current_.size()};
  ssize_t count = ::preadv2(file_, &part, 1, static_cast<off_t>(offset_), RWF_NOWAIT);
  current_.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return current_.size();
}

void FilePieces::read_ahead() {
  ahead_ = std::make_shared<Ahead>();
  ahead_->file = file_;
  ahead_->buffer.resize(std::min<std::uint64_t>(left_, kWorkerPiece));
  left_ -= ahead_->buffer.size();
  loop_.spawn(read_piece(ahead_, workers_, std::exchange(offset_, offset_ + ahead_->buffer.size())));
}

Async<void> FilePieces::read_piece(std::shared_ptr<Ahead> ahead, Workers& workers, std::uint64_t offset) {
  ahead->outcome = co_await workers.run([&] { return read_exactly(ahead->file, ahead->buffer, offset); });
  ahead->reading = false;
  ahead->done.notify();
}

Async<void> FilePieces::settle() {
  while (ahead_ && ahead_->reading) co_await ahead_->done.wait();
}

Async<Result<std::string_view>> FilePieces::next() {
  if (!ahead_ && left_ == 0) co_return std::string_view();
  if (!ahead_) {
    if (std::size_t count = read_cached(kCachedPiece)) {
      offset_ += count;
      left_ -= count;
      if (++in_a_row_ % kMostInARow == 0) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      co_return current_;
    }
    read_ahead();
  }
  co_await settle();
  std::shared_ptr<Ahead> ready = std::exchange(ahead_, nullptr);
  if (!ready->outcome) co_return std::unexpected(ready->outcome.error());
  bool next_is_cached = left_ > 0 && read_cached(1) > 0;
  if (left_ > 0 && !next_is_cached) read_ahead();
  current_ = std::move(ready->buffer);
  co_return current_;
}

}  // namespace hearth::net
