#include "egress/proxy.h"

#include <array>
#include <set>

#include <fmt/format.h>
#include <sys/socket.h>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "base/bytes.h"
#include "egress/request.h"
#include "net/deadlines.h"
#include "net/dial.h"

namespace hearth::egress {
namespace {

using Generic = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Generic>;
using Tcp = asio::ip::tcp;

constexpr std::size_t kMaxHeadBytes = 16 << 10;
constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::string_view kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";

Generic protocol_of(int listener) {
  int family = 0;
  socklen_t size = sizeof family;
  ::getsockopt(listener, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return {family, family == AF_UNIX ? 0 : IPPROTO_TCP};
}

std::string answer(const net::HttpFault& fault) {
  net::Response response = net::text_response(fault.status, "hearth: " + fault.message);
  response.headers.set("Connection", "close");
  response.headers.set("Content-Length", std::to_string(response.body.size()));
  return net::format_response_head(fault.status, response.headers) + response.body;
}

std::unexpected<net::HttpFault> refuse(unsigned status, std::string message) {
  return std::unexpected(net::HttpFault{status, std::move(message)});
}

std::string list_text(const std::vector<net::Endpoint>& allowed) {
  std::string text;
  for (const net::Endpoint& one : allowed) text += (text.empty() ? "" : ", ") + one.text();
  return text;
}

}  // namespace

struct Flow;

struct Proxy::State : std::enable_shared_from_this<Proxy::State> {
  State(net::Loop& the_loop, World the_world, Rules the_rules)
      : loop(the_loop), world(std::move(the_world)), rules(std::move(the_rules)) {}

  net::Loop& loop;
  World world;
  Rules rules;
  Counts counts;
  bool stopped = false;
  std::vector<std::shared_ptr<Acceptor>> acceptors;
  std::set<Flow*> flows;
  net::Event flow_ended;

  bool count_and_check(std::uint64_t& counter, std::size_t bytes);
  void close_all();
  net::Async<void> accept_from(std::shared_ptr<Acceptor> acceptor);
  net::Async<void> serve(std::shared_ptr<Flow> flow);
  net::Async<std::expected<ProxyRequest, net::HttpFault>> read_request(Flow& flow);
  net::Async<std::expected<void, net::HttpFault>> connect(Flow& flow, const net::Endpoint& destination);
  net::Async<void> relay(std::shared_ptr<Flow> flow, const ProxyRequest& request);
  net::Async<void> send_up(std::shared_ptr<Flow> flow, net::BodyFraming framing);
  net::Async<void> send_down(std::shared_ptr<Flow> flow);
};

// One connection of a guest, and the one to a host that was made for it. Lives while a coroutine is at it.
struct Flow {
  Flow(std::shared_ptr<void> the_owner, std::set<Flow*>& the_flows, net::Event& the_end, Generic::socket accepted)
      : owner(std::move(the_owner)),
        flows(the_flows),
        end(the_end),
        guest(std::move(accepted)),
        host(guest.get_executor()),
        deadline(guest.get_executor(), [this] { close(); }) {
    flows.insert(this);
  }
  ~Flow() {
    flows.erase(this);
    end.notify();
  }
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  void close() {
    asio::error_code ignored;
    guest.close(ignored);
    host.close(ignored);
  }

