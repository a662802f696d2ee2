#include "hub/blob_receive.h"

#include <span>
#include <vector>

namespace hearth::hub {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::uint64_t kSmallBytes = 256 << 10;

// One hop to a worker for all that there is to do.
net::Async<Result<void>> receive_small(net::Exchange& exchange, blob::BlobStore& blobs, net::Workers& workers,
                                       const std::string& digest) {
  Result<std::string> body = co_await exchange.read_whole_body(kSmallBytes);
  if (!body) co_return std::unexpected(body.error());
  co_return co_await workers.run([&]() -> Result<void> {
    Result<blob::Writer> writer = blobs.create(body->size());
    if (!writer) return std::unexpected(writer.error());
    if (Result<void> written = writer->write(*body); !written) return written;
    Result<blob::Digest> committed = writer->commit(&digest);
    return committed ? Result<void>() : std::unexpected(committed.error());
  });
}

// The body's bytes go to the disk piece by piece, hashed and written on a worker.
net::Async<Result<void>> receive_large(net::Exchange& exchange, blob::BlobStore& blobs, net::Workers& workers,
                                       const std::string& digest) {
  const std::uint64_t length = exchange.head().content_length.value_or(0);
  Result<blob::Writer> writer = co_await workers.run([&] { return blobs.create(length); });
  if (!writer) co_return std::unexpected(writer.error());
  std::vector<char> buffer(kPieceBytes);
  for (bool ended = false; !ended;) {
    std::size_t filled = 0;
    while (filled < buffer.size() && !ended) {
      Result<std::size_t> count = co_await exchange.read_body(std::span(buffer).subspan(filled));
      if (!count) co_return std::unexpected(count.error());
      filled += *count;
      ended = *count == 0;
    }
    Result<void> written = co_await workers.run([&] { return writer->write(std::string_view(buffer.data(), filled)); });
    if (!written) co_return written;
  }
  Result<blob::Digest> committed = co_await workers.run([&] { return writer->commit(&digest); });
  co_return committed ? Result<void>() : std::unexpected(committed.error());
}

}  // namespace

net::Async<Result<void>> receive_blob(net::Exchange& exchange, blob::BlobStore& blobs, net::Workers& workers,
                                      const std::string& digest) {
  const std::optional<std::uint64_t> length = exchange.head().content_length;
  if (length && *length <= kSmallBytes) co_return co_await receive_small(exchange, blobs, workers, digest);
  co_return co_await receive_large(exchange, blobs, workers, digest);
}

}  // namespace hearth::hub
