#include "drive/sync_server.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "core/sync/chunks.h"
#include "drive/files.h"
#include "drive/replies.h"
#include "drive/walk.h"
#include "net/crypto.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;     // of an answer
constexpr std::size_t kReadBytes = 4 << 20;       // of a file that is cut into chunks
constexpr std::size_t kMaxWantedBytes = 2 << 20;  // of a request's body
constexpr std::string_view kBodyType = "application/vnd.hearth.sync";

net::Headers answer_headers() {
  net::Headers headers;
  headers.add("Content-Type", std::string(kBodyType));
  headers.add("Cache-Control", "no-store");
  return headers;
}

sync::Listed listed_of(const Path& path, const Path& root, const Entry& entry, bool is_program) {
  const std::string text = path.text();
  const bool is_file = entry.kind == Kind::kFile;
  return {.is_end = false,
          .trouble = {},
          .side = {.kind = is_file ? sync::Kind::kFile : sync::Kind::kFolder, .version = is_file ? entry.etag : ""},
          .path = text.substr(root.is_root() ? 1 : root.text().size() + 1),
          .bytes = entry.bytes,
          .modified_millis = entry.modified.unix_millis,
          .is_executable = is_program};
}

// Frames for what the walk finds next; after the last one, the end's.
std::string next_piece(Walk& walk, const Path& root, bool& is_over) {
  std::string piece;
  while (piece.size() < kPieceBytes && !is_over) {
    is_over = walk.next() == nullptr;
    if (is_over) break;
    const std::optional<Path> path = walk.path();
    const std::optional<Entry> entry = walk.entry();
    if (path && entry) sync::append_frame(piece, sync::encode(listed_of(*path, root, *entry, walk.is_executable())));
  }
  if (is_over) {
    const std::string trouble = walk.trouble() ? walk.trouble()->message.substr(0, 1'000) : "";
    sync::append_frame(piece, sync::encode(sync::Listed{.is_end = true, .trouble = trouble}));
  }
  return piece;
}

Result<Path> path_below(const Scope& scope, const Path& root, std::string_view relative) {
  return scope.inside(root.is_root() ? std::string(relative) : fmt::format("{}/{}", root.text(), relative));
}

Result<std::string> read_small(const Folder& folder, const Path& path, const std::string& etag) {
  const Result<std::pair<Fd, Entry>> file = folder.read(path);
  if (!file) return std::unexpected(file.error());
  if (file->second.etag != etag) return fail(Code::kFailedPrecondition, path.text() + " has changed");
  if (file->second.bytes > sync::kMaxSmallFile) {
    return fail(Code::kOutOfRange, fmt::format("{} has {} bytes; up to {} are told so", path.text(), file->second.bytes,
                                               sync::kMaxSmallFile));
  }
  return read_part(file->first.get(), 0, file->second.bytes);
}

sync::Given given_of(const Folder& folder, const Scope& scope, const Path& root, const std::string& frame,
                     bool as_hash) {
  const Result<sync::Wanted> wanted = sync::decode_wanted(frame);
  const Result<Path> path = wanted ? path_below(scope, root, wanted->path) : std::unexpected(wanted.error());
  const Result<std::string> bytes =
      path ? read_small(folder, *path, wanted->etag) : Result<std::string>(std::unexpected(path.error()));
  if (!bytes) return {.code = bytes.error().code, .message = bytes.error().message};
  return {.content = as_hash ? net::sha256(*bytes) : *bytes};
}

}  // namespace

net::Async<void> SyncServer::serve(net::Exchange& exchange, Holder caller, Scope scope) {
  const net::RequestHead& head = exchange.head();
  Result<Path> path = scope.inside(net::query_value(head.query, "path").value_or("/"));
  if (!path) co_return co_await refuse(exchange, path.error());
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return co_await refuse(exchange, folder.error());
  Request request{
      .exchange = exchange, .scope = scope, .path = *std::move(path), .holder = std::move(caller), .folder = **folder};
  const std::string asked = head.method + " " + head.path.substr(kPrefix.size());
  if (asked == "GET tree") co_return co_await tree(request);
  if (asked == "POST read") co_return co_await read(request, false);
  if (asked == "POST hash") co_return co_await read(request, true);
  if (asked == "POST changes") co_return co_await change(request);
  if (asked == "GET chunks") co_return co_await chunks(request);
  if (asked == "PUT delta") co_return co_await delta(request);
  co_await refuse(exchange, 405, "GET tree, POST read, POST hash, POST changes, GET chunks, PUT delta of /sync/");
}

