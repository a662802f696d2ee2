// The one way out of a sandbox that may reach listed hosts: an HTTP proxy that the node serves for one attempt. The
// guest speaks to it over sockets that only its sandbox sees; names are looked up here, the address is judged, and the
// connection goes to exactly the address that was judged, so that no name can be bound anew in between.
//
//   auto proxy = std::make_shared<Proxy>(loop, resolver, rules);
//   proxy->listen(fd);        // of the guest's sandbox
//   ...
//   proxy->stop();            // every connection ends; counts() stays true
//
// The loop's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "egress/address.h"
#include "net/client.h"

namespace hearth::egress {

struct Rules {
  std::vector<net::Endpoint> allowed;  // as parse_destination() gives them
  std::uint32_t max_connections = 64;  // at once; more wait to be accepted
  std::uint64_t max_bytes = 64ULL << 30;
  Duration head_limit = seconds(20);     // for a request's head to arrive
  Duration connect_limit = seconds(20);  // for the lookup and the connection
  Duration idle_limit = seconds(600);
};

struct Counts {
  std::uint64_t connections = 0;  // made to a host
  std::uint64_t refused = 0;      // requests answered by an error of ours
  std::uint64_t bytes_sent = 0;   // by the guest
  std::uint64_t bytes_received = 0;
};

// What the proxy needs of the world. resolve() gives every address of a name, or of an address itself.
struct World {
  std::function<net::Async<Result<std::vector<asio::ip::address>>>(std::string host, Time due)> resolve;
  std::function<std::vector<AddressRange>()> own_ranges = &hearth::egress::own_ranges;
  // Judges an address: why it is refused, or nothing.
  std::function<std::string_view(const asio::ip::address&, const std::vector<AddressRange>&)> refusal = &refusal_of;
};

class Proxy {
 public:
  Proxy(net::Loop& loop, World world, Rules rules);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Serves what connects to a listening stream socket, which is the proxy's from now on.
  void listen(int listener);
  void stop();
  Counts counts() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // connections hold it too
};

}  // namespace hearth::egress
