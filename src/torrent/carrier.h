// Swarms carried by libtorrent: TCP alone, encryption required, peers from orders alone (no DHT, no tracker, no local
// discovery, no port mapping, no exchange of peers). Files of ciphertext in the working directory, named by the swarm.
//
// What nobody in a swarm has is wanted from the hub: each node asks for its share of it, so that the hub sends the blob
// about once; for more only while the swarm brings nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include <libtorrent/session.hpp>

#include "hearth/v1/swarm.pb.h"

namespace hearth::torrent {

class Carrier {
 public:
  using Tell = std::function<void(const v1::SwarmNews&)>;

  Carrier(const v1::SwarmBegin& begin, Tell tell);

  void carry_out(const v1::SwarmOrder& order);
  // To be called several times a second.
  void look();

 private:
  struct Member;

  void join(const v1::SwarmJoin& join);
  void meet(const v1::SwarmPeers& peers);
  void take(const v1::SwarmPiece& piece);
  void limit_upload(std::uint64_t bytes_per_second);
  void tell_port();
  void tell_progress(const std::string& name, Member& member);
  void want(const std::string& name, Member& member);
  void hear_alerts();

  Tell tell_;
  libtorrent::session session_;
  std::map<std::string, std::unique_ptr<Member>> members_;
  std::mt19937 random_{std::random_device()()};

 public:
  ~Carrier();
};

}  // namespace hearth::torrent
