// What a synchronized folder changes in the drive.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>

#include <fmt/format.h>

#include "drive/executable.h"
#include "drive/files.h"
#include "drive/replies.h"
#include "drive/sync_server.h"
#include "drive/walk.h"
#include "net/crypto.h"

namespace hearth::drive {
namespace {

using What = sync::Change::What;
using Reach = Touched::Reach;

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::uint64_t kCopiedAtOnce = 4 << 20;

sync::Outcome outcome_of(const Error& error) { return {.code = error.code, .message = error.message}; }

Result<Path> path_of(const Scope& scope, const Path& root, const sync::Change& change) {
  Result<Path> path = scope.inside(root.is_root() ? change.path : fmt::format("{}/{}", root.text(), change.path));
  if (path && *path == root) return fail(Code::kInvalidArgument, "the folder itself stays");
  if (!path || change.what != What::kRemoval) return path;
  const Result<void> allowed = scope.allow_change(*path);
  return allowed ? path : std::unexpected(allowed.error());
}

// Whether all below a folder is what somebody wants removed.
Result<void> check_tree(const Folder& folder, const Path& path, const std::string& digest) {
  Result<Walk> walk = Walk::below(folder, path);
  if (!walk) return std::unexpected(walk.error());
  std::map<std::string, sync::Side> below;
  while (walk->next() != nullptr) {
    const std::optional<Path> place = walk->path();
    const std::optional<Entry> entry = walk->entry();
    if (!place || !entry) return fail(Code::kFailedPrecondition, path.text() + " is just changing");
    const bool is_file = entry->kind == Kind::kFile;
    below[place->text().substr(path.text().size() + 1)] = {.kind = is_file ? sync::Kind::kFile : sync::Kind::kFolder,
                                                           .version = is_file ? entry->etag : ""};
  }
  if (walk->trouble()) return std::unexpected(*walk->trouble());
  if (net::sha256(sync::tree_digest_text(below)) == digest) return {};
  return fail(Code::kFailedPrecondition, path.text() + " holds something else by now");
}

Result<void> check_removable(const Folder& folder, const Path& path, const sync::Change& change) {
  const Result<Entry> entry = folder.look(path);
  if (!entry) return std::unexpected(entry.error());
  if (entry->kind == Kind::kFolder && change.etag.empty()) return check_tree(folder, path, change.content);
  if (entry->kind == Kind::kFile && entry->etag == change.etag) return {};
  return fail(Code::kFailedPrecondition, path.text() + " has changed");
}

// The part of a file that is copied, into the file that is being made.
Result<void> copy_part(int from, std::uint64_t offset, std::uint64_t count, Incoming& to, net::Sha256& hash) {
  const Result<std::string> part = read_part(from, offset, count);
  if (!part && part.error().code == Code::kAborted) {
    return fail(Code::kInvalidArgument, "a part that the file before has not");
  }
  if (!part) return std::unexpected(part.error());
  hash.update(*part);
  return to.write(*part);
}

}  // namespace

net::Async<void> SyncServer::change(Request& request) {
  const Result<std::string> body = co_await request.exchange.read_whole_body(sync::kMaxBatchBytes);
  if (!body) co_return co_await refuse_body(request.exchange, body.error());
  const Result<std::vector<std::string>> frames = sync::frames_of(*body, sync::kMaxBatch);
  if (!frames) co_return co_await refuse(request.exchange, frames.error());
  std::vector<sync::Change> changes;
  for (const std::string& frame : *frames) {
    Result<sync::Change> change = sync::decode_change(frame);
    if (!change) co_return co_await refuse(request.exchange, change.error());
    changes.push_back(*std::move(change));
  }
  std::string answer;
  for (const sync::Outcome& outcome : co_await carry_out(request, changes)) {
    sync::append_frame(answer, sync::encode(outcome));
  }
  co_await request.exchange.reply({.status = 200, .headers = {}, .body = std::move(answer)});
}

net::Async<std::vector<sync::Outcome>> SyncServer::carry_out(Request& request,
                                                             const std::vector<sync::Change>& changes) {
  std::vector<sync::Outcome> outcomes(changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].what == What::kFolder) outcomes[i] = co_await make_folder(request, changes[i]);
  }
  std::vector<Arriving> files;
  std::vector<sync::Outcome*> theirs;
  co_await drive_.workers().run([&] {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const sync::Change& change = changes[i];
      if (change.what != What::kFile) continue;
      const Result<Path> path = path_of(request.scope, request.path, change);
      Result<Incoming> file = path ? request.folder.receive(change.content.size()) : std::unexpected(path.error());
      Result<void> written = file ? file->write(change.content) : std::unexpected(file.error());
      if (written && change.is_executable && !make_executable(file->descriptor()))
        written = fail_errno(errno, "a file");
      if (!written) {
        outcomes[i] = outcome_of(written.error());
        continue;
      }
      files.push_back({.file = *std::move(file),
                       .path = *path,
                       .condition = {.if_match = change.etag, .if_none_match = change.etag.empty() ? "*" : ""},
                       .modified = {change.modified_millis}});
      theirs.push_back(&outcomes[i]);
    }
  });
  if (!files.empty()) co_await place(request, std::move(files), std::move(theirs));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].what == What::kRemoval) outcomes[i] = co_await remove(request, changes[i]);
  }
  co_return outcomes;
}

