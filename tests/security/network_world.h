// A small Internet for one test process: it moves into a network and mount namespace of its own, which stands for the
// owner's PC, with a LAN on one side and a router to everything else on the other. All of it ends with the process.
//
//   owner's PC   192.168.77.1/24 and 13.0.0.1/24 on the LAN, 11.1.1.1/30 towards the router
//   LAN peer     192.168.77.2, and 13.0.0.2: public, but the owner's neighbour
//   elsewhere    12.0.0.2, an Internet host; 169.254.169.254, a cloud's metadata; 100.64.0.2, a carrier's
//
// Each serves "hello from NAME" over HTTP on port 80, the Internet host on port 25 too, the owner's PC on port 8080.
// Names (/etc/hosts): a.example and b.example the Internet host; lan, near, meta, cgn, own and mapped .example what
// they say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/process.h"

namespace hearth::e2e {

class NetworkWorld {
 public:
  // Call while the process has one thread. On failure error() says what this machine lacks.
  explicit NetworkWorld(const std::filesystem::path& directory);

  const std::string& error() const { return error_; }

  // Whether HTTP to HOST:PORT answers from the owner's PC itself: the control of what a guest is denied.
  static bool reaches(const std::string& host, int port);

 private:
  bool enter(const std::filesystem::path& directory);
  bool start_peer(const std::string& name, const std::vector<int>& ports);
  bool ip(const std::string& arguments);
  bool build_lan();
  bool build_wan();
  void serve(const std::string& name, pid_t inside, const std::vector<int>& ports);

  std::string error_;
  std::vector<std::unique_ptr<Process>> peers_;
  std::vector<std::unique_ptr<Process>> servers_;
};

}  // namespace hearth::e2e
