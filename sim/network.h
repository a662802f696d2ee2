// Sessions between nodes and the hub: in order and complete until they are cut, and then what was under way arrives or
// does not. A scenario may also lose, double and reorder single messages.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include "sim/messages.h"
#include "sim/universe.h"

namespace hearth::sim {

using SessionId = std::uint64_t;  // 0: none
using HubNumber = std::uint32_t;  // 0 or 1

class Network {
 public:
  // Who listens at both ends; set before use.
  struct Ends {
    std::function<void(HubNumber, SessionId, NodeId, const NodeMessage&)> to_hub;
    std::function<void(SessionId, NodeId, const HubMessage&)> to_node;
    std::function<void(HubNumber, SessionId, NodeId)> hub_lost;  // the hub notices that the session is gone
    std::function<void(SessionId, NodeId)> node_lost;            // the node does
  };

  explicit Network(Universe& universe) : universe_(universe) {}
  void connect(Ends ends) { ends_ = std::move(ends); }

  // A new session, or 0 if one of them is cut off, or the hub is down or only stands by.
  SessionId open(NodeId node, HubNumber hub);
  void send(SessionId session, const NodeMessage& message);
  void send(SessionId session, const HubMessage& message);

  void cut(SessionId session);
  void cut_all();
  void cut_hub(HubNumber hub);
  void cut_node(NodeId node);
  void isolate(NodeId node, bool isolated);
  void set_hub_up(HubNumber hub, bool up) { hub_up_.at(hub) = up; }
  void isolate_hub(HubNumber hub, bool isolated);
  bool is_isolated(HubNumber hub) const { return hub_isolated_.at(hub); }

 private:
  struct Session {
    NodeId node;
    HubNumber hub = 0;
    Time up_until;    // the last message to the hub arrives then
    Time down_until;  // the last one to the node
    bool is_cut = false;
    Time last_arrival;  // once cut: what would arrive later does not
  };

  template <class Deliver>
  void carry(SessionId id, Time Session::* until, const Deliver& deliver);

  Universe& universe_;
  Ends ends_;
  SessionId last_ = 0;
  std::map<SessionId, Session> sessions_;
  std::map<NodeId, std::set<SessionId>> sessions_of_;  // those that are not cut
  std::set<NodeId> isolated_;
  std::array<bool, 2> hub_up_ = {};
  std::array<bool, 2> hub_isolated_ = {};
};

}  // namespace hearth::sim
