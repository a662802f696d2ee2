#include "egress/resolver.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <utility>

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

Result<Addresses> system_look_up(const std::string& host) {
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
  std::atomic<int> waiting = 0;
};

// One who waits.
class Waiting {
 public:
  explicit Waiting(Lookup& lookup) : lookup_(lookup) { ++lookup_.waiting; }
  ~Waiting() { --lookup_.waiting; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Lookup& lookup_;
};

}  // namespace

struct Resolver::State {
  LookUp look_up;
  std::map<std::string, std::shared_ptr<Lookup>> running;  // by host
};

Resolver::Resolver() : Resolver(&system_look_up) {}
Resolver::Resolver(LookUp look_up) : state_(std::make_shared<State>(std::move(look_up))) {}
Resolver::~Resolver() = default;

net::Async<Result<Addresses>> Resolver::resolve(std::string host, Time due) {
  std::shared_ptr<Lookup>& running = state_->running[host];
  const bool is_new = running == nullptr;
  if (is_new) running = std::make_shared<Lookup>();
  const std::shared_ptr<Lookup> lookup = running;
  const Waiting waiting(*lookup);
  auto run = [](net::Workers& workers, std::string name, std::shared_ptr<Lookup> into,
                std::shared_ptr<State> state) -> net::Async<void> {
    while (into->waiting > 0 && !into->found) {
      into->found = co_await workers.run([&]() -> std::optional<Result<Addresses>> {
        return into->waiting > 0 ? std::optional(state->look_up(name)) : std::nullopt;
      });
    }
    state->running.erase(name);
    into->done.notify();
  };
  if (is_new) asio::co_spawn(co_await asio::this_coro::executor, run(workers_, host, lookup, state_), asio::detached);
  while (!lookup->found && co_await lookup->done.wait(due - net::steady_now())) continue;
  if (!lookup->found) co_return fail(Code::kDeadlineExceeded, "looking up " + host + " took too long");
  co_return *lookup->found;
}

}  // namespace hearth::egress
