#include "egress/resolver.h"

#include <algorithm>
#include <memory>

#include <netdb.h>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>

#include "net/deadlines.h"

namespace hearth::egress {
namespace {

using Addresses = std::vector<asio::ip::address>;

void add_address(const sockaddr* found, Addresses& addresses) {
  asio::ip::address address;
  if (found->sa_family == AF_INET) {
    address = asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in*>(found)->sin_addr.s_addr));
  } else if (found->sa_family == AF_INET6) {
    asio::ip::address_v6::bytes_type bytes;
    std::ranges::copy(reinterpret_cast<const sockaddr_in6*>(found)->sin6_addr.s6_addr, bytes.begin());
    address = asio::ip::address_v6(bytes);
  } else {
    return;
  }
  if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
}

Result<Addresses> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0)
    return fail(Code::kUnavailable, "no address is known for " + host + " (" + ::gai_strerror(error) + ")");
  Addresses addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) add_address(one->ai_addr, addresses);
  ::freeaddrinfo(found);
  if (addresses.empty()) return fail(Code::kUnavailable, "no address is known for " + host);
  return addresses;
}

// The system's lookup cannot be stopped, so it is left behind when the time is up.
struct Lookup {
  std::optional<Result<Addresses>> found;
  net::Event done;
};

}  // namespace

net::Async<Result<Addresses>> Resolver::resolve(std::string host, Time due) {
  auto lookup = std::make_shared<Lookup>();
  auto run = [](net::Workers& workers, std::string name, std::shared_ptr<Lookup> into) -> net::Async<void> {
    into->found = co_await workers.run([&name] { return look_up(name); });
    into->done.notify();
  };
  asio::co_spawn(co_await asio::this_coro::executor, run(workers_, host, lookup), asio::detached);
  if (!lookup->found) co_await lookup->done.wait(due - net::steady_now());
  if (!lookup->found) co_return fail(Code::kDeadlineExceeded, "looking up " + host + " took too long");
  co_return std::move(*lookup->found);
}

}  // namespace hearth::egress
