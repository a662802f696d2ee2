#include "net/dial.h"

#include <memory>
#include <vector>

#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "net/deadlines.h"

namespace hearth::net {
namespace {

using Tcp = asio::ip::tcp;

// The system's resolver cannot be stopped, so it is left behind when the time is up.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor) {}
  Tcp::resolver resolver;
  std::vector<Tcp::endpoint> found;
  asio::error_code error;
  bool finished = false;
  Event done;
};

Async<Result<std::vector<Tcp::endpoint>>> resolve(const Endpoint& endpoint, Time due) {
  asio::error_code error;
  asio::ip::address address = asio::ip::make_address(endpoint.host, error);
  if (!error) co_return std::vector{Tcp::endpoint(address, endpoint.port)};
  auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), Tcp::resolver::numeric_service,
                                 [lookup](const asio::error_code& failed, const Tcp::resolver::results_type& results) {
                                   lookup->error = failed;
                                   for (const auto& result : results) lookup->found.push_back(result.endpoint());
                                   lookup->finished = true;
                                   lookup->done.notify();
                                 });
  if (!lookup->finished) co_await lookup->done.wait(due - steady_now());
  if (!lookup->finished) co_return fail(Code::kDeadlineExceeded, "looking up " + endpoint.host + " took too long");
  if (lookup->error || lookup->found.empty()) {
    co_return fail(Code::kUnavailable, "no address is known for " + endpoint.host + "; check its spelling");
  }
  co_return std::move(lookup->found);
}

Async<asio::error_code> connect(Tcp::socket& socket, const Tcp::endpoint& to, Time due) {
  bool expired = false;
  asio::error_code error;
  Deadline deadline(socket.get_executor(), [&] {
    expired = true;
    asio::error_code ignored;
    socket.cancel(ignored);
  });
  deadline.arm(due);
  co_await socket.async_connect(to, asio::redirect_error(asio::use_awaitable, error));
  co_return expired ? asio::error_code(asio::error::timed_out) : error;
}

}  // namespace

Async<Result<Tcp::socket>> dial(const Endpoint& endpoint, Time due) {
  Result<std::vector<Tcp::endpoint>> addresses = co_await resolve(endpoint, due);
  if (!addresses) co_return std::unexpected(addresses.error());
  asio::error_code error;
  std::int64_t untried = static_cast<std::int64_t>(addresses->size());
  for (const Tcp::endpoint& address : *addresses) {
    Time now = steady_now();
    Tcp::socket socket(co_await asio::this_coro::executor);
    error = co_await connect(socket, address, now + (due - now) / untried--);
    if (!error) co_return std::move(socket);
  }
  bool late = error == asio::error::timed_out;
  co_return fail(late ? Code::kDeadlineExceeded : Code::kUnavailable,
                 "connecting to " + endpoint.text() + ": " + error.message());
}

}  // namespace hearth::net
