// One request to a web program, or to what a node stores, and its answer, as HTTP/1.1 through a tunnel there. The
// program may say anything: its head is parsed strictly and its body is decoded, so that what goes on to the browser is
// this side's own framing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hub/tunnels.h"
#include "net/http_message.h"

namespace hearth::hub {

class WebTalk {
 public:
  static constexpr std::size_t kMaxHeadBytes = 64 << 10;

  // `is_alone`: whether nobody waits for the answer any more; asked while the program says nothing.
  WebTalk(std::unique_ptr<HubEnd> end, std::function<bool()> is_alone)
      : end_(std::move(end)), is_alone_(std::move(is_alone)) {}

  // One coroutine may send while another reads.
  net::Async<Result<void>> send(std::string bytes);

  // What is not the last word (100 Continue) is left out. Errors: kInvalidArgument (no HTTP), kUnavailable.
  net::Async<Result<net::ParsedResponse>> read_head(bool answers_head);

  // The next piece of that answer's body, good until the next call; empty: its end. Errors as above.
  net::Async<Result<std::string_view>> read_body();

  // All that is left of it, as the answer that was started, and its end. Cut short, which only the connection's end can
  // tell, where either side is gone.
  net::Async<void> give_body(net::Exchange& exchange);

  // What follows a head that changed the protocol. Empty: the program has said all.
  net::Async<Result<std::string>> read_raw();

  void end() { end_->end(); }  // what waits fails

 private:
  net::Async<Result<std::string>> more();  // empty: the end

  std::unique_ptr<HubEnd> end_;
  std::function<bool()> is_alone_;
  std::string bytes_;  // come, and not used yet
  std::size_t used_ = 0;
  net::BodyDecoder body_;
};

// As an answer to HEAD tells it, which has no body; nothing: it is not known.
std::optional<std::uint64_t> announced_length(const net::ParsedResponse& head, bool answers_head);

}  // namespace hearth::hub
