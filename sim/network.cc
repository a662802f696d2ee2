#include "sim/network.h"

#include <algorithm>
#include <vector>

namespace hearth::sim {

SessionId Network::open(NodeId node, HubNumber hub) {
  if (!hub_up_.at(hub) || hub_isolated_.at(hub) || isolated_.contains(node)) return 0;
  Session& session = sessions_[++last_];
  session.node = node;
  session.hub = hub;
  sessions_of_[node].insert(last_);
  return last_;
}

template <class Deliver>
void Network::carry(SessionId id, Time Session::* until, const Deliver& deliver) {
  const auto entry = sessions_.find(id);
  if (entry == sessions_.end() || entry->second.is_cut) return;
  const Scenario& scenario = universe_.scenario;
  if (universe_.strikes(scenario.drop)) return universe_.say("the network loses a message");
  const int copies = universe_.strikes(scenario.duplicate) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    const Time soonest = universe_.now() + universe_.random.between(microseconds(50), scenario.latency);
    Time arrival = std::max(soonest, entry->second.*until);
    if (universe_.strikes(scenario.reorder)) {
      arrival = soonest + universe_.random.between(Duration{}, scenario.latency * 10);
    } else {
      entry->second.*until = arrival;
    }
    universe_.scheduler.at(arrival, [this, id, arrival, deliver] {
      const auto now = sessions_.find(id);
      if (now == sessions_.end()) return;
      if (now->second.is_cut && arrival > now->second.last_arrival) return;
      deliver(now->second);
    });
  }
}

void Network::send(SessionId session, const NodeMessage& message) {
  carry(session, &Session::up_until,
        [this, session, message](const Session& it) { ends_.to_hub(it.hub, session, it.node, message); });
}

void Network::send(SessionId session, const HubMessage& message) {
  carry(session, &Session::down_until,
        [this, session, message](const Session& it) { ends_.to_node(session, it.node, message); });
}

void Network::cut(SessionId id) {
  const auto entry = sessions_.find(id);
  if (entry == sessions_.end() || entry->second.is_cut) return;
  Session& session = entry->second;
  session.is_cut = true;
  session.last_arrival = universe_.now() + universe_.random.between(Duration{}, universe_.scenario.latency);
  const NodeId node = session.node;
  sessions_of_[node].erase(id);
  universe_.say("session", id, "of node", node, "breaks");
  const auto notice = [&] {
    // Mostly at once (a reset), sometimes only when nothing was heard for long.
    const bool slow = universe_.random.chance(200);
    return session.last_arrival + universe_.random.between(Duration{}, slow ? seconds(20) : milliseconds(50));
  };
  const Time hub_notices = notice();
  const Time node_notices = notice();
  universe_.scheduler.at(hub_notices, [this, id, node, hub = session.hub] { ends_.hub_lost(hub, id, node); });
  universe_.scheduler.at(node_notices, [this, id, node] { ends_.node_lost(id, node); });
  universe_.scheduler.at(std::max(hub_notices, node_notices) + seconds(1), [this, id] { sessions_.erase(id); });
}

void Network::cut_all() {
  std::vector<SessionId> ids;
  ids.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) ids.push_back(id);
  for (const SessionId id : ids) cut(id);
}

void Network::cut_node(NodeId node) {
  const std::set<SessionId> ids = sessions_of_[node];
  for (const SessionId id : ids) cut(id);
}

void Network::cut_hub(HubNumber hub) {
  std::vector<SessionId> ids;
  for (const auto& [id, session] : sessions_) {
    if (session.hub == hub) ids.push_back(id);
  }
  for (const SessionId id : ids) cut(id);
}

void Network::isolate_hub(HubNumber hub, bool isolated) {
  hub_isolated_.at(hub) = isolated;
  if (isolated) cut_hub(hub);
}

void Network::isolate(NodeId node, bool isolated) {
  if (isolated) {
    isolated_.insert(node);
    cut_node(node);
  } else {
    isolated_.erase(node);
  }
}

}  // namespace hearth::sim
