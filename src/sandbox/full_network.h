// The whole Internet for one guest, and nothing of the owner's: rules are loaded into the guest's network namespace
// first (nftables), and only then does pasta give the namespace a way out. The guest, in a user namespace beneath the
// one that owns the network, can change neither.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/launch.h"
#include "sandbox/reactor.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// Where the guest finds a name server: pasta passes what is sent there on to the owner's.
inline constexpr const char* kNameServer = "169.254.53.53";

// The programs; a path is empty if its program was not found.
struct NetworkTools {
  std::string nft;
  std::string pasta;
  bool has_device = true;  // the guests' user may use /dev/net/tun
  std::string nebula = {};
  std::string bwrap = {};  // and what it shows nebula as its root
  std::string root = {};

  std::string missing() const;       // a sentence with the remedy; empty if all is there
  std::string overlay_lack() const;  // the same for overlay_network.h
};
NetworkTools find_network_tools();

// The rules as `nft -f` reads them. `refused`: ranges, "10.0.0.0/8" or "fc00::/7", in front of which everything else
// but mail (port 25) passes.
std::string network_rules(const std::vector<std::string>& refused);

// What one network is to be.
struct WayOut {
  std::string rules;                 // as `nft -f` reads them
  std::vector<std::string> options;  // pasta's
};
WayOut full_way_out(const std::vector<std::string>& refused);

class FullNetwork {
 public:
  FullNetwork(Reactor& reactor, NetworkTools tools, GuestUser user, WayOut way);
  ~FullNetwork();  // ends pasta
  FullNetwork(const FullNetwork&) = delete;
  FullNetwork& operator=(const FullNetwork&) = delete;

  // Calls `done` once, from the reactor: the way out is there, or an error that says what could not be done; never if
  // the object goes first. `cgroup`: entries of the guest's control group, to which pasta is counted. The reactor's
  // thread only.
  void open(pid_t init, std::vector<Fd> cgroup, std::function<void(const Result<void>&)> done);

 private:
  Result<void> load_rules();
  Result<void> start_pasta();
  Result<void> launch_tool(Launch& plan);
  void on_rules_ended();
  void on_pasta_ended();
  void on_pasta_ready();
  void finish(const Result<void>& result);
  std::string said();
  void reap(Fd& process, std::uint64_t& watch);

  Reactor& reactor_;
  NetworkTools tools_;
  GuestUser user_;
  WayOut way_;
  std::vector<Fd> cgroup_;
  std::function<void(const Result<void>&)> done_;
  Fd network_;  // the guest's network namespace
  Fd owner_;    // the user namespace that owns it
  Fd errors_;   // what the program that runs says on standard error
  Fd ready_;    // pasta writes its number there
  Fd process_;
  std::uint64_t process_watch_ = 0;
  std::uint64_t ready_watch_ = 0;
};

}  // namespace hearth::sandbox
