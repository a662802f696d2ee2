#include "drive/copy_source.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "core/sync/wire.h"
#include "drive/copy_tree.h"
#include "drive/files.h"
#include "drive/replies.h"
#include "net/crypto.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kId = "id";
constexpr Duration kLongestAnswer = seconds(10);
constexpr Duration kHeard = seconds(20);
constexpr Duration kNoticed = seconds(1);  // what other programs change, so soon
constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kReadBytes = 4 << 20;
constexpr std::size_t kMaxWords = 64 << 10;       // of a look, a state
constexpr std::size_t kMaxWantedBytes = 2 << 20;  // of lists, and of files to be read

net::Headers answer_headers() {
  net::Headers headers;
  headers.add("Content-Type", "application/vnd.hearth.sync");
  headers.add("Cache-Control", "no-store");
  return headers;
}

void append_message(std::string& piece, const google::protobuf::Message& message) {
  sync::append_frame(piece, message.SerializeAsString());
}

// Of the look's next folders, and after the last one the end.
std::string next_folders(CopyLook& look, bool& is_over) {
  std::string piece;
  while (piece.size() < kPieceBytes && !is_over) {
    v1::DriveLooked looked;
    if (const std::optional<LookedAt> folder = look.next()) {
      looked.set_folder(folder->folder);
      looked.set_digest(folder->digest);
    } else {
      is_over = true;
      looked.set_end(true);
      if (look.trouble()) looked.set_trouble(look.trouble()->message.substr(0, 1'000));
    }
    append_message(piece, looked);
  }
  return piece;
}

// One folder's list, in frames that a reader takes.
Result<std::string> list_frames(const CopyTree& tree, const std::string& folder) {
  std::string frames;
  v1::DriveList list;
  list.set_folder(folder);
  if (Result<void> checked = check_copy_path(folder); !checked) return std::unexpected(checked.error());
  const Result<std::vector<CopyEntry>> entries = tree.list(folder);
  if (!entries && entries.error().code != Code::kNotFound) return std::unexpected(entries.error());
  list.set_absent(!entries);
  std::size_t bytes = 0;
  for (const CopyEntry& entry : entries.value_or(std::vector<CopyEntry>())) {
    const v1::DriveCopyEntry message = message_of(entry);
    const std::size_t more = message.ByteSizeLong();
    if (bytes > 0 && bytes + more > sync::kMaxSmallFile / 2) {
      list.set_more(true);
      append_message(frames, list);
      list.clear_entries();
      list.set_more(false);
      bytes = 0;
    }
    bytes += more;
    *list.add_entries() = message;
  }
  append_message(frames, list);
  return frames;
}

Result<std::pair<Fd, CopyEntry>> open_wanted(const CopyTree& tree, const sync::Wanted& wanted) {
  if (Result<void> checked = check_copy_path(wanted.path); !checked) return std::unexpected(checked.error());
  Result<std::pair<Fd, CopyEntry>> file = tree.read(wanted.path);
  if (!file || file->second.etag == wanted.etag) return file;
  return fail(Code::kFailedPrecondition, wanted.path + " has changed");
}

// All of a small file, of the state that has the etag.
Result<std::string> read_small(const CopyTree& tree, const sync::Wanted& wanted) {
  const Result<std::pair<Fd, CopyEntry>> file = open_wanted(tree, wanted);
  if (!file) return std::unexpected(file.error());
  if (file->second.bytes > sync::kMaxSmallFile) return fail(Code::kOutOfRange, wanted.path + " is too long");
  Result<std::string> bytes = read_part(file->first.get(), 0, file->second.bytes);
  if (!bytes) return fail(Code::kAborted, wanted.path + " cannot be read");
  if (!has_etag(file->first.get(), wanted.etag)) return fail(Code::kFailedPrecondition, wanted.path + " has changed");
  return bytes;
}

Result<std::string> hash_of(const CopyTree& tree, const sync::Wanted& wanted, const std::atomic<bool>& ended) {
  const Result<std::pair<Fd, CopyEntry>> file = open_wanted(tree, wanted);
  if (!file) return std::unexpected(file.error());
  return hash_file(file->first.get(), ended);
}

sync::Given given_of(const Result<std::string>& content) {
  if (!content) return {.code = content.error().code, .message = content.error().message};
  return {.content = *content};
}

}  // namespace

net::Async<void> CopySource::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return co_await refuse(exchange, folder.error());
  const std::string asked = head.method + " " + head.path.substr(kCopyPrefix.size());
  if (asked == "POST look") co_return co_await look(exchange);
  if (asked == "POST state") co_return co_await hear_state(exchange);
  if (asked == "POST lists") co_return co_await lists(exchange);
  if (asked == "POST read") co_return co_await read(exchange);
  if (asked == "POST hash") co_return co_await hash(exchange);
  if (asked == "GET file") co_return co_await file(exchange);
  co_await refuse(exchange, 405, "POST look, state, lists, read, hash, GET file of /hub/drive/");
}

