// The network of one guest, made from outside of its sandbox: sockets that listen inside of it, behind which the node
// serves a proxy.
//
//   /run/hearth/proxy.sock    for programs that speak HTTP over UNIX sockets
//   127.0.0.1:3128            for all others; the guest's own loopback, which nobody else sees
//
// Bubblewrap waits (--block-fd) before it starts the program until enter() is done, so no program finds its proxy
// missing. No process of ours is left inside.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/fd.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

class GuestNetwork {
 public:
  // `directory`: to be made; what the guest sees at /run/hearth. nullptr for a guest without network. The UNIX socket
  // is handed out at once. Errors: of the system calls.
  static Result<std::unique_ptr<GuestNetwork>> make(const Network& network, const std::string& directory);
  ~GuestNetwork();
  GuestNetwork(const GuestNetwork&) = delete;
  GuestNetwork& operator=(const GuestNetwork&) = delete;

  const std::string& directory() const { return directory_; }

  // What tells programs of their proxy, but for the variables that the job has set itself.
  using Variables = std::vector<std::pair<std::string, std::string>>;
  static Variables variables_beside(const Variables& of_job);

  // Once the sandbox's process 1 is there. Blocks for well under a millisecond; changes nothing of the calling thread.
  // Errors: of the system calls.
  Result<void> enter(int init_pidfd);

 private:
  GuestNetwork(Network network, std::string directory)
      : network_(std::move(network)), directory_(std::move(directory)) {}

  Network network_;
  std::string directory_;
  bool made_ = false;
};

}  // namespace hearth::sandbox
