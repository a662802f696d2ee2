// The hub of a simulated world: the real Pool between a store that keeps what was committed and a network that does not
// care. It commits, then speaks, and may die in between.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/pool/pool.h"
#include "sim/checker.h"
#include "sim/network.h"
#include "sim/store.h"
#include "sim/universe.h"

namespace hearth::sim {

class Hub {
 public:
  // Tells the client that its order is job `id`, on disk, or refused (no id).
  using Reply = std::function<void(std::uint64_t order, std::optional<JobId> id)>;

  Hub(Universe& universe, Network& network, Checker& checker, const pool::Options& options);

  void start();
  void crash();
  bool is_up() const { return pool_ != nullptr; }
  const Store& store() const { return store_; }
  const pool::Pool* pool() const { return pool_.get(); }
  void on_reply(Reply reply) { reply_ = std::move(reply); }

  void on_message(SessionId session, NodeId node, const NodeMessage& message);
  void on_session_lost(SessionId session, NodeId node);
  void submit(const StoredJob& order);  // its id is chosen here
  void cancel(JobId job);
  void remove(JobId job);
  void remove_workspace(const WorkspaceId& workspace);
  void remove_node(NodeId node);
  // Somebody speaks until it is heard: while the hub is dead, it finds it in its store.
  void set_duty(NodeId node, const StoredDuty& said);
  void forget_ended();

 private:
  struct Batch {
    std::vector<StoredJob> jobs;
    std::vector<std::pair<NodeId, StoredDuty>> duties;
    std::vector<pool::Effect> records;
    std::vector<pool::Effect> sends;
    std::vector<std::pair<std::uint64_t, std::optional<JobId>>> replies;
    bool empty() const { return jobs.empty() && duties.empty() && records.empty() && sends.empty() && replies.empty(); }
  };

  void feed(std::function<void()> event);
  void process();
  void commit(const Batch& batch);
  void speak(const Batch& batch);
  void send(const pool::Effect& effect);
  void check_nobody_idles();
  void plan_wake();
  bool dies();
  void hear(NodeId node, const NodeMessage& message);
  void take_order(StoredJob order);
  void take_removal(JobId job);
  void make_known(JobId job);

  Universe& universe_;
  Network& network_;
  Checker& checker_;
  pool::Options options_;
  Reply reply_;
  Store store_;
  std::set<NodeId> removed_;  // as durable as the store

  // Lost in a crash.
  std::unique_ptr<pool::Pool> pool_;  // null while it is dead
  std::uint64_t life_ = 0;
  std::vector<std::function<void()>> inbox_;
  bool busy_ = false;  // a batch is under way to the disk
  Batch batch_;        // what the next commit consists of
  std::map<NodeId, SessionId> sessions_;
  std::set<SessionId> greeted_;
  std::set<JobId> known_;
  std::set<JobId> removing_;  // their removal is not committed yet
  JobId last_id_;
  std::optional<Time> wake_;
};

}  // namespace hearth::sim
