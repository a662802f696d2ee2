// A node's session: frames of one WebSocket, in and out. Sends are gathered and leave together.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hearth/v1/session.pb.h"
#include "hub/apps.h"
#include "hub/blob_access.h"
#include "hub/engine.h"
#include "hub/log_relay.h"
#include "hub/swarms.h"
#include "hub/tunnels.h"
#include "hub/views.h"
#include "net/websocket.h"

namespace hearth::hub {

class NodeSession : public NodeLink, public LogSource {
 public:
  static constexpr std::size_t kMaxFrameBytes = 1 << 20;

  // `address`: where the node's connection comes from.
  NodeSession(net::Loop& loop, Engine& engine, LogRelay& logs, Views& views, BlobAccess& access, Swarms& swarms,
              Tunnels& tunnels, Apps& apps, NodeId node, std::string name, std::string address, net::WebSocket& socket);
  ~NodeSession() override;

  // Serves until the socket ends.
  net::Async<void> run();

  void assign(AttemptId attempt, const LiveJob& job, const v1::GangNetwork* network) override;
  void stop(AttemptId attempt) override;
  void acknowledge(AttemptId attempt) override;
  void stop_everything(bool stop) override;
  void wipe_workspace(const WorkspaceId& id) override;
  void tell_hubs(const v1::Hubs& hubs) override;
  void tell_swarm_peers(const v1::SwarmPeers& peers) override;
  void tell_duty(const v1::WitnessDuty& duty) override;
  void open_tunnel(const v1::OpenTunnel& tunnel) override;
  void watch_log(AttemptId attempt, std::uint64_t offset) override;
  void stop_log(AttemptId attempt) override;

 private:
  // `result_bytes`: of each attempt that the frame says has finished.
  Result<void> on_frame(const v1::NodeFrame& frame, const std::vector<std::uint64_t>& result_bytes);
  void on_hello(const v1::Hello& hello);
  void flush_soon();
  net::Async<void> write_for_ever();

  net::Loop& loop_;
  Engine& engine_;
  LogRelay& logs_;
  Views& views_;
  BlobAccess& access_;
  Swarms& swarms_;
  Tunnels& tunnels_;
  Apps& apps_;
  NodeId node_;
  std::string name_;
  std::string address_;
  net::WebSocket& socket_;
  bool greeted_ = false;
  bool closed_ = false;
  v1::HubFrame outgoing_;
  std::size_t outgoing_bytes_ = 0;
  std::set<JobId> specs_;           // those that the frame being gathered carries already
  std::vector<v1::HubFrame> full_;  // frames that wait to be written
  net::Event wake_;
  bool writer_done_ = false;
  net::Event writer_ended_;
};

}  // namespace hearth::hub
