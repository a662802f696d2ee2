// `hearth forward`: a port of a task's own loopback as a port of this PC.
#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"
#include "net/tunnel.h"

namespace hearth::cli {
namespace {

constexpr Duration kLook = seconds(2);
constexpr Duration kNotice = seconds(1);  // at most one complaint in that time

struct Place {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  bool chosen = false;  // by the user, so no other will do
};

// "8888", "127.0.0.1:8888", "[::1]:8888"; nothing: the task's own number, if it is free here.
Result<Place> parse_place(const std::string& text, std::uint16_t task_port) {
  if (text.empty()) return Place{.port = task_port};
  const std::size_t colon = text.rfind(':');
  const Result<std::uint16_t> port = parse_port("--listen", colon == std::string::npos ? text : text.substr(colon + 1));
  if (!port) return std::unexpected(port.error());
  Place place{.port = *port, .chosen = true};
  if (colon == std::string::npos) return place;
  place.address = text.substr(0, colon);
  if (place.address.starts_with('[') && place.address.ends_with(']')) {
    place.address = place.address.substr(1, place.address.size() - 2);
  }
  return place;
}

Result<std::unique_ptr<net::TcpListener>> listen_at(net::Loop& loop, const Place& place) {
  Result<std::unique_ptr<net::TcpListener>> listener = net::TcpListener::listen(loop, place.address, place.port);
  const bool is_taken =
      !listener && (listener.error().code == Code::kAlreadyExists || listener.error().code == Code::kPermissionDenied);
  if (is_taken && !place.chosen) return net::TcpListener::listen(loop, place.address, 0);
  return listener;
}

class Forward {
 public:
  Forward(const Context& context, Client& client, std::uint64_t job, std::uint32_t task, std::uint16_t port)
      : context_(context), client_(client), job_(job), task_(task), port_(port) {}

  // Until the job has ended.
  net::Async<Result<int>> run(const Place& place) {
    const Result<v1::Job> job = co_await fetch_job(client_, job_);
    if (!job) co_return std::unexpected(client_.explain(job.error()));
    if (has_ended(*job)) co_return fail(Code::kFailedPrecondition, fmt::format("job {} has ended", job_));
    if (task_ >= job->spec().tasks()) {
      co_return fail(Code::kInvalidArgument,
                     fmt::format("--task {}: job {} has the tasks 0 to {}", task_, job_, job->spec().tasks() - 1));
    }
    Result<std::unique_ptr<net::TcpListener>> listener = listen_at(client_.loop(), place);
    if (!listener) co_return std::unexpected(listener.error());
    announce(place, (*listener)->port());
    client_.loop().spawn(take_connections(std::move(*listener)));
    for (;;) {
      co_await net::sleep_for(kLook);
      const Result<v1::Job> now = co_await fetch_job(client_, job_);
      if (now && has_ended(*now)) break;
      if (!now && !is_passing(now.error())) co_return std::unexpected(client_.explain(now.error()));
    }
    say(fmt::format("job {} has ended", job_));
    co_return 0;
  }

 private:
  void announce(const Place& place, std::uint16_t port) const {
    const std::string host = place.address.contains(':') ? "[" + place.address + "]" : place.address;
    if (context_.json) {
      print(fmt::format("{{\"address\": \"{}\", \"port\": {}}}\n", place.address, port));
    } else {
      print(
          fmt::format("http://{}:{} is port {} of task {} of job {}, until Ctrl-C\n", host, port, port_, task_, job_));
    }
  }

  net::Async<void> take_connections(std::unique_ptr<net::TcpListener> listener) {
    for (;;) client_.loop().spawn(serve(co_await listener->accept()));
  }

  net::Async<void> serve(net::Connected connection) {
    Result<std::unique_ptr<net::WebSocket>> tunnel = co_await open(false);
    // A hub that started again knows no session.
    if (!tunnel) tunnel = co_await open(true);
    if (!tunnel) co_return complain(tunnel.error());
    co_await net::carry(client_.loop(), std::move(connection), std::move(*tunnel));
  }

  net::Async<Result<std::unique_ptr<net::WebSocket>>> open(bool fresh) {
    const Result<std::string> token = co_await client_.session().token(fresh);
    if (!token) co_return std::unexpected(token.error());
    net::Headers headers;
    headers.add("authorization", "Bearer " + *token);
    co_return co_await client_.session().client().websocket(
        fmt::format("/forward?job={}&task={}&port={}", job_, task_, port_), headers, net::kTunnelProtocol,
        net::kMaxTunnelMessage);
  }

  // A browser tries many times.
  void complain(const Error& error) {
    const Time now = client_.loop().now();
    if (complained_ && now - *complained_ < kNotice) return;
    complained_ = now;
    say("a connection was refused: " + plain(client_.explain(error).message));
  }

  const Context& context_;
  Client& client_;
  std::uint64_t job_;
  std::uint32_t task_;
  std::uint16_t port_;
  std::optional<Time> complained_;
};

}  // namespace

Result<int> forward(const Context& context, const ForwardOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::uint64_t> task = parse_count("--task", options.task, {.least = 0, .most = UINT32_MAX});
  if (!task) return std::unexpected(task.error());
  const Result<std::uint16_t> port = parse_port("PORT", options.port);
  if (!port) return std::unexpected(port.error());
  const Result<Place> place = parse_place(options.listen, *port);
  if (!place) return std::unexpected(place.error());
  Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Forward forwarding(context, **client, *job, static_cast<std::uint32_t>(*task), *port);
  return (*client)->loop().run_until_done(forwarding.run(*place));
}

}  // namespace hearth::cli
