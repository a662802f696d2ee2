// What programs print, told as it grows to a hub that watches.
#include "node/command.h"
#include "node/shell.h"

namespace hearth::node {
namespace {

constexpr std::size_t kMaxPieceBytes = 256 << 10;
constexpr std::size_t kMaxQueuedLogBytes = 4 << 20;  // of log pieces that the hub has not taken yet
constexpr Duration kLogDelay = milliseconds(20);     // so that small writes share a frame
constexpr std::size_t kAttemptBytes = 32;

}  // namespace

void Shell::log_grew(AttemptId attempt) {
  if (!watched_.contains(attempt)) return;
  grown_.insert(attempt);
  if (sending_logs_) return;
  sending_logs_ = true;
  world_.loop.spawn(send_logs_soon());
}

net::Async<void> Shell::send_logs_soon() {
  while (!grown_.empty()) {
    co_await net::sleep_for(kLogDelay);
    for (AttemptId attempt : std::exchange(grown_, {})) {
      bool all_sent = send_log(attempt);
      if (!all_sent) grown_.insert(attempt);
    }
  }
  sending_logs_ = false;
}

// False if there is more than may be queued now.
bool Shell::send_log(AttemptId attempt) {
  auto watched = watched_.find(attempt);
  std::shared_ptr<Attempt> found = executor_.find(attempt);
  if (watched == watched_.end() || !found || !connection_.is_open()) return true;
  while (connection_.queued_bytes() < kMaxQueuedLogBytes) {
    std::string bytes = found->log.read(watched->second, kMaxPieceBytes);
    if (bytes.empty()) return true;
    v1::LogPiece& piece = *connection_.frame(bytes.size() + kAttemptBytes).add_logs();
    *piece.mutable_attempt() = to_proto(attempt);
    piece.set_offset(watched->second);
    watched->second += bytes.size();
    piece.set_data(std::move(bytes));
  }
  return false;
}

// Before its end is told; what is not sent then is in the log that the hub has.
void Shell::send_whole_log(AttemptId attempt) {
  if (watched_.contains(attempt)) static_cast<void>(send_log(attempt));
}

}  // namespace hearth::node
