// What the benchmarks run against: a hub in a process of its own, node sessions that are a few lines, and the time both
// cost.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "account/account.h"
#include "hub/hub.h"

namespace hearth::bench {

// User and system time of this process and of the children it has waited for, and the clock on the wall, in seconds.
struct Spent {
  double cpu = 0;
  double wall = 0;
};
Spent spent_by_self();
double cpu_of(pid_t process);                    // so far, seconds
std::uint64_t resident_bytes_of(pid_t process);  // now

// A hub on loopback in a child process, on an empty directory that is removed at the end.
class HubProcess {
 public:
  // `nodes`: how many node devices it knows from the start. Ends the program with a message if it cannot start.
  explicit HubProcess(std::size_t nodes);
  explicit HubProcess(std::vector<net::IdentityKey> node_keys);
  ~HubProcess();
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  pid_t process() const { return process_; }
  account::Account owner_account() const;
  account::Account node_account(std::size_t node) const;
  const net::IdentityKey& owner_key() const { return *owner_key_; }
  const net::IdentityKey& node_key(std::size_t node) const { return node_keys_[node]; }

 private:
  struct Facts {
    std::uint16_t port = 0;
    std::string identity;
    std::vector<DeviceId> devices;  // the owner's, then the nodes'
  };
  void run_hub(int report) const;
  void read_facts(int report);

  std::filesystem::path directory_;
  std::unique_ptr<net::IdentityKey> owner_key_;
  std::vector<net::IdentityKey> node_keys_;
  pid_t process_ = -1;
  Facts facts_;
};

// Runs a function in a child process of its own; kill_and_wait() ends it.
pid_t in_child(const std::function<void()>& function);
void kill_and_wait(pid_t process);

// Opens a node's session and says hello with so many cores. Ends the program if refused.
net::Async<std::unique_ptr<net::WebSocket>> open_node_session(account::Session& session, std::uint32_t cores);

// A node that ends every task the moment it is assigned, until its session ends.
net::Async<void> be_instant_node(account::Session& session);
// A heartbeat every 3 s, as a node sends it, for as long as the session takes them.
net::Async<void> beat(net::WebSocket& socket);

// Submits so many tasks that do nothing and waits until all have succeeded.
net::Async<void> run_job(account::Session& owner, std::uint32_t tasks);

// Waits until the hub has so many sessions with nodes.
net::Async<void> wait_for_nodes(account::Session& owner, std::size_t count);

void raise_descriptor_limit();

[[noreturn]] void give_up(const std::string& message);

}  // namespace hearth::bench
