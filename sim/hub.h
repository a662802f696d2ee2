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

// One transaction, and what is said after it.
struct HubBatch {
  std::vector<StoredJob> jobs;
  std::vector<std::pair<NodeId, StoredDuty>> duties;
  std::vector<pool::BookingTerms> bookings;
  std::vector<pool::Effect> records;
  std::vector<pool::Effect> sends;
  std::vector<std::pair<std::uint64_t, std::optional<JobId>>> replies;
  bool empty() const {
    return jobs.empty() && duties.empty() && bookings.empty() && records.empty() && sends.empty() && replies.empty();
  }
};

class Hub {
 public:
  // Tells the client that its order is job `id`, on disk, or refused (no id).
  using Reply = std::function<void(std::uint64_t order, std::optional<JobId> id)>;

  Hub(Universe& universe, Network& network, Checker& checker, const pool::Options& options, HubNumber number);
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  void start();
  void crash();  // starts again by itself, if it is alone
  // With another one: what is committed is handed to `keep`, and told once `then` is called; never, if it is not.
  using Keep = std::function<void(const HubBatch& batch, std::function<void()> then)>;
  void on_commit(Keep keep) { keep_ = std::move(keep); }
  void on_crash(std::function<void()> handler) { on_crash_ = std::move(handler); }
  // It stands by: what the other one has committed.
  void follow(const HubBatch& batch);
  void copy(const Store& store) { store_ = store; }
  bool dies();  // or it goes on, by chance
  bool is_up() const { return pool_ != nullptr; }
  HubNumber number() const { return number_; }
  const Store& store() const { return store_; }
  void set_accounts(const std::vector<pool::AccountTerms>& accounts) { store_.accounts = accounts; }
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
  void book(const pool::BookingTerms& terms);  // by the world's clock
  void unbook(BookingId id);
  void forget_ended();

 private:
  using Batch = HubBatch;

  void feed(std::function<void()> event);
  void process();
  void commit(const Batch& batch);
  void say_record(const pool::Effect& record);
  void measure(const Batch& batch);
  void measure_anew();
  void check(const Batch& batch);
  void speak(const Batch& batch);
  void finish(const Batch& batch);
  void apply(const Batch& batch);
  Time local() const { return universe_.now() + skew_; }  // by its own clock
  void send(const pool::Effect& effect);
  void check_nobody_idles();
  void plan_wake();
  void hear(NodeId node, const NodeMessage& message);
  void take_order(StoredJob order);
  void take_removal(JobId job);
  void make_known(JobId job);

  Universe& universe_;
  Network& network_;
  Checker& checker_;
  pool::Options options_;
  HubNumber number_;
  Duration skew_;
  Keep keep_;
  std::function<void()> on_crash_;
  Reply reply_;
  Store store_;

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
  Time checked_all_at_;
};

}  // namespace hearth::sim
