// The database of a pool as the recipe in packaging/patroni sets it up, on the PCs 0 to 2 of a network: three
// hosts with a member of etcd each, the first two of them with a PostgreSQL server under Patroni.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/held_port.h"
#include "harness/network.h"
#include "harness/process.h"

namespace hearth::e2e {

class PatroniCluster {
 public:
  static std::string lack();  // what of it is not installed; empty: nothing

  // Waits until the second server confirms what the first one commits.
  explicit PatroniCluster(const Network& network);
  PatroniCluster(const PatroniCluster&) = delete;
  PatroniCluster& operator=(const PatroniCluster&) = delete;
  ~PatroniCluster();

  std::string url() const;  // for hearth up --store
  int leader() const;       // the host whose server takes writes; -1: none does
  bool is_whole() const;    // one takes writes, and the other confirms them
  std::string logs() const;

  std::vector<pid_t> processes(int host) const;
  // All processes of the host, as a power cut would end them; and what starts with it.
  void lose(int host);
  void start(int host);

 private:
  struct Host {
    std::string address;
    int space = -1;
    std::filesystem::path directory;
    std::optional<HeldPort> etcd_port;
    std::optional<HeldPort> etcd_peer_port;
    std::optional<HeldPort> server_port;
    std::optional<HeldPort> rest_port;
    std::optional<Process> etcd;
    std::optional<Process> patroni;
  };

  void start_etcd(Host& host);
  void start_patroni(Host& host);
  std::string each_of_etcd(const std::string& form) const;
  std::optional<std::string> ask(const std::string& hosts, const std::string& ports, const std::string& sql) const;
  pid_t server_of(const Host& host) const;  // 0: it does not run
  void reap() const;

  std::filesystem::path directory_;
  std::array<Host, 3> hosts_;
  // Servers that ran. One that ends is handed to this process, and Patroni waits until even its number has gone.
  mutable std::set<pid_t> servers_;
};

}  // namespace hearth::e2e
