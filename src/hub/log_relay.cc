#include "hub/log_relay.h"

#include <google/protobuf/io/coded_stream.h>

#include "base/sizes.h"
#include "hub/views.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMaxQueuedBytes = 4 * kMiB;  // per viewer; beyond it pieces are dropped and asked for again
constexpr std::uint64_t kMaxLogBytes = 24 * kMiB;
constexpr std::size_t kReplyBytes = 256 * kKiB;
constexpr std::uint32_t kPage = 1000;

// In a viewer's queue.
std::size_t bytes_of(const v1::LogPiece& piece) { return sizeof piece + piece.data().size(); }

}  // namespace

LogRelay::LogRelay(Engine& engine, blob::BlobStore& blobs, net::Workers& workers)
    : engine_(engine), blobs_(blobs), workers_(workers) {}

void LogRelay::add_source(NodeId node, LogSource& source) {
  sources_[node] = &source;
  for (const auto& [attempt, at] : watched_) {
    if (at != node) continue;
    std::uint64_t least = UINT64_MAX;
    for (Viewer* viewer : viewers_) {
      if (!viewer->wants(attempt.task)) continue;
      const Cursor& cursor = viewer->cursors[attempt.task.index];
      least = std::min(least, cursor.epoch == attempt.epoch ? cursor.offset : 0);
    }
    source.watch_log(attempt, least == UINT64_MAX ? 0 : least);
  }
}

void LogRelay::remove_source(NodeId node, LogSource& source) {
  const auto found = sources_.find(node);
  if (found != sources_.end() && found->second == &source) sources_.erase(found);
}

void LogRelay::on_piece(NodeId node, const v1::LogPiece& piece) {
  const AttemptId attempt = from_proto(piece.attempt());
  const auto watched = watched_.find(attempt);
  if (watched == watched_.end() || watched->second != node) return;
  for (Viewer* viewer : viewers_) {
    if (!viewer->wants(attempt.task) || viewer->piece_bytes + bytes_of(piece) > kMaxQueuedBytes) continue;
    viewer->pieces.push_back(piece);
    viewer->piece_bytes += bytes_of(piece);
    viewer->woken.notify();
  }
}

void LogRelay::attempt_assigned(AttemptId attempt, NodeId) {
  // Two attempts' words are not mixed: of a copy the log is told if it is the one that counts.
  if (engine_.pool().is_copy(attempt)) return;
  for (Viewer* viewer : viewers_) {
    if (viewer->wants(attempt.task)) subscribe(*viewer, attempt);
  }
}

void LogRelay::attempt_ended(AttemptId attempt, const v1::Outcome& outcome) {
  watched_.erase(attempt);
  for (Viewer* viewer : viewers_) {
    if (!viewer->wants(attempt.task) || !outcome.has_log()) continue;
    viewer->rests.push_back({attempt, outcome.log()});
    viewer->woken.notify();
  }
}

void LogRelay::job_ended(JobId job) {
  for (Viewer* viewer : viewers_) {
    if (viewer->job != job) continue;
    viewer->job_over = true;
    viewer->woken.notify();
  }
}

net::Async<Result<void>> LogRelay::stream(const v1::LogsRequest& request, net::ReplyStream& stream) {
  Viewer viewer;
  viewer.job = {request.job_id()};
  viewer.tasks.insert(request.tasks().begin(), request.tasks().end());
  for (const auto& cursor : request.cursors()) viewer.cursors[cursor.task()] = {cursor.attempt(), cursor.offset()};
  struct Registration {
    LogRelay& relay;
    Viewer& viewer;
    ~Registration() {
      relay.viewers_.erase(&viewer);
      relay.unsubscribe_all(viewer);
    }
  };
  // Registered before the first look at what has ended, so that nothing falls in between; what comes twice is told by
  // the cursor.
  viewers_.insert(&viewer);
  const Registration registration{*this, viewer};
  viewer.job_over = engine_.live_job(viewer.job) == nullptr;
  for (const AttemptId attempt : engine_.pool().leased_tasks(viewer.job)) {
    if (viewer.wants(attempt.task)) subscribe(viewer, attempt);
  }
  Result<void> sent = co_await send_ended(viewer, stream);
  if (!sent || !request.follow()) co_return sent;
  co_return co_await follow(viewer, stream);
}

void LogRelay::subscribe(Viewer& viewer, AttemptId attempt) {
  const std::optional<NodeId> node = engine_.pool().node_of(attempt.task);
  if (!node) return;
  watched_[attempt] = *node;
  const Cursor& cursor = viewer.cursors[attempt.task.index];
  ask_again(attempt, cursor.epoch == attempt.epoch ? cursor.offset : 0);
}

void LogRelay::ask_again(AttemptId attempt, std::uint64_t offset) {
  const auto watched = watched_.find(attempt);
  if (watched == watched_.end()) return;
  const auto source = sources_.find(watched->second);
  if (source != sources_.end()) source->second->watch_log(attempt, offset);
}

void LogRelay::unsubscribe_all(const Viewer& viewer) {
  for (auto watched = watched_.begin(); watched != watched_.end();) {
    const auto& [attempt, node] = *watched;
    bool wanted = !viewer.wants(attempt.task);
    for (const Viewer* other : viewers_) wanted = wanted || other->wants(attempt.task);
    if (wanted) {
      ++watched;
      continue;
    }
    const auto source = sources_.find(node);
    if (source != sources_.end()) source->second->stop_log(attempt);
    watched = watched_.erase(watched);
  }
}

