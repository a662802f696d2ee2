// The node's end of tunnels (hub/tunnels.h): connects to a port of a running program's own loopback and carries what it
// and the hub's client say. At ports 7441 and 7443 of an app it is hearth-media that answers, one for each viewer
// (proto/hearth/v1/screen.proto). Where an attempt shows its PC's owner's screen, all of them lead to what the owner
// himself has started. One kind more leads to no program: to what the owner lets the pool store here, HOME/node/space
// (space/server.h). The loop's thread only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "hearth/v1/session.pb.h"
#include "net/async.h"
#include "net/tunnel.h"
#include "node/connection.h"
#include "node/executor.h"
#include "node/owners_screen.h"
#include "space/server.h"

namespace hearth::node {

class Tunnels {
 public:
  struct Media {
    std::filesystem::path program;  // hearth-media; where there is none, apps are not shown by WebRTC
    std::string bwrap;
  };
  Tunnels(net::Loop& loop, const Executor& executor, const OwnersScreen& owners_screen, Connection& connection,
          Media media, space::Server space)
      : loop_(loop),
        executor_(executor),
        owners_screen_(owners_screen),
        connection_(connection),
        media_(std::move(media)),
        space_(std::move(space)) {}

  void open(const v1::OpenTunnel& order);

 private:
  net::Async<void> serve(v1::OpenTunnel order);
  net::Async<Result<void>> serve_connected(v1::OpenTunnel order);
  net::Async<Result<void>> serve_media(v1::OpenTunnel order);
  net::Async<Result<void>> serve_space(v1::OpenTunnel order);
  net::Async<Result<std::shared_ptr<net::WebSocket>>> meet_device(const v1::OpenTunnel& order);
  Result<std::shared_ptr<Attempt>> running(AttemptId attempt) const;
  Result<net::Connected> connect_to_owner(JobId job, std::uint16_t port) const;
  Result<int> open_screen(AttemptId attempt, bool watches) const;
  net::Async<Result<net::Connected>> connect(AttemptId attempt, std::uint16_t port);

  net::Loop& loop_;
  const Executor& executor_;
  const OwnersScreen& owners_screen_;
  Connection& connection_;
  Media media_;
  space::Server space_;
  int media_running_ = 0;
};

}  // namespace hearth::node