// --- how the copy stands --------------------------------------------------------------------------------------------

void CopySource::hear(v1::DriveCopyState state) {
  state_ = std::move(state);
  heard_ = loop_.now();
  told_.notify();
}

std::optional<v1::DriveCopyState> CopySource::state() const {
  return state_ && loop_.now() - heard_ < kHeard ? state_ : std::nullopt;
}

// Own changes are noticed, too: those that a look is answered with are read away before it begins, and none begins in
// the middle of one.
std::uint64_t CopySource::changes() {
  if (!drive_.is_changing() && watch_.changed()) ++noticed_;
  return drive_.changes() + noticed_;
}

bool CopySource::is_current() {
  const std::optional<v1::DriveCopyState> now = state();
  return now && now->whole() && now->changes() == changes() && !drive_.is_changing();
}

net::Async<Result<void>> CopySource::hand_over(Duration limit) {
  handing_over_ = true;
  ++noticed_;  // whatever was written that nothing told of is found by another look
  drive_.changed().notify();
  const Time end = loop_.now() + limit;
  const auto gets_on = [this] { return state() && state()->trouble().empty() && !stopping_; };
  while (!is_current() && gets_on() && loop_.now() < end) co_await told_.wait(end - loop_.now());
  if (is_current()) co_return Result<void>();
  handing_over_ = false;
  const std::optional<v1::DriveCopyState> now = state();
  const std::string why = !now                     ? "no copy of it is kept"
                          : now->trouble().empty() ? fmt::format("its copy is {} files, {} behind", now->files_behind(),
                                                                 format_bytes(now->bytes_behind()))
                                                   : now->trouble();
  co_return fail(Code::kFailedPrecondition,
                 "the drive is not in step, and what its copy lacks would stay here: " + why +
                     ". Wait until hearth status says that it is whole, or leave it behind with --force");
}

void CopySource::stop() {
  stopping_ = true;
  told_.notify();
  drive_.changed().notify();
}

net::Async<void> CopySource::hear_state(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxWords);
  v1::DriveCopyState state;
  if (!body || !state.ParseFromString(*body)) co_return co_await refuse(exchange, 400, "a DriveCopyState is expected");
  hear(std::move(state));
  co_await reply_empty(exchange, 204);
}

// --- what the drive has ---------------------------------------------------------------------------------------------

// Made once: a copy of another drive is not to be taken for one of this.
net::Async<Result<std::string>> CopySource::drive_id() {
  if (!id_.empty()) co_return id_;
  Result<std::string> id = co_await drive_.change({}, {}, [](Folder& folder) -> Result<std::string> {
    Result<std::string> kept = folder.read_own(kId);
    if (!kept || is_unique_name(*kept)) return kept;
    std::string made = unique_name();
    if (Result<void> written = folder.write_own(kId, made); !written) return std::unexpected(written.error());
    return made;
  });
  if (id) id_ = *id;
  co_return id;
}

net::Async<void> CopySource::look(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxWords);
  v1::DriveLook asked;
  if (!body || !asked.ParseFromString(*body)) co_return co_await refuse(exchange, 400, "a DriveLook is expected");
  hear(asked.state());
  const Result<std::string> id = co_await drive_id();
  if (!id) co_return co_await refuse(exchange, id.error());
  const Time end = loop_.now() + kLongestAnswer;
  while (asked.changes() == changes() && loop_.now() < end && !stopping_) {
    co_await drive_.changed().wait(std::min(kNoticed, end - loop_.now()));
  }
  v1::DriveLooked head;
  head.set_drive(*id);
  head.set_changes(changes());
  head.set_same(asked.changes() == head.changes());
  co_await send_look(exchange, std::move(head));
}

net::Async<void> CopySource::send_look(net::Exchange& exchange, v1::DriveLooked head) {
  const Result<CopyTree> tree = co_await drive_.workers().run([this] { return CopyTree::open(drive_.root()); });
  if (!tree) co_return co_await refuse(exchange, tree.error());
  std::string piece;
  append_message(piece, head);
  Result<void> sent = co_await exchange.start(200, answer_headers(), std::nullopt);
  if (sent) sent = co_await exchange.write(piece);
  std::size_t folders = 0;
  const std::size_t most = FolderWatch::fair_share();
  std::size_t unwatched = 0;
  CopyLook look(*tree, [&](const std::string& folder) {
    if (++folders > most || !watch_.add(drive_.root() / folder)) ++unwatched;
  });
  for (bool is_over = head.same(); sent && !is_over && !stopping_;) {
    piece = co_await drive_.workers().run([&] { return next_folders(look, is_over); });
    sent = co_await exchange.write(piece);
  }
  if (sent) (void)co_await exchange.finish();
  if (unwatched == 0 || std::exchange(is_told_, true)) co_return;
  log_warning(
      "what other programs write into some folders of the drive reaches its copy within five minutes, not at once: "
      "there are more folders than may be watched (half of fs.inotify.max_user_watches)",
      {{"folders", folders}, {"not watched", unwatched}});
}

