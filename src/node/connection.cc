#include "node/connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/sizes.h"

namespace hearth::node {
namespace {

constexpr Duration kFirstDelay = milliseconds(200);
constexpr Duration kLongestDelay = seconds(5);
constexpr Duration kSettled = seconds(10);      // a session that lasted as long was a good one
constexpr Duration kSilence = seconds(30);      // after which the hub is asked whether it is there
constexpr Duration kBriefSilence = seconds(4);  // where another could have taken over
constexpr std::size_t kMaxMessageBytes = kMiB;  // of the session's protocol
constexpr std::size_t kFullFrameBytes = 700 * kKiB;

// All that an account names, whichever is in use.
std::vector<std::pair<std::string, std::string>> hubs_of(const account::Account& account) {
  std::vector<std::pair<std::string, std::string>> hubs{{account.endpoint.text(), account.hub_identity}};
  for (const account::HubAddress& hub : account.other_hubs) hubs.emplace_back(hub.endpoint.text(), hub.identity);
  std::ranges::sort(hubs);
  return hubs;
}

}  // namespace

Connection::Connection(net::Loop& loop, net::Workers& workers, std::filesystem::path directory,
                       const net::IdentityKey& key, Events events)
    : loop_(loop),
      workers_(workers),
      directory_(std::move(directory)),
      key_(key),
      events_(std::move(events)),
      delay_(kFirstDelay) {}

std::string Connection::hub() const { return link_ ? link_->session.account().endpoint.text() : ""; }

v1::NodeFrame& Connection::frame(std::size_t bytes) {
  if (queue_.empty() || last_bytes_ + bytes > kFullFrameBytes) {
    queue_.emplace_back();
    last_bytes_ = 0;
  }
  last_bytes_ += bytes;
  queued_bytes_ += bytes;
  queued_.notify();
  return queue_.back();
}

Duration Connection::next_delay() {
  Duration base = delay_;
  delay_ = std::min(delay_ * 2, kLongestDelay);
  // Nodes that lost their hub together do not come back together.
  return base / 2 + microseconds(std::uniform_int_distribution<std::int64_t>(0, base.micros / 2)(random_));
}

void Connection::note_failure(const Error& error) {
  if (error.message == last_failure_) return;
  last_failure_ = error.message;
  log_warning("no session with the hub, trying again", {{"error", error.message}});
}

// An account's hub that shows another key is somebody else on its port, not a hub that revoked us.
bool Connection::is_revoked(const Error& error) const {
  return error.code == Code::kUnauthenticated && link_ &&
         link_->session.server_identity() == link_->session.account().hub_identity;
}

net::Async<void> Connection::run() {
  for (;;) {
    Time begun = loop_.now();
    Result<void> ended = co_await one_session();
    if (!ended && is_revoked(ended.error())) {
      log_error("the hub has revoked this device; it takes no more work: " + ended.error().message);
      events_.on_revoked();
      co_return;
    }
    if (!ended) note_failure(ended.error());
    if (loop_.now() - begun > kSettled) delay_ = kFirstDelay;
    co_await net::sleep_for(next_delay());
  }
}

net::Async<Result<void>> Connection::refresh_account() {
  Result<account::Account> account = co_await workers_.run([this] { return account::load_account(directory_); });
  if (!account) co_return std::unexpected(account.error());
  if (link_ && link_->session.account().device == account->device &&
      hubs_of(link_->session.account()) == hubs_of(*account)) {
    co_return Result<void>();
  }
  link_ = std::make_shared<HubLink>(loop_, workers_, std::move(*account), key_);
  link_->session.on_change([this](const account::Account& changed) { loop_.spawn(save_account(changed)); });
  co_return Result<void>();
}

net::Async<void> Connection::save_account(account::Account account) {
  const Result<void> saved =
      co_await workers_.run([this, &account] { return account::save_account(directory_, account); });
  if (!saved) log_warning("where the pool's hubs are could not be kept: " + saved.error().message);
}

net::Async<Result<void>> Connection::one_session() {
  if (Result<void> refreshed = co_await refresh_account(); !refreshed) co_return refreshed;
  std::shared_ptr<HubLink> link = link_;
  Result<std::string> token = co_await link->session.token(std::exchange(proof_wanted_, false));
  if (!token) co_return std::unexpected(token.error());
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  auto opened = co_await link->session.client().websocket("/session", headers, "hearth-node.1", kMaxMessageBytes);
  if (!opened) {
    proof_wanted_ = true;
    co_return std::unexpected(opened.error());
  }
  std::shared_ptr<net::WebSocket> socket = std::move(*opened);
  log_info("session open", {{"hub", hub()}});
  last_failure_.clear();
  open_ = true;
  queue_.clear();
  queued_bytes_ = 0;
  // What on_open() queues comes after the hello.
  queue_.emplace_back();
  last_bytes_ = kFullFrameBytes;
  *queue_.front().mutable_hello() = events_.on_open();
  auto still_open = std::make_shared<bool>(true);
  loop_.spawn(write_frames(socket, still_open));
  Result<void> ended = co_await read_frames(*socket);
  open_ = false;
  *still_open = false;
  queued_.notify();
  socket->close(1000, "");
  queue_.clear();
  queued_bytes_ = 0;
  events_.on_lost();
  co_return ended;
}

// A hub with nothing to say is as silent as a dead one.
net::Async<Result<void>> Connection::read_frames(net::WebSocket& socket) {
  const std::shared_ptr<HubLink> link = link_;
  for (;;) {
    Result<std::string> message = co_await socket.read(link->session.has_other_hubs() ? kBriefSilence : kSilence);
    if (!message && message.error().code == Code::kDeadlineExceeded) {
      if (co_await link->session.hub_answers()) continue;
      co_return fail(Code::kUnavailable, "the hub is silent");
    }
    if (!message) co_return std::unexpected(message.error());
    v1::HubFrame frame;
    if (!frame.ParseFromString(*message)) co_return fail(Code::kInvalidArgument, "the hub sent what is no HubFrame");
    if (frame.has_hubs()) link->session.learn_hubs(frame.hubs().other_hubs());
    events_.on_frame(frame);
  }
}

net::Async<void> Connection::write_frames(std::shared_ptr<net::WebSocket> socket, std::shared_ptr<bool> open) {
  while (*open) {
    if (queue_.empty()) {
      co_await queued_.wait();
      continue;
    }
    std::string bytes = queue_.front().SerializeAsString();
    queue_.pop_front();
    if (queue_.empty()) queued_bytes_ = 0;
    queued_bytes_ -= std::min(queued_bytes_, bytes.size());
    if (bytes.empty()) continue;
    Result<void> written = co_await socket->write(std::move(bytes));
    if (!written) co_return;  // the reader sees it too
  }
}

}  // namespace hearth::node