net::Async<sync::Outcome> SyncServer::make_folder(Request& request, const sync::Change& change) {
  const Result<Path> path = path_of(request.scope, request.path, change);
  if (!path) co_return outcome_of(path.error());
  const Result<Entry> made = co_await drive_.change(
      request.holder, {{.path = *path, .reach = Reach::kName}}, [&](Folder& folder) -> Result<Entry> {
        Result<Entry> there = folder.look(*path);
        return there && there->kind == Kind::kFolder ? there : folder.make_folder(*path);
      });
  co_return made ? sync::Outcome() : outcome_of(made.error());
}

net::Async<sync::Outcome> SyncServer::remove(Request& request, const sync::Change& change) {
  const Result<Path> path = path_of(request.scope, request.path, change);
  if (!path) co_return outcome_of(path.error());
  const Result<void> removed = co_await drive_.change(
      request.holder, {{.path = *path, .reach = Reach::kTree}}, [&](Folder& folder) -> Result<void> {
        if (Result<void> removable = check_removable(folder, *path, change); !removable) return removable;
        return folder.remove(*path);
      });
  co_return removed ? sync::Outcome() : outcome_of(removed.error());
}

// Together, if no lock is in the way of any; else one by one, so that a locked file keeps no other waiting.
net::Async<void> SyncServer::place(Request& request, std::vector<Arriving> files,
                                   std::vector<sync::Outcome*> outcomes) {
  using Placings = std::vector<Result<Placed>>;
  const Result<void> synced = co_await drive_.workers().run([&] { return Folder::sync_together(files); });
  if (!synced) {
    for (sync::Outcome* outcome : outcomes) *outcome = outcome_of(synced.error());
    co_return;
  }
  const auto place_some = [&](std::vector<Arriving> some) -> net::Async<Result<Placings>> {
    std::vector<Touched> touched;
    touched.reserve(some.size());
    for (const Arriving& one : some) touched.push_back({.path = one.path, .reach = Reach::kName});
    co_return co_await drive_.change(request.holder, std::move(touched), [&](Folder& folder) -> Result<Placings> {
      return folder.place_together(std::move(some));
    });
  };
  const auto tell = [&](const Result<Placings>& placed, std::size_t at, std::size_t i) {
    const Result<Placed>& one = placed ? (*placed)[at] : Result<Placed>(std::unexpected(placed.error()));
    *outcomes[i] = one ? sync::Outcome{.etag = one->entry.etag} : outcome_of(one.error());
  };
  const LockTable locks = drive_.locks();
  const bool is_free =
      std::ranges::all_of(files, [&](const Arriving& one) { return locks.covering(one.path, wall_now()).empty(); });
  if (is_free) {
    const Result<Placings> placed = co_await place_some(std::move(files));
    for (std::size_t i = 0; i < outcomes.size(); ++i) tell(placed, i, i);
    co_return;
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    std::vector<Arriving> one;
    one.push_back(std::move(files[i]));
    tell(co_await place_some(std::move(one)), 0, i);
  }
}