  std::shared_ptr<void> owner;  // of what the references below belong to
  std::set<Flow*>& flows;
  net::Event& end;
  Generic::socket guest;
  Tcp::socket host;
  net::Deadline deadline;
  std::string early;  // came behind the head
};

// False: the attempt has had its share.
bool Proxy::State::count_and_check(std::uint64_t& counter, std::size_t bytes) {
  counter += bytes;
  return counts.bytes_sent + counts.bytes_received <= rules.max_bytes;
}

void Proxy::State::close_all() {
  stopped = true;
  asio::error_code ignored;
  for (const auto& acceptor : acceptors) acceptor->close(ignored);
  for (Flow* flow : flows) flow->close();
  flow_ended.notify();
}

net::Async<void> Proxy::State::accept_from(std::shared_ptr<Acceptor> acceptor) {
  auto self = shared_from_this();
  while (!stopped) {
    if (flows.size() >= rules.max_connections) {
      co_await flow_ended.wait();
      continue;
    }
    asio::error_code error;
    Generic::socket accepted(loop.executor());
    co_await acceptor->async_accept(accepted, asio::redirect_error(asio::use_awaitable, error));
    if (stopped) co_return;
    if (error) {
      co_await net::sleep_for(milliseconds(200));  // no descriptors, most likely
      continue;
    }
    loop.spawn(serve(std::make_shared<Flow>(self, flows, flow_ended, std::move(accepted))));
  }
}

net::Async<void> Proxy::State::serve(std::shared_ptr<Flow> flow) {
  flow->deadline.arm(net::steady_now() + rules.head_limit);
  auto request = co_await read_request(*flow);
  std::expected<void, net::HttpFault> connected;
  if (request) {
    connected = co_await connect(*flow, request->destination);
  } else {
    connected = std::unexpected(request.error());
  }
  if (stopped) co_return;
  if (!connected) {
    ++counts.refused;
    asio::error_code ignored;
    std::string text = answer(connected.error());
    co_await asio::async_write(flow->guest, asio::buffer(text), asio::redirect_error(asio::use_awaitable, ignored));
    flow->guest.shutdown(asio::socket_base::shutdown_send, ignored);
    co_return;
  }
  ++counts.connections;
  co_await relay(std::move(flow), *request);
}

net::Async<std::expected<ProxyRequest, net::HttpFault>> Proxy::State::read_request(Flow& flow) {
  net::HeadEnd end;
  std::array<char, 4096> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by reading
  for (;;) {
    if (auto size = end.find(flow.early)) {
      std::string head = flow.early.substr(0, *size);
      flow.early.erase(0, *size);
      co_return parse_proxy_request(head);
    }
    if (flow.early.size() > kMaxHeadBytes) {
      co_return refuse(431, "the request's head is longer than " + format_bytes(kMaxHeadBytes));
    }
    asio::error_code error;
    std::size_t count =
        co_await flow.guest.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return refuse(400, "the request's head did not arrive");
    flow.early.append(piece.data(), count);
  }
}

// Judges every address of the name, and connects to the first that passes and answers.
net::Async<std::expected<void, net::HttpFault>> Proxy::State::connect(Flow& flow, const net::Endpoint& destination) {
  if (!is_allowed(destination, rules.allowed)) {
    co_return refuse(403,
                     fmt::format("{} is not among what this job may reach, {}; name it in: hearth run --net hosts=...",
                                 destination.text(), list_text(rules.allowed)));
  }
  if (counts.bytes_sent + counts.bytes_received >= rules.max_bytes) {
    co_return refuse(403, fmt::format("this task has moved its {} over the network", format_bytes(rules.max_bytes)));
  }
  Time due = net::steady_now() + rules.connect_limit;
  flow.deadline.arm(due + seconds(1));  // the answer is still to be sent
  auto addresses = co_await world.resolve(destination.host, due);
  if (!addresses) co_return refuse(502, addresses.error().message);
  std::vector<AddressRange> own = world.own_ranges();
  std::string_view refusal;
  std::string failure;
  for (const asio::ip::address& address : *addresses) {
    std::string_view why = world.refusal(address, own);
    if (!why.empty()) {
      refusal = why;
      continue;
    }
    auto socket = co_await net::dial({.host = address.to_string(), .port = destination.port}, due);
    if (stopped || !flow.guest.is_open()) co_return refuse(502, "the task has ended");
    if (socket) {
      flow.host = std::move(*socket);
      co_return std::expected<void, net::HttpFault>();
    }
    failure = socket.error().message;
  }
  if (!failure.empty()) co_return refuse(502, failure);
  co_return refuse(403, fmt::format("{} is {}, which no guest may reach", destination.host, refusal));
}

net::Async<void> Proxy::State::relay(std::shared_ptr<Flow> flow, const ProxyRequest& request) {
  asio::error_code error;
  flow->deadline.arm(net::steady_now() + rules.idle_limit);
  net::BodyFraming framing = request.body;
  if (request.tunnel) {
    framing = {net::BodyFraming::Kind::kUntilEnd, 0};
    co_await asio::async_write(flow->guest, asio::buffer(kEstablished),
                               asio::redirect_error(asio::use_awaitable, error));
  } else {
    if (!count_and_check(counts.bytes_sent, request.head.size())) co_return flow->close();
    co_await asio::async_write(flow->host, asio::buffer(request.head),
                               asio::redirect_error(asio::use_awaitable, error));
  }
  if (error) co_return flow->close();
  loop.spawn(send_up(flow, framing));
  loop.spawn(send_down(std::move(flow)));
}

// What the guest sends, as far as its request goes.
net::Async<void> Proxy::State::send_up(std::shared_ptr<Flow> flow, net::BodyFraming framing) {
  net::BodyDecoder body(framing);
  std::string buffer = std::move(flow->early);
  asio::error_code error;
  while (!body.done()) {
    std::size_t used = 0;
    while (used < buffer.size() && !body.done()) {
      auto step = body.decode(std::string_view(buffer).substr(used), buffer.size());
      if (!step) co_return flow->close();
      if (step->consumed == 0) break;
      used += step->consumed;
    }
    if (!count_and_check(counts.bytes_sent, used)) co_return flow->close();
    co_await asio::async_write(flow->host, asio::buffer(buffer.data(), used),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return flow->close();
    flow->deadline.arm(net::steady_now() + rules.idle_limit);
    buffer.erase(0, used);
    if (body.done()) break;
    std::size_t kept = buffer.size();
    buffer.resize(kept + kPieceBytes);
    std::size_t count = co_await flow->guest.async_read_some(asio::buffer(buffer.data() + kept, kPieceBytes),
                                                             asio::redirect_error(asio::use_awaitable, error));
    buffer.resize(kept + count);
    if (error == asio::error::eof && framing.kind == net::BodyFraming::Kind::kUntilEnd) {
      flow->host.shutdown(asio::socket_base::shutdown_send, error);
      co_return;
    }
    if (error) co_return flow->close();
  }
}

net::Async<void> Proxy::State::send_down(std::shared_ptr<Flow> flow) {
  std::string buffer(kPieceBytes, '\0');
  asio::error_code error;
  for (;;) {
    std::size_t count =
        co_await flow->host.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::eof) {
      flow->guest.shutdown(asio::socket_base::shutdown_send, error);
      co_return;
    }
    if (error || !count_and_check(counts.bytes_received, count)) co_return flow->close();
    co_await asio::async_write(flow->guest, asio::buffer(buffer.data(), count),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return flow->close();
    flow->deadline.arm(net::steady_now() + rules.idle_limit);
  }
}

Proxy::Proxy(net::Loop& loop, World world, Rules rules)
    : state_(std::make_shared<State>(loop, std::move(world), std::move(rules))) {}

Proxy::~Proxy() { stop(); }

void Proxy::listen(int listener) {
  auto acceptor = std::make_shared<Acceptor>(state_->loop.executor(), protocol_of(listener), listener);
  if (state_->stopped) return;
  state_->acceptors.push_back(acceptor);
  state_->loop.spawn(state_->accept_from(std::move(acceptor)));
}

void Proxy::stop() {
  if (!state_->stopped) state_->close_all();
}

Counts Proxy::counts() const { return state_->counts; }

}  // namespace hearth::egress
