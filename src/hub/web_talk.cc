#include "hub/web_talk.h"

#include <charconv>
#include <utility>

#include "net/tunnel.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = seconds(2);

}  // namespace

net::Async<Result<void>> WebTalk::send(std::string bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += net::kMaxTunnelMessage) {
    Result<void> sent = co_await end_->write(bytes.substr(at, net::kMaxTunnelMessage));
    if (!sent) co_return sent;
  }
  co_return Result<void>();
}

// A program may be silent for as long as it likes, a stream of events for example; that the browser has gone meanwhile
// is seen by looking.
net::Async<Result<std::string>> WebTalk::more() {
  for (;;) {
    Result<std::string> piece = co_await end_->read(kBetweenLooks);
    if (piece || piece.error().code != Code::kDeadlineExceeded) co_return piece;
    if (is_alone_()) co_return fail(Code::kUnavailable, "the browser has gone");
  }
}

net::Async<Result<net::ParsedResponse>> WebTalk::read_head(bool answers_head) {
  for (;;) {
    net::HeadEnd end;
    std::optional<std::size_t> size;
    while (!(size = end.find(bytes_)) && bytes_.size() <= kMaxHeadBytes) {
      const Result<std::string> piece = co_await more();
      if (!piece) co_return std::unexpected(piece.error());
      if (piece->empty()) co_return fail(Code::kUnavailable, "it closed the connection without an answer");
      bytes_ += *piece;
    }
    if (size.value_or(SIZE_MAX) > kMaxHeadBytes) {
      co_return fail(Code::kInvalidArgument, "its answer's head is over 64 KiB");
    }
    auto head = net::parse_response_head(std::string_view(bytes_).substr(0, *size), answers_head);
    if (!head) co_return fail(Code::kInvalidArgument, "its answer is no HTTP: " + head.error().message);
    bytes_.erase(0, *size);
    if (head->status / 100 == 1 && head->status != 101) continue;
    body_ = net::BodyDecoder(head->body);
    co_return std::move(*head);
  }
}

net::Async<Result<std::string_view>> WebTalk::read_body() {
  bytes_.erase(0, std::exchange(used_, 0));
  while (!body_.done()) {
    const std::string_view rest = std::string_view(bytes_).substr(used_);
    const Result<net::BodyDecoder::Step> step = body_.decode(rest, rest.size());
    if (!step) co_return std::unexpected(step.error());
    used_ += step->consumed;
    if (!step->body.empty()) co_return step->body;
    if (step->consumed > 0) continue;
    const Result<std::string> piece = co_await more();
    if (!piece) co_return std::unexpected(piece.error());
    bytes_.erase(0, std::exchange(used_, 0));
    bytes_ += *piece;
    if (!piece->empty()) continue;
    if (Result<void> ended = body_.end_of_input(); !ended) co_return std::unexpected(ended.error());
  }
  co_return std::string_view();
}

net::Async<void> WebTalk::give_body(net::Exchange& exchange) {
  for (;;) {
    const Result<std::string_view> piece = co_await read_body();
    if (!piece) co_return;
    if (piece->empty()) break;
    if (!co_await exchange.write(*piece)) co_return;
  }
  co_await exchange.finish();
}

net::Async<Result<std::string>> WebTalk::read_raw() {
  if (!bytes_.empty()) co_return std::exchange(bytes_, std::string());
  co_return co_await more();
}

std::optional<std::uint64_t> announced_length(const net::ParsedResponse& head, bool answers_head) {
  if (!answers_head) {
    const bool is_known = head.body.kind == net::BodyFraming::Kind::kLength;
    return is_known ? std::optional(head.body.length) : std::nullopt;
  }
  const std::string_view text = head.headers.get("Content-Length");
  std::uint64_t length = 0;
  std::from_chars(text.data(), text.data() + text.size(), length);
  return length;
}

}  // namespace hearth::hub
