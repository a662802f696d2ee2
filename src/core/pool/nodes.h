// The nodes, who of them has room, and until when each is believed to live.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/pool/data_table.h"
#include "core/pool/lease_table.h"
#include "core/pool/pool.h"
#include "core/pool/preference_table.h"
#include "core/pool/room_index.h"
#include "core/pool/silence.h"

namespace hearth::pool {

struct Queue;

// What a node is given at most, so that all that it holds fits into its hello.
inline constexpr std::uint32_t kMaxLeasesPerNode = 8'192;

struct Node {
  NodeId id;
  bool connected = false;
  bool silent = false;  // connected, but not heard of for a lease
  bool closed = false;  // by its own owner
  bool frozen = false;  // what runs there stands still
  Duty duty = Duty::kServing;
  Resources offered;
  Admission admits;
  Attributes attributes;
  Conditions meets;                              // of those that jobs ask now
  std::vector<DataId> data;                      // that lies there, in order; see DataTable
  Resources used;                                // by leases in room; may exceed an offer that has shrunk
  std::array<Resources, kReaches> endable = {};  // of `used`: what those who reach so far may have besides free room
  std::uint64_t workspace_bytes = 0;             // of the workspaces that lie there
  LeaseList in_room;
  LeaseList ahead;                     // prefetched
  std::int64_t ahead_core_micros = 0;  // the work in `ahead`
  std::uint64_t brief_cores = 0;       // of leases in room that are known to end soon: what works off `ahead`
  Queue* reserved_for = nullptr;       // takes nothing else until that is placed
  BookingId booking;                   // see bookings.h; none: it is of none
  AccountId kept_for;                  // whose booking that is
  std::optional<Time> kept_from;       // if it has yet to begin: then
  Silence::Mark silence;               // until when its leases last
  std::optional<Time> review;          // when to take back what it has not started
  std::optional<Time> grace_ends;      // of one that drains: when to take back all

  // Its places in the table's indices.
  std::array<std::optional<RoomIndex::Place>, kReaches> places;
  std::optional<std::int64_t> time_ahead;
  Resources counted;  // of `offered`, in the pool's capacity
  bool counted_open = false;

  bool is_open() const { return connected && !silent && !closed && duty == Duty::kServing; }
  Resources room(Reach reach = kFreeRoom) const { return offered - (used - endable[reach]); }
  Terms with(const Resources& free) const {
    const std::uint64_t workspace_room = admits.workspace_bytes - std::min(admits.workspace_bytes, workspace_bytes);
    return {free, admits, id, workspace_room, meets, kept_for};
  }
  Terms before_booking() const {  // its free room for those whom it is not kept for
    Terms free = with(room());
    free.kept_for = {};
    return free;
  }
  bool has_room_for(const Terms& needs, Reach reach = kFreeRoom) const { return needs.fits_in(with(room(reach))); }
  bool could_take(const Terms& needs) const { return needs.fits_in(with(offered)); }  // when idle
  std::uint32_t leases() const { return in_room.size() + ahead.size(); }
};

class NodeTable {
 public:
  explicit NodeTable(const Options& options) : options_(options), silence_(options.lease) {}

  Node* find(NodeId id);
  const Node* find(NodeId id) const;
  Node& get_or_add(NodeId id);
  void remove(Node& node);  // it may hold no leases
  std::map<NodeId, Node>& all() { return nodes_; }
  const std::map<NodeId, Node>& all() const { return nodes_; }

  // To be called after any change of a node, so that the indices below know of it.
  void refresh(Node& node);

  // A node with room for `needs`, or null: for small tasks the relatively emptiest one, so that every node takes its
  // share; for large ones the one with the least room, so that big gaps stay whole. A new workspace goes where most is
  // left for such (one look at each node); tasks of one that lies somewhere go there. With a reach, the room of those
  // who may be ended counts.
  Node* find_room(const Terms& needs, Reach reach = kFreeRoom);

  // For a copy of what runs on `original`: another node with free room, or null.
  Node* find_room_beside(const Node& original, const Terms& needs);

  // Instead of a node with free room that find_room() gave: one that has room as well and holds the first of the data
  // that any such node is found to hold. A bounded number of nodes is looked at.
  Node& nearer(Node& usual, const Terms& needs, const std::vector<DataId>& data);
  // Of the nodes that have room, that which the ranking prefers; `usual` if it makes no difference. A bounded number of
  // nodes is looked at.
  Node& preferred(Node& usual, const Terms& needs, const Ranking& ranking);
  PreferenceTable& preferences() { return preferences_; }
  const PreferenceTable& preferences() const { return preferences_; }
  DataTable& data() { return data_; }
  const DataTable& data() const { return data_; }

  // A node whose turn-over leaves place for `core_micros` more work ahead, or null.
  Node* find_ahead(const Terms& needs, std::int64_t core_micros) const;

  // Whether an open node could take it when idle. Remembered by the caller for as long as version() stays.
  bool any_open_fits(const Terms& needs) const;
  std::uint64_t version() const { return version_; }
  void changed_offers() { ++version_; }  // a node came, went, opened, closed, offers or is something else
  const Resources& capacity() const { return capacity_; }  // of connected nodes
  std::size_t open() const { return open_; }               // how many are

  // Of the booking (none: of none) that keeps it for the account, from then on or from now.
  void keep(Node& node, BookingId booking, AccountId account, std::optional<Time> from);
  const std::map<NodeId, Node*>& kept_later() const { return kept_later_; }  // for bookings that have yet to begin

  // Any word from a node renews its leases.
  void heard(Node& node, Time now) { silence_.heard(node, now); }
  Silence::Fallen take_silent(Time now) { return silence_.take(now); }
  void set_review(Node& node, std::optional<Time> at);
  std::vector<Node*> take_reviews(Time now);
  void set_grace(Node& node, std::optional<Time> ends);
  std::vector<Node*> take_drained(Time now);  // whose grace has ended
  std::optional<Time> next_deadline() const;

 private:
  void count(Node& node);
  Node* find_room_for_workspace(const Terms& needs, Reach reach);

  Options options_;
  std::map<NodeId, Node> nodes_;
  std::array<RoomIndex, kReaches> rooms_ = {RoomIndex(0), RoomIndex(1), RoomIndex(2)};
  DataTable data_;
  PreferenceTable preferences_;
  Resources capacity_;
  std::size_t open_ = 0;
  std::map<std::pair<std::int64_t, NodeId>, Node*> aheads_;  // by the time that the work ahead takes
  Silence silence_;
  std::set<std::pair<Time, NodeId>> reviews_;
  std::set<std::pair<Time, NodeId>> graces_;
  std::map<NodeId, Node*> kept_later_;
  std::uint64_t version_ = 1;
};

}  // namespace hearth::pool
