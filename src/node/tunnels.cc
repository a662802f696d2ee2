#include "node/tunnels.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "net/tunnel_exchange.h"
#include "node/command.h"
#include "node/words.h"
#include "sandbox/confined.h"
#include "screen/frames.h"

namespace hearth::node {
namespace {

constexpr Duration kConnectLimit = seconds(5);
constexpr int kMaxMedia = 16;
constexpr std::size_t kMaxMessage = 300;  // of why there is no way to a port
constexpr const char* kSpace = "space";   // below HOME/node

// One of so many that are taken.
class Place {
 public:
  explicit Place(int& taken) : taken_(taken) { ++taken_; }
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  int& taken_;
};

}  // namespace

void Tunnels::open(const v1::OpenTunnel& order) { loop_.spawn(serve(order)); }

net::Async<void> Tunnels::serve(v1::OpenTunnel order) {
  const Result<void> served = co_await serve_connected(order);
  if (served || !connection_.is_open()) co_return;
  v1::TunnelFailed failed;
  failed.set_tunnel(order.tunnel());
  failed.set_message(plain_words(served.error().message, kMaxMessage));
  const std::size_t bytes = failed.ByteSizeLong() + 8;
  *connection_.frame(bytes).add_tunnels_failed() = std::move(failed);
}

net::Async<Result<void>> Tunnels::serve_connected(v1::OpenTunnel order) {
  if (order.space()) co_return co_await serve_space(std::move(order));
  if (order.port() == 0 || order.port() > UINT16_MAX) co_return fail(Code::kInvalidArgument, "there is no such port");
  if (order.port() == screen::kMediaPort || order.port() == screen::kWatchMediaPort) {
    const Result<std::shared_ptr<Attempt>> attempt = running(from_proto(order.attempt()));
    if (attempt && (*attempt)->job->spec.window()) co_return co_await serve_media(std::move(order));
  }
  Result<net::Connected> connection =
      co_await connect(from_proto(order.attempt()), static_cast<std::uint16_t>(order.port()));
  if (!connection) co_return std::unexpected(connection.error());
  Result<std::shared_ptr<net::WebSocket>> device = co_await meet_device(order);
  if (!device) co_return std::unexpected(device.error());
  co_await net::carry(loop_, std::move(*connection), std::move(*device));
  co_return Result<void>();
}

net::Async<Result<std::shared_ptr<net::WebSocket>>> Tunnels::meet_device(const v1::OpenTunnel& order) {
  const std::shared_ptr<HubLink> link = connection_.link();
  if (!link) co_return fail(Code::kUnavailable, "the node has no account");
  const Result<std::string> token = co_await link->session.token();
  if (!token) co_return std::unexpected(token.error());
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  auto opened = co_await link->session.client().websocket("/tunnel?id=" + to_hex(order.tunnel()), headers,
                                                          net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!opened) co_return std::unexpected(opened.error());
  co_return std::move(*opened);
}

// Pictures do not go through the tunnel then: it carries what is agreed on, and ends the helper with its own end.
net::Async<Result<void>> Tunnels::serve_media(v1::OpenTunnel order) {
  std::error_code error;
  if (!std::filesystem::exists(media_.program, error)) {
    co_return fail(Code::kFailedPrecondition, "this PC shows no apps by WebRTC: hearth-media was not built");
  }
  if (media_running_ >= kMaxMedia) {
    co_return fail(Code::kResourceExhausted, fmt::format("{} viewers watch this PC by WebRTC already", kMaxMedia));
  }
  const Place place(media_running_);  // from here on, since others come while the device is met
  Result<std::shared_ptr<net::WebSocket>> device = co_await meet_device(order);
  if (!device) co_return std::unexpected(device.error());
  const bool watches = order.port() == screen::kWatchMediaPort;
  const Result<int> screen = open_screen(from_proto(order.attempt()), watches);
  if (!screen) co_return std::unexpected(screen.error());
  const Result<sandbox::Confined> helper =
      sandbox::start_confined({.name = "hearth-media",
                               .program = media_.program,
                               .bwrap = media_.bwrap,
                               .shown = {},
                               .arguments = watches ? std::vector<std::string>{"--watch"} : std::vector<std::string>{},
                               .file = *screen});
  ::close(*screen);
  if (!helper) co_return std::unexpected(helper.error());
  co_await net::carry(loop_, net::adopt(loop_, helper->socket), std::move(*device));
  sandbox::end_confined(helper->process);
  co_return Result<void>();
}

net::Async<Result<void>> Tunnels::serve_space(v1::OpenTunnel order) {
  Result<std::shared_ptr<net::WebSocket>> hub = co_await meet_device(order);
  if (!hub) co_return std::unexpected(hub.error());
  co_await net::serve_tunnel(loop_, std::move(*hub),
                             [this](net::Exchange& exchange) { return space_.serve(exchange, kSpace); });
  co_return Result<void>();
}

Result<std::shared_ptr<Attempt>> Tunnels::running(AttemptId attempt) const {
  std::shared_ptr<Attempt> found = executor_.find(attempt);
  const bool runs = found && found->begun && !found->starting && !found->exit &&
                    (found->box || shows_owners_screen(found->job->spec));
  if (!runs) return fail(Code::kFailedPrecondition, "the program does not run yet, or has ended");
  return found;
}

// For hearth-media, which connects it unless it is connected.
Result<int> Tunnels::open_screen(AttemptId attempt, bool watches) const {
  const Result<std::shared_ptr<Attempt>> found = running(attempt);
  if (!found) return std::unexpected(found.error());
  if (shows_owners_screen((*found)->job->spec)) return owners_screen_.connect(attempt.task.job, watches);
  return (*found)->box->open_socket(AF_INET);
}

Result<net::Connected> Tunnels::connect_to_owner(JobId job, std::uint16_t port) const {
  if (port != screen::kPort && port != screen::kWatchPort) {
    return fail(Code::kFailedPrecondition, "a screen that is shown has no ports; it is seen on the page");
  }
  const Result<int> socket = owners_screen_.connect(job, port == screen::kWatchPort);
  if (!socket) return std::unexpected(socket.error());
  return net::adopt(loop_, *socket);
}

// By IPv4 first: few programs listen on ::1 alone, but some do.
net::Async<Result<net::Connected>> Tunnels::connect(AttemptId attempt, std::uint16_t port) {
  Error last{Code::kUnavailable, ""};
  for (const int family : {AF_INET, AF_INET6}) {
    const Result<std::shared_ptr<Attempt>> found = running(attempt);
    if (!found) co_return std::unexpected(found.error());
    if (shows_owners_screen((*found)->job->spec)) co_return connect_to_owner(attempt.task.job, port);
    const Result<int> socket = (*found)->box->open_socket(family);
    if (!socket) co_return std::unexpected(socket.error());
    Result<net::Connected> connected = co_await net::connect_to_loopback(loop_, *socket, port, kConnectLimit);
    if (connected) co_return connected;
    last = connected.error();
  }
  co_return fail(last.code, fmt::format("nothing in the task takes connections on port {} ({})", port, last.message));
}

}  // namespace hearth::node
