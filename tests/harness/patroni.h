// The database of a pool as the recipe in packaging/patroni sets it up, on addresses of the loopback device: three
// hosts with a member of etcd each, the first two of them with a PostgreSQL server under Patroni.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/process.h"

namespace hearth::e2e {

class PatroniCluster {
 public:
  static std::string lack();  // what of it is not installed; empty: nothing

  // Waits until the second server confirms what the first one commits.
  PatroniCluster();
  PatroniCluster(const PatroniCluster&) = delete;
  PatroniCluster& operator=(const PatroniCluster&) = delete;
  ~PatroniCluster();

  std::string url() const;  // for hearth up --store
  int leader() const;       // the host whose server takes writes; -1: none does
  bool is_whole() const;    // one takes writes, and the other confirms them
  std::string logs() const;

  // All processes of the host, as a power cut would end them; and what starts with it.
  void lose(int host);
  void start(int host);

 private:
  struct Host {
    std::string address;
    std::filesystem::path directory;
    std::uint16_t etcd_port = 0;
    std::uint16_t etcd_peer_port = 0;
    std::uint16_t server_port = 0;
    std::uint16_t rest_port = 0;
    std::optional<Process> etcd;
    std::optional<Process> patroni;
  };

  void start_etcd(Host& host);
  void start_patroni(Host& host);
  std::string each_of_etcd(const std::string& form) const;
  std::optional<std::string> ask(const std::string& hosts, const std::string& ports, const std::string& sql) const;
  void end_server(const Host& host) const;

  std::filesystem::path directory_;
  std::array<Host, 3> hosts_;
};

}  // namespace hearth::e2e