net::Async<Result<Incoming>> SyncServer::rebuild(Request& request, const Fd& before) {
  net::Workers& workers = drive_.workers();
  Result<Incoming> file = co_await workers.run([&] { return request.folder.receive(); });
  if (!file) co_return file;
  net::Sha256 hash;
  std::uint64_t written = 0;
  sync::Frames frames;
  std::vector<char> buffer(kPieceBytes);
  for (;;) {
    const Result<std::optional<std::string>> frame = frames.next();
    if (!frame) co_return std::unexpected(frame.error());
    if (!*frame) {
      const Result<std::size_t> count = co_await request.exchange.read_body(buffer);
      if (!count) co_return std::unexpected(count.error());
      if (*count == 0) co_return fail(Code::kInvalidArgument, "a delta without an end");
      frames.add({buffer.data(), *count});
      continue;
    }
    const Result<sync::DeltaPart> part = sync::decode_delta_part(**frame);
    if (!part) co_return std::unexpected(part.error());
    if (part->what == sync::DeltaPart::What::kEnd) {
      if (written != part->length || hash.finish() != part->content) {
        co_return fail(Code::kInvalidArgument, "what the delta makes has not the length and hash that it says");
      }
      co_return file;
    }
    Result<void> done;
    if (part->what == sync::DeltaPart::What::kBytes) {
      written += part->content.size();
      done = co_await workers.run([&] {
        hash.update(part->content);
        return file->write(part->content);
      });
    }
    for (std::uint64_t copied = 0; done && part->what == sync::DeltaPart::What::kCopy && copied < part->length;) {
      const std::uint64_t count = std::min(part->length - copied, kCopiedAtOnce);
      done = co_await workers.run([&] { return copy_part(before.get(), part->offset + copied, count, *file, hash); });
      copied += count;
      written += count;
    }
    if (!done) co_return std::unexpected(done.error());
  }
}

net::Async<void> SyncServer::delta(Request& request) {
  net::Exchange& exchange = request.exchange;
  const net::RequestHead& head = exchange.head();
  const std::string match(head.headers.get("if-match"));
  const std::string text = net::query_value(head.query, "modified").value_or("");
  WallTime modified;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), modified.unix_millis);
  if (error != std::errc() || end != text.data() + text.size()) {
    co_return co_await refuse(exchange, 400, "modified: milliseconds since 1970");
  }
  const Result<std::pair<Fd, Entry>> before =
      co_await drive_.workers().run([&] { return request.folder.read(request.path); });
  if (!before) co_return co_await refuse(exchange, before.error());
  if (!names_etag(match, before->second.etag)) co_return co_await refuse(exchange, 412, "If-Match: it has changed");
  Result<Incoming> file = co_await rebuild(request, before->first);
  if (!file) co_return co_await refuse(exchange, file.error());
  const bool is_program = net::query_value(head.query, "executable") == "1";
  const Result<void> finished = co_await drive_.workers().run([&]() -> Result<void> {
    if (is_program && !make_executable(file->descriptor())) return fail_errno(errno, request.path.text());
    return file->finish(modified);
  });
  if (!finished) co_return co_await refuse(exchange, finished.error());
  const Result<Placed> placed =
      co_await drive_.change(request.holder, {{.path = request.path, .reach = Reach::kItself}}, [&](Folder& folder) {
        return folder.place(std::move(*file), request.path, {.if_match = match, .if_none_match = {}});
      });
  if (!placed) co_return co_await refuse(exchange, placed.error());
  net::Response response{.status = 204, .headers = {}, .body = {}};
  response.headers.add("ETag", placed->entry.etag);
  co_await exchange.reply(std::move(response));
}

}  // namespace hearth::drive
