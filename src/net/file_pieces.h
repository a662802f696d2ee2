// A part of a file in pieces. What the page cache holds is read on the loop, in pieces that stay in the processor's
// cache (a worker on another core costs twice the CPU); the rest by a worker, the next piece while one is sent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/async.h"

namespace hearth::net {

class FilePieces {
 public:
  // The file must stay open until next() has given an error or the end, or settle() is done.
  FilePieces(Loop& loop, Workers& workers, int file, std::uint64_t offset, std::uint64_t count);

  // Valid until the next call. Empty: the end. Errors: kDataLoss if the file is shorter, else errno's.
  Async<Result<std::string_view>> next();

  // Waits for a read that is under way.
  Async<void> settle();

  // All of it, each piece by `write`, which gives an Async<Result<void>>; what fails ends it.
  template <class Write>
  Async<Result<void>> write_by(Write write) {
    while (true) {
      const Result<std::string_view> piece = co_await next();
      if (!piece) co_return std::unexpected(piece.error());
      if (piece->empty()) co_return Result<void>();
      Result<void> written = co_await write(*piece);
      if (written) continue;
      co_await settle();
      co_return written;
    }
  }

 private:
  struct Ahead;  // shared with the coroutine that reads
  std::size_t read_cached(std::size_t limit);
  void read_ahead();
  static Async<void> read_piece(std::shared_ptr<Ahead> ahead, Workers& workers, std::uint64_t offset);

  Loop& loop_;
  Workers& workers_;
  int file_;
  std::uint64_t offset_;
  std::uint64_t left_;  // not asked for yet
  unsigned in_a_row_ = 0;
  std::shared_ptr<Ahead> ahead_;  // a piece that a worker reads, or has read
  std::string current_;
};

}  // namespace hearth::net