net::Async<void> CopySource::lists(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxWantedBytes);
  v1::DriveWantedLists wanted;
  if (!body || !wanted.ParseFromString(*body) || wanted.folders_size() > kMaxListsWanted) {
    co_return co_await refuse(exchange, 400, "DriveWantedLists of at most 256 folders are expected");
  }
  const Result<CopyTree> tree = co_await drive_.workers().run([this] { return CopyTree::open(drive_.root()); });
  if (!tree) co_return co_await refuse(exchange, tree.error());
  Result<void> sent = co_await exchange.start(200, answer_headers(), std::nullopt);
  for (int next = 0; sent && next < wanted.folders_size(); ++next) {
    const Result<std::string> frames =
        co_await drive_.workers().run([&] { return list_frames(*tree, wanted.folders(next)); });
    // Whoever receives it sees that its end is missing.
    if (!frames) co_return exchange.connection().cut();
    sent = co_await exchange.write(*frames);
  }
  if (sent) (void)co_await exchange.finish();
}

net::Async<void> CopySource::read(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxWantedBytes);
  if (!body) co_return co_await refuse_body(exchange, body.error());
  const Result<std::vector<std::string>> frames = sync::frames_of(*body, sync::kMaxBatch);
  if (!frames) co_return co_await refuse(exchange, frames.error());
  const Result<CopyTree> tree = co_await drive_.workers().run([this] { return CopyTree::open(drive_.root()); });
  if (!tree) co_return co_await refuse(exchange, tree.error());
  Result<void> sent = co_await exchange.start(200, answer_headers(), std::nullopt);
  for (std::size_t next = 0; sent && next < frames->size();) {
    const std::string piece = co_await drive_.workers().run([&] {
      std::string some;
      while (next < frames->size() && some.size() < kReadBytes) {
        const Result<sync::Wanted> wanted = sync::decode_wanted((*frames)[next++]);
        sync::append_frame(
            some, sync::encode(given_of(wanted ? read_small(*tree, *wanted) : std::unexpected(wanted.error()))));
      }
      return some;
    });
    sent = co_await exchange.write(piece);
  }
  if (sent) (void)co_await exchange.finish();
}

net::Async<void> CopySource::hash(net::Exchange& exchange) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxWords);
  if (!body) co_return co_await refuse_body(exchange, body.error());
  const Result<sync::Wanted> wanted = sync::decode_wanted(*body);
  if (!wanted) co_return co_await refuse(exchange, wanted.error());
  const Result<std::string> content = co_await drive_.workers().run([&]() -> Result<std::string> {
    const Result<CopyTree> tree = CopyTree::open(drive_.root());
    return tree ? hash_of(*tree, *wanted, stopping_) : std::unexpected(tree.error());
  });
  net::Response response{200, answer_headers(), sync::encode(given_of(content))};
  co_await exchange.reply(std::move(response));
}

// The last byte leaves only once it is seen that the file is still what it was: whoever has as many bytes as were said
// has them all of one state.
net::Async<void> CopySource::file(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const std::string path = net::query_value(head.query, "path").value_or("");
  const std::string from = net::query_value(head.query, "offset").value_or("0");
  std::uint64_t offset = 0;
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), offset);
  const std::string etag(head.headers.get("if-match"));
  Result<std::pair<Fd, CopyEntry>> file = co_await drive_.workers().run([&]() -> Result<std::pair<Fd, CopyEntry>> {
    const Result<CopyTree> tree = CopyTree::open(drive_.root());
    return tree ? open_wanted(*tree, {.path = path, .etag = etag}) : std::unexpected(tree.error());
  });
  if (!file) co_return co_await refuse(exchange, file.error());
  if (error != std::errc() || end != from.data() + from.size() || offset >= file->second.bytes) {
    co_return co_await refuse(exchange, 416, "offset: the file is shorter");
  }
  const std::uint64_t count = file->second.bytes - offset;
  Result<void> sent = co_await exchange.start(200, answer_headers(), count);
  if (sent && count > 1) {
    sent = co_await exchange.write_file(file->first.get(), offset, count - 1, drive_.workers());
  }
  if (!sent) co_return;
  std::string last(1, '\0');
  const bool is_same = co_await drive_.workers().run([&] {
    return ::pread(file->first.get(), last.data(), 1, static_cast<off_t>(file->second.bytes - 1)) == 1 &&
           has_etag(file->first.get(), etag);
  });
  if (!is_same) co_return exchange.connection().cut();
  sent = co_await exchange.write(last);
  if (sent) (void)co_await exchange.finish();
}

}  // namespace hearth::drive
