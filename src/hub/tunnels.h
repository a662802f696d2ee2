// Ways from a device to a port of a task's own loopback, through the hub: nothing dials a node. The device opens a
// WebSocket, GET /forward?job=7&task=0&port=8888; the hub asks the task's node, which connects within the task's
// sandbox and opens one of its own, GET /tunnel?id=...; what the two say is handed on (net/tunnel.h). A tunnel ends
// with either side, with its attempt, and with its device's standing.
//
// An app's viewers have another right each (audiences.h): who may only watch is connected to a port of its own,
// whatever port was asked for, where the node's side heeds nothing of what he is not to do. So the right is the hub's
// word.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "hearth/v1/session.pb.h"
#include "hub/audiences.h"
#include "hub/engine.h"
#include "net/connect.h"
#include "net/server.h"

namespace hearth::hub {

struct Parts;

class Tunnels : public Observer {
 public:
  static constexpr std::size_t kMaxPerDevice = 64;
  static constexpr std::size_t kMax = 512;
  static constexpr std::size_t kMaxOfGuest = 4;  // of a device, to an app that is shared with it

  // By what number an app's stream is closed when its right is another one: it may be opened again with that, or not.
  static constexpr std::uint16_t kOtherRight = 4001;
  static constexpr std::uint16_t kNoRight = 4003;

  explicit Tunnels(net::Loop& loop) : loop_(loop) {}

  // For whom the job is its own, for operators and owners, and to an app for those with whom it is shared. Until the
  // tunnel's end.
  net::Async<void> serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller);

  // The node that was asked, and no other.
  net::Async<void> serve_node(net::Exchange& exchange, Parts& parts, const net::Caller& caller);
  void failed(NodeId node, const v1::TunnelFailed& failed);

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId job) override;

 private:
  struct Wish {
    TaskId task;
    std::uint16_t port = 0;
  };
  struct Tunnel {
    AttemptId attempt;
    NodeId node;
    DeviceId device;
    net::Event answered;
    std::optional<Error> failure;
    std::unique_ptr<net::WebSocket> of_node;
    std::unique_ptr<net::WebSocket> of_device;
    std::optional<Audiences::Seat> seat;  // of one who sees an app
    bool over = false;
    net::Event ended;

    void end(Error why, std::uint16_t code = 1000);
  };
  // What a wish comes to.
  struct Way {
    AttemptId attempt;
    NodeLink* link = nullptr;
    DeviceId owner;
    bool is_its = false;                       // the job is the device's own, or the device runs the pool
    std::uint16_t port = 0;                    // at the node
    std::optional<pool::AppRight> right = {};  // of whoever sees an app by it
  };

  using Entry = std::pair<std::string, std::shared_ptr<Tunnel>>;  // id first

  static Result<Wish> read_wish(std::string_view query);
  static Result<Way> find_way(Parts& parts, const Wish& wish, const net::Caller& caller);
  Result<void> check_room(const Way& way, const net::Caller& caller) const;
  bool is_to_be_noted(const Way& way, const net::Caller& caller);
  static std::shared_ptr<Tunnel> make(Parts& parts, const Way& way, const net::Caller& caller);
  net::Async<Result<Entry>> ask(Parts& parts, const net::RequestHead& head, const net::Caller& caller);

  net::Loop& loop_;
  std::map<std::string, std::shared_ptr<Tunnel>> tunnels_;
  std::set<std::tuple<JobId, DeviceId, pool::AppRight>> noted_;  // guests, in the audit log
};

}  // namespace hearth::hub