// The logs of attempts that have ended by now, task by task.
net::Async<Result<void>> LogRelay::send_ended(Viewer& viewer, net::ReplyStream& stream) {
  for (std::uint32_t first = 0;;) {
    using Answer = Result<std::vector<store::TaskRow>>;
    Answer rows = co_await engine_.ask(
        [&](store::Store& store) -> Answer { return store.load_tasks(viewer.job, first, kPage, false); });
    if (!rows) co_return std::unexpected(rows.error());
    for (const store::TaskRow& row : *rows) {
      v1::Outcome outcome;
      if (!viewer.wants(row.task) || row.state == pool::TaskState::kLeased || !outcome.ParseFromString(row.outcome))
        continue;
      if (!outcome.has_log()) continue;
      Result<void> sent = co_await send_rest(viewer, {{row.task, row.epoch}, outcome.log()}, stream);
      if (!sent) co_return sent;
    }
    using Row = Result<std::optional<store::JobRow>>;
    Row job = co_await engine_.ask([&](store::Store& store) -> Row { return store.load_job(viewer.job); });
    first += kPage;
    if (!job || !*job || first >= (*job)->request.tasks) co_return Result<void>();
  }
}

net::Async<Result<void>> LogRelay::follow(Viewer& viewer, net::ReplyStream& stream) {
  while (!stream.gone()) {
    if (!viewer.pieces.empty()) {
      const v1::LogPiece piece = std::move(viewer.pieces.front());
      viewer.pieces.pop_front();
      viewer.piece_bytes -= bytes_of(piece);
      if (Result<void> sent = co_await send_piece(viewer, piece, stream); !sent) co_return sent;
    } else if (!viewer.rests.empty()) {
      const Rest rest = std::move(viewer.rests.front());
      viewer.rests.pop_front();
      if (Result<void> sent = co_await send_rest(viewer, rest, stream); !sent) co_return sent;
    } else if (viewer.job_over) {
      co_return Result<void>();
    } else if (!co_await viewer.woken.wait(seconds(20))) {
      // An empty message, so that a client that has gone is noticed.
      if (Result<void> sent = co_await stream.send(v1::LogsReply()); !sent) co_return sent;
    }
  }
  co_return Result<void>();
}

net::Async<Result<void>> LogRelay::send_piece(Viewer& viewer, const v1::LogPiece& piece, net::ReplyStream& stream) {
  const AttemptId attempt = from_proto(piece.attempt());
  Cursor& cursor = viewer.cursors[attempt.task.index];
  if (attempt.epoch < cursor.epoch) co_return Result<void>();
  if (attempt.epoch > cursor.epoch) cursor = {attempt.epoch, 0};
  if (piece.offset() > cursor.offset) {
    ask_again(attempt, cursor.offset);
    co_return Result<void>();
  }
  const std::uint64_t known = cursor.offset - piece.offset();
  if (known >= piece.data().size()) co_return Result<void>();
  co_return co_await send_records(attempt, cursor, std::string_view(piece.data()).substr(known), stream);
}

net::Async<Result<void>> LogRelay::send_rest(Viewer& viewer, const Rest& rest, net::ReplyStream& stream) {
  Cursor& cursor = viewer.cursors[rest.attempt.task.index];
  if (rest.attempt.epoch < cursor.epoch) co_return Result<void>();
  if (rest.attempt.epoch > cursor.epoch) cursor = {rest.attempt.epoch, 0};
  if (cursor.offset >= rest.log.size()) co_return Result<void>();
  Result<std::string> log = co_await workers_.run([&] { return blobs_.load(rest.log.sha256(), kMaxLogBytes); });
  if (!log) co_return fail(log, "reading a task's log");
  if (cursor.offset >= log->size()) co_return Result<void>();  // shorter than the node said
  co_return co_await send_records(rest.attempt, cursor, std::string_view(*log).substr(cursor.offset), stream);
}

// `bytes` are whole delimited records from the cursor on; a malformed rest (a node's fault) is dropped.
net::Async<Result<void>> LogRelay::send_records(AttemptId attempt, Cursor& cursor, std::string_view bytes,
                                                net::ReplyStream& stream) {
  while (!bytes.empty()) {
    v1::LogsReply reply;
    reply.set_task(attempt.task.index);
    reply.set_attempt(attempt.epoch);
    reply.set_offset(cursor.offset);
    std::size_t used = 0;
    while (used < bytes.size() && used < kReplyBytes) {
      const std::string_view rest = bytes.substr(used);
      google::protobuf::io::CodedInputStream input(reinterpret_cast<const std::uint8_t*>(rest.data()),
                                                   static_cast<int>(rest.size()));
      std::uint32_t length = 0;
      if (!input.ReadVarint32(&length)) co_return Result<void>();
      const auto header = static_cast<std::size_t>(input.CurrentPosition());
      if (length > rest.size() - header ||
          !reply.add_records()->ParseFromArray(rest.data() + header, static_cast<int>(length))) {
        co_return Result<void>();
      }
      used += header + length;
    }
    cursor.offset += used;
    reply.set_next_offset(cursor.offset);
    bytes.remove_prefix(used);
    if (Result<void> sent = co_await stream.send(reply); !sent) co_return sent;
  }
  co_return Result<void>();
}

}  // namespace hearth::hub
