#include "net/file_pieces.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace hearth::net {
namespace {

constexpr std::uint64_t kPieceBytes = 256 * 1024;

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
  std::string buffer;  // the next piece; empty if there is none
  Result<void> outcome;
  bool reading = false;
  Event done;
};

FilePieces::FilePieces(Loop& loop, Workers& workers, int file, std::uint64_t offset, std::uint64_t count)
    : loop_(loop), workers_(workers), offset_(offset), left_(count), ahead_(std::make_shared<Ahead>()) {
  ahead_->file = file;
  read_ahead();
}

void FilePieces::read_ahead() {
  ahead_->buffer.resize(std::min(left_, kPieceBytes));
  if (left_ == 0) return;
  ahead_->reading = true;
  loop_.spawn(read_piece(ahead_, workers_, offset_));
  offset_ += ahead_->buffer.size();
  left_ -= ahead_->buffer.size();
}

Async<void> FilePieces::read_piece(std::shared_ptr<Ahead> ahead, Workers& workers, std::uint64_t offset) {
  ahead->outcome = co_await workers.run([&] { return read_exactly(ahead->file, ahead->buffer, offset); });
  ahead->reading = false;
  ahead->done.notify();
}

Async<void> FilePieces::settle() {
  while (ahead_->reading) co_await ahead_->done.wait();
}

Async<Result<std::string_view>> FilePieces::next() {
  co_await settle();
  if (!ahead_->outcome) co_return std::unexpected(ahead_->outcome.error());
  std::swap(current_, ahead_->buffer);
  read_ahead();
  co_return current_;
}

}  // namespace hearth::net
