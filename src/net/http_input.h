// Reads messages from a TLS connection: the bytes that have come and are not used yet, and what waits for more.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "net/async.h"
#include "net/http_message.h"
#include "net/tls_stream.h"

namespace hearth::net {

class HttpInput {
 public:
  explicit HttpInput(std::shared_ptr<TlsStream> stream) : stream_(std::move(stream)) {}

  TlsStream& stream() { return *stream_; }
  const std::shared_ptr<TlsStream>& shared_stream() const { return stream_; }
  bool empty() const { return bytes_.empty(); }
  std::string take_rest() { return std::move(bytes_); }

  // Waits until there is a byte; frees the buffer meanwhile. False: the end.
  Async<Result<bool>> wait_for_bytes(Time due);

  // A head of at most `max_bytes`, with its blank line. Errors: kResourceExhausted if longer, else as the stream's.
  Async<Result<std::string>> read_head(std::size_t max_bytes, Time due);

  // The next piece of a body; 0: its end. `stall`: how long it may make no progress.
  Async<Result<std::size_t>> read_body(BodyDecoder& body, std::span<char> buffer, Duration stall);

 private:
  Result<std::size_t> decode_some(BodyDecoder& body, std::span<char> buffer);

  std::shared_ptr<TlsStream> stream_;
  std::string bytes_;
};

}  // namespace hearth::net