net::Async<void> SyncServer::tree(Request& request) {
  Result<Walk> walk =
      co_await drive_.workers().run([&] { return Walk::below(request.folder, request.path, request.scope.closed); });
  if (!walk) co_return co_await refuse(request.exchange, walk.error());
  Result<void> sent = co_await request.exchange.start(200, answer_headers(), std::nullopt);
  for (bool is_over = false; sent && !is_over;) {
    const std::string piece = co_await drive_.workers().run([&] { return next_piece(*walk, request.path, is_over); });
    sent = co_await request.exchange.write(piece);
  }
  if (sent) (void)co_await request.exchange.finish();
}

net::Async<void> SyncServer::read(Request& request, bool as_hash) {
  const Result<std::string> body = co_await request.exchange.read_whole_body(kMaxWantedBytes);
  if (!body) co_return co_await refuse_body(request.exchange, body.error());
  const Result<std::vector<std::string>> frames = sync::frames_of(*body, sync::kMaxBatch);
  if (!frames) co_return co_await refuse(request.exchange, frames.error());
  Result<void> sent = co_await request.exchange.start(200, answer_headers(), std::nullopt);
  for (std::size_t next = 0; sent && next < frames->size();) {
    const std::string piece = co_await drive_.workers().run([&] {
      std::string some;
      while (next < frames->size() && some.size() < kReadBytes) {
        sync::append_frame(
            some, sync::encode(given_of(request.folder, request.scope, request.path, (*frames)[next++], as_hash)));
      }
      return some;
    });
    sent = co_await request.exchange.write(piece);
  }
  if (sent) (void)co_await request.exchange.finish();
}

// A file on its way to being told by its chunks.
struct SyncServer::Sending {
  Fd file;
  std::uint64_t bytes;
  sync::ChunkSizes sizes = sync::ChunkSizes::for_file(bytes);
  std::uint64_t read = 0;
  std::string buffer = {};  // read, and not yet told
  net::Sha256 whole = {};
  bool is_over = false;

  Result<std::string> next_piece() {
    std::string piece;
    const std::size_t count = std::min<std::uint64_t>(bytes - read, std::max(kReadBytes, sizes.most()));
    Result<std::string> more = read_part(file.get(), read, count);
    if (!more) return more;
    whole.update(*more);
    read += count;
    buffer += *more;
    std::string_view left = buffer;
    while (!left.empty() && (read == bytes || left.size() >= sizes.most())) {
      const std::string_view chunk = left.substr(0, sync::next_chunk(left, sizes));
      sync::append_frame(piece, sync::encode(sync::ChunkAt{.bytes = static_cast<std::uint32_t>(chunk.size()),
                                                           .hash = net::sha256(chunk)}));
      left.remove_prefix(chunk.size());
    }
    buffer.erase(0, buffer.size() - left.size());
    is_over = read == bytes;
    if (is_over) sync::append_frame(piece, sync::encode(sync::ChunkAt{.bytes = 0, .hash = whole.finish()}));
    return piece;
  }
};

net::Async<void> SyncServer::chunks(Request& request) {
  net::Exchange& exchange = request.exchange;
  Result<std::pair<Fd, Entry>> file = co_await drive_.workers().run([&] { return request.folder.read(request.path); });
  if (!file) co_return co_await refuse(exchange, file.error());
  if (!names_etag(exchange.head().headers.get("if-match"), file->second.etag)) {
    co_return co_await refuse(exchange, 412, "If-Match: it has changed");
  }
  Sending sending{.file = std::move(file->first), .bytes = file->second.bytes};
  std::string head;
  sync::append_frame(head, sync::encode(sync::ChunkHead{.doublings = sending.sizes.doublings, .bytes = sending.bytes}));
  Result<void> sent = co_await exchange.start(200, answer_headers(), std::nullopt);
  if (sent) sent = co_await exchange.write(head);
  while (sent && !sending.is_over) {
    const Result<std::string> piece = co_await drive_.workers().run([&] { return sending.next_piece(); });
    // Whoever receives it sees that its end is missing.
    if (!piece) co_return exchange.connection().cut();
    sent = co_await exchange.write(*piece);
  }
  if (sent) (void)co_await exchange.finish();
}

}  // namespace hearth::drive
