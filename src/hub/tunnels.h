// Ways from a device to a port of a task's own loopback, through the hub: nothing dials a node. The device opens a
// WebSocket, GET /forward?job=7&task=0&port=8888; the hub asks the task's node, which connects within the task's
// sandbox and opens one of its own, GET /tunnel?id=...; what the two say is handed on (net/tunnel.h). A tunnel ends
// with either side, with its attempt, and with its device's standing.
//
// An app's viewers have another right each (audiences.h): who may only watch is connected to a port of its own,
// whatever port was asked for, where the node's side heeds nothing of what he is not to do. So the right is the hub's
// word.
//
// One way more leads to a node and to no task: to what its owner lets the pool store there (node_space.h).
//
// Where the device is a browser that speaks with a web program, the hub itself speaks through a tunnel, at its own end
// (web_door.h).
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

// The hub's own end of a tunnel, which is over with it. One coroutine may read while another writes.
class HubEnd {
 public:
  explicit HubEnd(std::shared_ptr<Tunnel> tunnel) : tunnel_(std::move(tunnel)) {}
  HubEnd(const HubEnd&) = delete;
  HubEnd& operator=(const HubEnd&) = delete;
  ~HubEnd() { end(); }

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
  static constexpr std::size_t kMaxOfGuest = 4;  // of a device, to an app that is shared with it

  // By what number an app's stream is closed when its right is another one: it may be opened again with that, or not.
  static constexpr std::uint16_t kOtherRight = 4001;
  static constexpr std::uint16_t kNoRight = 4003;

  explicit Tunnels(net::Loop& loop) : loop_(loop) {}

  // For whom the job is its own, for operators and owners, and to an app for those with whom it is shared. Until the
  // tunnel's end.
  net::Async<void> serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller);

  // Whether the device may reach what listens at the port: for whom the job is its own, for operators and owners, and
  // nothing that shows an app. Errors: kNotFound, kPermissionDenied, kFailedPrecondition (it does not run).
  static Result<void> may_reach(Parts& parts, TaskId task, std::uint16_t port, const net::Caller& caller);

  // The same, and notes in the audit log that another's is reached.
  static net::Async<Result<void>> admit(Parts& parts, TaskId task, std::uint16_t port, const net::Caller& caller);

  // The hub's own end, for a device that may reach it; the audit log is not written. Errors: as may_reach(),
  // kUnavailable (nothing listens there), kResourceExhausted.
  net::Async<Result<std::unique_ptr<HubEnd>>> open(Parts& parts, TaskId task, std::uint16_t port,
                                                   const net::Caller& caller);

  // The same to an app that a player watches by one of its watch links: hearth-media answers there, as to whoever may
  // only watch. Whose link it is the caller has judged; its seat is taken before anything is waited for.
  net::Async<Result<std::unique_ptr<HubEnd>>> watch(Parts& parts, pool::WatchLinkId link);

  // The same to what the node's owner lets the pool store there. Whether the device may is the caller's to judge.
  net::Async<Result<std::unique_ptr<HubEnd>>> open_space(Parts& parts, NodeId node, DeviceId device);

  // Ends all.
  void stop();

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
  // What a wish comes to.
  struct Way {
    AttemptId attempt;
    NodeId node_id;
    NodeLink* node = nullptr;
    DeviceId owner;
    bool is_its = false;                       // the job is the device's own, or the device runs the pool
    std::uint16_t port = 0;                    // at the node
    std::optional<pool::AppRight> right = {};  // of whoever sees an app by it
    std::uint32_t link = 0;                    // by which a player comes
    bool is_space = false;                     // to no attempt
  };

  static Result<Wish> read_wish(std::string_view query);
  static Result<Way> find_way(Parts& parts, const Wish& wish, const net::Caller& caller);
  // To a task that runs, whoever asks.
  static Result<Way> find_running(Parts& parts, const LiveJob& job, const Wish& wish);
  // Where it shows no app.
  static Result<Way> find_own_way(Parts& parts, const Wish& wish, const net::Caller& caller);
  Result<void> check_room(const Way& way, DeviceId device);
  bool is_to_be_noted(const Way& way, const net::Caller& caller);
  static std::shared_ptr<Tunnel> make(Parts& parts, const Way& way, DeviceId device);
  net::Async<Result<std::shared_ptr<Tunnel>>> ask(Parts& parts, const net::RequestHead& head,
                                                  const net::Caller& caller);
  // Asks the task's node. `device`: 0, a player's.
  Result<std::shared_ptr<Tunnel>> order(Parts& parts, const Way& way, DeviceId device);
  net::Async<Result<std::unique_ptr<HubEnd>>> open_way(Parts& parts, Way way, DeviceId device);
  static net::Async<Result<void>> answer(std::shared_ptr<Tunnel> tunnel);
  std::shared_ptr<Tunnel> find(const std::string& id) const;

  net::Loop& loop_;
  std::map<std::string, std::weak_ptr<Tunnel>> tunnels_;         // by their ids
  std::set<std::tuple<JobId, DeviceId, pool::AppRight>> noted_;  // guests, in the audit log
};

}  // namespace hearth::hub
