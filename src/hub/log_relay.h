// What tasks print, live. A log lives on its node while the attempt runs and is a blob afterwards; the hub keeps none
// of it. A viewer gets every record of a task in order and once: pieces from the node as they come, then the rest from
// the blob when the attempt has ended.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "blob/blob_store.h"
#include "hearth/v1/session.pb.h"
#include "hub/engine.h"
#include "net/connect.h"

namespace hearth::hub {

// Asks a node for an attempt's log.
class LogSource {
 public:
  virtual ~LogSource() = default;
  virtual void watch_log(AttemptId attempt, std::uint64_t offset) = 0;
  virtual void stop_log(AttemptId attempt) = 0;
};

class LogRelay : public Observer {
 public:
  LogRelay(Engine& engine, blob::BlobStore& blobs, net::Workers& workers);

  void add_source(NodeId node, LogSource& source);  // again after a reconnect
  void remove_source(NodeId node, LogSource& source);
  void on_piece(NodeId node, const v1::LogPiece& piece);  // of an attempt that is watched there; else it is dropped

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId attempt, NodeId node) override;
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId job) override;

  // Serves one viewer. The job exists.
  net::Async<Result<void>> stream(const v1::LogsRequest& request, net::ReplyStream& stream);

 private:
  struct Cursor {
    std::uint32_t epoch = 0;
    std::uint64_t offset = 0;
  };
  struct Rest {  // an attempt that has ended: what is left of its log is in a blob
    AttemptId attempt;
    v1::Blob log;
  };
  struct Viewer {
    JobId job;
    std::set<std::uint32_t> tasks;  // empty: all
    std::map<std::uint32_t, Cursor> cursors;
    std::deque<v1::LogPiece> pieces;
    std::size_t piece_bytes = 0;
    std::deque<Rest> rests;
    bool job_over = false;
    net::Event woken;
    bool wants(TaskId task) const { return task.job == job && (tasks.empty() || tasks.contains(task.index)); }
  };

  void subscribe(Viewer& viewer, AttemptId attempt);
  void unsubscribe_all(const Viewer& viewer);
  void ask_again(AttemptId attempt, std::uint64_t offset);
  net::Async<Result<void>> send_ended(Viewer& viewer, net::ReplyStream& stream);
  net::Async<Result<void>> follow(Viewer& viewer, net::ReplyStream& stream);
  net::Async<Result<void>> send_piece(Viewer& viewer, const v1::LogPiece& piece, net::ReplyStream& stream);
  net::Async<Result<void>> send_rest(Viewer& viewer, const Rest& rest, net::ReplyStream& stream);
  static net::Async<Result<void>> send_records(AttemptId attempt, Cursor& cursor, std::string_view bytes,
                                               net::ReplyStream& stream);

  Engine& engine_;
  blob::BlobStore& blobs_;
  net::Workers& workers_;
  std::set<Viewer*> viewers_;
  std::map<NodeId, LogSource*> sources_;
  std::map<AttemptId, NodeId> watched_;
};

}  // namespace hearth::hub
