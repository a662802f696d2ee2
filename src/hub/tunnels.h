// Ways from a device to a port of a task's own loopback, through the hub: nothing dials a node. The device opens a
// WebSocket, GET /forward?job=7&task=0&port=8888; the hub asks the task's node, which connects within the task's
// sandbox and opens one of its own, GET /tunnel?id=...; what the two say is handed on (net/tunnel.h). A tunnel ends
// with either side, with its attempt, and with its device's standing. Where the device is a browser that speaks with a
// web program, the hub itself speaks through one, a Way (web_door.h).
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

// The hub's own end of a tunnel, until this object's. One coroutine may read while another writes.
class Way {
 public:
  explicit Way(std::shared_ptr<Tunnel> tunnel) : tunnel_(std::move(tunnel)) {}
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;
  ~Way();

  // What the program has said; empty: it has said all. Errors: kDeadlineExceeded, read again; kUnavailable, it is over.
  net::Async<Result<std::string>> read(Duration limit) { return tunnel_->of_node->read(limit); }
  // At most net::kMaxTunnelMessage bytes.
  net::Async<Result<void>> write(std::string bytes) { return tunnel_->of_node->write(std::move(bytes)); }
  void end();  // what waits fails

 private:
  std::shared_ptr<Tunnel> tunnel_;
};

class Tunnels : public Observer {
 public:
  static constexpr std::size_t kMaxPerDevice = 64;
  static constexpr std::size_t kMax = 512;

  explicit Tunnels(net::Loop& loop) : loop_(loop) {}

  // Whether the device may reach the task: for whom the job is its own, and for operators and owners. Errors:
  // kNotFound, kPermissionDenied, kFailedPrecondition (it does not run).
  static Result<void> may_reach(Parts& parts, TaskId task, const net::Caller& caller);

  // The same, and notes in the audit log that another's is reached.
  static net::Async<Result<void>> admit(Parts& parts, TaskId task, const net::Caller& caller);

  // A device's own end, after admit(). Until the tunnel's.
  net::Async<void> serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller);

  // The hub's, for a device that may reach the task; the audit log is not written. Errors: as may_reach(), kUnavailable
  // (nothing listens there), kResourceExhausted.
  net::Async<Result<std::unique_ptr<Way>>> open(Parts& parts, TaskId task, std::uint16_t port,
                                                const net::Caller& caller);

  // Ends all.
  void stop();

  // The node that was asked, and no other.
  net::Async<void> serve_node(net::Exchange& exchange, Parts& parts, const net::Caller& caller);
  void failed(NodeId node, const v1::TunnelFailed& failed);

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId) override {}

 private:
  static Result<std::pair<AttemptId, NodeLink*>> find_attempt(Parts& parts, TaskId task, const net::Caller& caller);
  // Asks the task's node. Errors as open(), but what the node says.
  Result<std::shared_ptr<Tunnel>> ask(Parts& parts, TaskId task, std::uint16_t port, const net::Caller& caller);
  static net::Async<Result<void>> answer(std::shared_ptr<Tunnel> tunnel);
  std::shared_ptr<Tunnel> find(const std::string& id) const;

  net::Loop& loop_;
  std::map<std::string, std::weak_ptr<Tunnel>> tunnels_;  // by their ids
};

}  // namespace hearth::hub
