// Ways from a device to a port of a task's own loopback, through the hub: nothing dials a node. The device opens a
// WebSocket, GET /forward?job=7&task=0&port=8888; the hub asks the task's node, which connects within the task's
// sandbox and opens one of its own, GET /tunnel?id=...; what the two say is handed on (net/tunnel.h). A tunnel ends
// with either side, with its attempt, and with its device's standing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hearth/v1/session.pb.h"
#include "hub/engine.h"
#include "net/connect.h"
#include "net/server.h"

namespace hearth::hub {

struct Parts;

class Tunnels : public Observer {
 public:
  static constexpr std::size_t kMaxPerDevice = 64;
  static constexpr std::size_t kMax = 512;

  explicit Tunnels(net::Loop& loop) : loop_(loop) {}

  // For whom the job is its own, and for operators and owners. Until the tunnel's end.
  net::Async<void> serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller);

  // The node that was asked, and no other.
  net::Async<void> serve_node(net::Exchange& exchange, Parts& parts, const net::Caller& caller);
  void failed(NodeId node, const v1::TunnelFailed& failed);

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId) override {}

 private:
  struct Tunnel {
    AttemptId attempt;
    NodeId node;
    DeviceId device;
    net::Event answered;
    std::optional<Error> failure;
    std::unique_ptr<net::WebSocket> of_node;
    std::unique_ptr<net::WebSocket> of_device;
    bool over = false;
    net::Event ended;

    void end(Error why);
  };

  using Entry = std::pair<std::string, std::shared_ptr<Tunnel>>;  // id first

  static Result<std::pair<AttemptId, NodeLink*>> find_attempt(Parts& parts, TaskId task, const net::Caller& caller);
  net::Async<Result<Entry>> ask(Parts& parts, const net::RequestHead& head, const net::Caller& caller);

  net::Loop& loop_;
  std::map<std::string, std::shared_ptr<Tunnel>> tunnels_;
};

}  // namespace hearth::hub
