#include "net/http_input.h"

#include <algorithm>
#include <cstring>

#include "base/sizes.h"

namespace hearth::net {
namespace {

constexpr std::size_t kSmallRead = 4 * kKiB;  // below, a read straight into the caller's buffer does not pay

}  // namespace

Async<Result<bool>> HttpInput::wait_for_bytes(Time due) {
  if (!bytes_.empty()) co_return true;
  std::string().swap(bytes_);  // assigning an empty one would keep the memory
  Result<std::size_t> count = co_await stream_->read_append(bytes_, due);
  if (!count) co_return std::unexpected(count.error());
  co_return *count > 0;
}

Async<Result<std::string>> HttpInput::read_head(std::size_t max_bytes, Time due) {
  HeadEnd end;
  std::optional<std::size_t> size = end.find(bytes_);
  while (!size && bytes_.size() <= max_bytes) {
    Result<std::size_t> count = co_await stream_->read_append(bytes_, due);
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) co_return fail(Code::kUnavailable, "the connection ended within a message's head");
    size = end.find(bytes_);
  }
  if (!size || *size > max_bytes) co_return fail(Code::kResourceExhausted, "the message's head is too long");
  std::string head = bytes_.substr(0, *size);
  bytes_.erase(0, *size);
  co_return head;
}

Result<std::size_t> HttpInput::decode_some(BodyDecoder& body, std::span<char> buffer) {
  std::size_t used = 0;
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    Result<BodyDecoder::Step> step = body.decode(std::string_view(bytes_).substr(used), buffer.size() - filled);
    if (!step) return std::unexpected(step.error());
    if (step->consumed == 0) break;
    std::ranges::copy(step->body, buffer.begin() + static_cast<std::ptrdiff_t>(filled));
    filled += step->body.size();
    used += step->consumed;
  }
  bytes_.erase(0, used);
  return filled;
}

Async<Result<std::size_t>> HttpInput::read_body(BodyDecoder& body, std::span<char> buffer, Duration stall) {
  Time due = steady_now() + stall;
  while (true) {
    Result<std::size_t> decoded = decode_some(body, buffer);
    if (!decoded || *decoded > 0 || body.done() || buffer.empty()) co_return decoded;
    std::size_t plain = std::min<std::uint64_t>(body.plain_bytes(), buffer.size());
    bool straight = bytes_.empty() && (plain >= kSmallRead || body.left() == plain);
    Result<std::size_t> count =
        straight ? co_await stream_->read_some(buffer.first(plain), due) : co_await stream_->read_append(bytes_, due);
    if (!count) co_return count;
    if (*count == 0) {
      Result<void> ended = body.end_of_input();
      if (!ended) co_return std::unexpected(ended.error());
    } else if (straight) {
      body.advance(*count);
      co_return count;
    }
  }
}

}  // namespace hearth::net
