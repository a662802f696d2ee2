// A way for restic to space that another PC's owner has granted (space/server.h there): restic knows neither a
// device's key nor a hub's identity, so it speaks to this process, on a port of the loopback, by a certificate and a
// password made for this run, and what it asks goes on by this device's own session.
//
//   auto door = SpaceDoor::open(home, "hearth:192.168.1.7:7443");
//   restic --repository-file (of door->repository()) --cacert (of door->certificate()) ...
//
// The account with another pool's hub lies in a directory of its own, see directory_of(); a node of this pool is
// reached by its own hub ("node:cellar"). The door serves on a thread of its own for as long as it lives.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "cli/client.h"
#include "net/server.h"

namespace hearth::cli {

class SpaceDoor {
 public:
  // Errors: kNotFound (this PC is not paired with that one), kPermissionDenied (nothing is granted there),
  // kUnavailable.
  static Result<std::unique_ptr<SpaceDoor>> open(const Home& home, const std::string& where);
  ~SpaceDoor();
  SpaceDoor(const SpaceDoor&) = delete;
  SpaceDoor& operator=(const SpaceDoor&) = delete;

  static std::filesystem::path directory_of(const Home& home, const std::string& where);

  std::string repository() const;  // as restic takes it, with the password
  const std::string& certificate() const { return certificate_; }
  // What the other side will not do however often it is asked: the space is full, or append-only. restic would go on
  // asking for 15 minutes.
  std::optional<Error> refusal() const;
  void forget_refusal();

 private:
  SpaceDoor(std::unique_ptr<Client> client, std::string where);

  Result<void> greet();
  Result<void> listen();
  net::Async<void> serve(net::Exchange& exchange);
  net::Async<Result<net::Response>> pass_on(const net::RequestHead& head, std::string body, bool fresh);
  void note(const net::RequestHead& head, const net::Response& response);

  std::unique_ptr<Client> client_;
  std::string where_;
  std::string password_;
  std::string certificate_;
  std::unique_ptr<net::Server> server_;
  mutable std::mutex mutex_;
  std::optional<Error> refusal_;
  std::thread thread_;
};

}  // namespace hearth::cli
