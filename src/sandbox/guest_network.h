// The network of one guest, made from outside of its sandbox: all of it (full_network.h), that of its gang
// (overlay_network.h), or sockets that listen
// inside, behind which the node serves a proxy:
//
//   /run/hearth/proxy.sock    for programs that speak HTTP over UNIX sockets
//   127.0.0.1:3128            for all others; the guest's own loopback, which nobody else sees
//
// Bubblewrap waits (--block-fd) before it starts the program until open() is done, so no program finds its network
// missing. No process of ours is left inside.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/fd.h"
#include "sandbox/full_network.h"
#include "sandbox/overlay_network.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

class GuestNetwork {
 public:
  // `directory`: to be made; what the guest sees at /run/hearth. nullptr for a guest without network. The UNIX socket
  // is handed out at once. Errors: of the system calls.
  static Result<std::unique_ptr<GuestNetwork>> make(const Network& network, const std::string& directory,
                                                    Reactor& reactor, const NetworkTools& tools, const GuestUser& user);
  ~GuestNetwork();
  GuestNetwork(const GuestNetwork&) = delete;
  GuestNetwork& operator=(const GuestNetwork&) = delete;

  const std::string& directory() const { return directory_; }  // empty: none

  // What tells programs of their proxy, but for the variables that the job has set itself.
  using Variables = std::vector<std::pair<std::string, std::string>>;
  static Variables variables_beside(const Variables& of_job);

  // Once the sandbox's process 1 is there. Calls `done` when the network is, or cannot be had; perhaps at once. The
  // reactor's thread, which it holds up for well under a millisecond.
  void open(pid_t init, int init_pidfd, std::vector<Fd> cgroup, std::function<void(const Result<void>&)> done);

  // A TCP socket of the family in the network namespace of the process, not connected; any thread.
  static Result<Fd> socket_of(int init_pidfd, int family);

  void close();  // ends what serves it; the reactor's thread

 private:
  explicit GuestNetwork(Network network) : network_(std::move(network)) {}

  Network network_;
  std::string directory_;
  std::unique_ptr<FullNetwork> full_;
  std::unique_ptr<OverlayNetwork> overlay_;
};

}  // namespace hearth::sandbox
