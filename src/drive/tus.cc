#include "drive/tus.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ranges>
#include <span>

#include <fmt/format.h>

#include "drive/checksum.h"
#include "drive/files.h"
#include "drive/multistatus.h"
#include "drive/replies.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::string_view kVersion = "1.0.0";
constexpr std::string_view kExtensions =
    "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination,concatenation";
constexpr std::string_view kBodyType = "application/offset+octet-stream";

net::Headers tus_headers() {
  net::Headers headers;
  headers.add("Tus-Resumable", std::string(kVersion));
  headers.add("Cache-Control", "no-store");
  return headers;
}

net::Async<void> answer(net::Exchange& exchange, unsigned status, net::Headers headers) {
  co_await exchange.reply({.status = status, .headers = std::move(headers), .body = {}});
}

net::Async<void> refuse_upload(net::Exchange& exchange, unsigned status, std::string_view message) {
  net::Response response = net::text_response(status, message);
  for (const auto& [name, value] : tus_headers().fields()) response.headers.set(name, value);
  if (status == 412) response.headers.add("Tus-Version", std::string(kVersion));
  co_await exchange.reply(std::move(response));
}

net::Async<void> refuse_upload(net::Exchange& exchange, const Error& error) {
  constexpr unsigned kChecksumMismatch = 460;  // tus's own
  co_await refuse_upload(exchange, error.code == Code::kDataLoss ? kChecksumMismatch : status_of(error.code),
                         error.message);
}

std::optional<std::uint64_t> header_number(const net::RequestHead& head, std::string_view name) {
  const std::string_view text = head.headers.get(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = !text.empty() && error == std::errc() && end == text.data() + text.size();
  return is_whole && value < 1ULL << 62 ? std::optional(value) : std::nullopt;
}

bool has_body(const net::RequestHead& head) { return head.headers.get("content-type") == kBodyType; }

}  // namespace

// One request at a time works on an upload. Who comes later cuts whoever is there: it is the same sender, whose link
// has broken without a word.
class Tus::Turn {
 public:
  static net::Async<std::unique_ptr<Turn>> take(net::Exchange& exchange, Known upload) {
    while (upload->receiver != nullptr) {
      upload->receiver->cut();
      if (!co_await upload->released.wait(seconds(10))) co_return nullptr;
    }
    co_return std::unique_ptr<Turn>(new Turn(exchange, std::move(upload)));
  }
  ~Turn() {
    upload_->receiver = nullptr;
    upload_->released.notify();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turn(net::Exchange& exchange, Known upload) : upload_(std::move(upload)) {
    upload_->receiver = &exchange.connection();
  }

  Known upload_;
};

net::Async<Result<Folder*>> Tus::open() {
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return folder;
  if (!uploads_) {
    Result<std::vector<KeptUpload>> kept = co_await drive_.workers().run([&] { return load_uploads(**folder); });
    if (!kept) co_return std::unexpected(kept.error());
    if (!uploads_) {
      uploads_.emplace();
      std::ranges::sort(*kept, {}, &KeptUpload::changed);
      for (KeptUpload& one : *kept) {
        const Result<std::uint64_t> bytes = upload_bytes(**folder, one.id);
        auto upload = std::make_shared<Upload>();
        upload->id = one.id;
        upload->about = std::move(one.about);
        upload->changed = one.changed;
        upload->is_placed = !bytes && !upload->about.placed.empty();
        if (upload->is_placed) placed_.push_back(one.id);
        uploads_->emplace(one.id, std::move(upload));
      }
    }
  }
  if (wall_now().unix_millis - tidied_.unix_millis > minutes(60).micros / 1'000) co_await forget_old(**folder);
  co_return folder;
}

net::Async<void> Tus::forget_old(Folder& folder) {
  tidied_ = wall_now();
  const WallTime oldest{tidied_.unix_millis - kKept.micros / 1'000};
  std::vector<std::string> old;
  std::erase_if(*uploads_, [&](const auto& entry) {
    const bool is_old = entry.second->changed < oldest && entry.second->receiver == nullptr;
    if (is_old) old.push_back(entry.first);
    return is_old;
  });
  std::erase_if(placed_, [&](const std::string& id) { return !uploads_->contains(id); });
  co_await drive_.workers().run([&] {
    for (const std::string& id : old) remove_upload(folder, id);
  });
}

Tus::Known Tus::find(const std::string& id, DeviceId owner) const {
  const auto found = uploads_->find(id);
  return found == uploads_->end() || found->second->about.owner != owner ? nullptr : found->second;
}

net::Async<void> Tus::forget(Folder& folder, std::string id) {
  uploads_->erase(id);
  co_await drive_.workers().run([&] { remove_upload(folder, id); });
}

Result<void> Tus::check_count(DeviceId owner) const {
  std::size_t all = 0;
  std::size_t own = 0;
  for (const auto& [id, upload] : *uploads_) {
    if (upload->is_placed) continue;
    ++all;
    if (upload->about.owner == owner) ++own;
  }
  if (own < kMaxOfDevice && all < kMaxUnderWay) return {};
  return fail(Code::kResourceExhausted,
              fmt::format("this device has {} uploads under way (at most {}), all devices {} (at most {}): end some",
                          own, kMaxOfDevice, all, kMaxUnderWay));
}

net::Async<void> Tus::serve(net::Exchange& exchange, Holder holder, Scope scope) {
  const net::RequestHead& head = exchange.head();
  const Sender caller{.holder = std::move(holder), .scope = std::move(scope)};
  const std::string_view other = head.headers.get("x-http-method-override");
  const std::string method = other.empty() ? head.method : std::string(other);
  if (method == "OPTIONS") {
    net::Headers headers = tus_headers();
    headers.add("Tus-Version", std::string(kVersion));
    headers.add("Tus-Extension", std::string(kExtensions));
    headers.add("Tus-Checksum-Algorithm", std::string(kChecksums));
    co_return co_await answer(exchange, 204, std::move(headers));
  }
  if (head.headers.get("tus-resumable") != kVersion) {
    co_return co_await refuse_upload(exchange, 412, "Tus-Resumable: 1.0.0 is spoken here");
  }
  if (Result<void> allowed = caller.scope.allow({.add = true}); !allowed) {
    co_return co_await refuse_upload(exchange, allowed.error());
  }
  const Result<Folder*> folder = co_await open();
  if (!folder) co_return co_await refuse_upload(exchange, folder.error());
  const std::string id = head.path.substr(caller.scope.uploads.size());
  if (method == "POST" && id.empty()) co_return co_await create(exchange, **folder, caller);
  if (method != "HEAD" && method != "PATCH" && method != "DELETE") {
    co_return co_await refuse_upload(exchange, 405, "POST /upload/; HEAD, PATCH, DELETE of /upload/ID");
  }
  const Known upload = find(id, caller.holder.device);
  if (upload == nullptr) co_return co_await refuse_upload(exchange, 404, "there is no such upload (any more)");
  const std::unique_ptr<Turn> turn = co_await Turn::take(exchange, upload);
  if (turn == nullptr) co_return co_await refuse_upload(exchange, 423, "another request works on this upload");
  if (find(id, caller.holder.device) == nullptr) co_return co_await refuse_upload(exchange, 404, "the upload has gone");
  if (method == "HEAD") co_return co_await tell(exchange, **folder, caller, upload);
  if (method == "PATCH") co_return co_await patch(exchange, **folder, caller, upload);
  co_await terminate(exchange, **folder, upload);
}

// Into the scope, and into nothing's place unless it grants that.
Result<void> Tus::aim(UploadAbout& about, const Scope& scope) {
  if (about.path.empty()) return {};
  const Result<Path> path = scope.inside(about.path);
  if (!path) return std::unexpected(scope.told(path.error()));
  about.path = path->text();
  if (!scope.rights.edit) about.if_exists = UploadAbout::IfExists::kRename;
  return {};
}

Result<UploadAbout> Tus::about_of(const net::RequestHead& head, const Sender& sender) {
  UploadAbout about{.owner = sender.holder.device, .bytes = header_number(head, "upload-length")};
  const std::string_view joined = head.headers.get("upload-concat");
  about.is_part = joined == "partial";
  if (!joined.empty() && !about.is_part && !joined.starts_with("final;")) {
    return fail(Code::kInvalidArgument, "Upload-Concat: partial, or final; and the parts' URLs");
  }
  const bool is_later = head.headers.get("upload-defer-length") == "1";
  const bool is_final = joined.starts_with("final;");
  if (is_final ? head.headers.has("upload-length") : about.bytes.has_value() == is_later) {
    return fail(Code::kInvalidArgument, is_final ? "Upload-Length: a file of parts has their length"
                                                 : "Upload-Length, or Upload-Defer-Length: 1");
  }
  if (head.headers.has("upload-metadata")) {
    Result<void> read = read_metadata(head.headers.get("upload-metadata"), about);
    if (read) read = aim(about, sender.scope);
    if (!read) return std::unexpected(read.error());
  }
  if (!about.is_part && about.path.empty()) {
    return fail(Code::kInvalidArgument, "Upload-Metadata: path, where the file is to lie, is missing");
  }
  return about;
}

net::Async<Result<Tus::Known>> Tus::begin(Folder& folder, UploadAbout about) {
  Result<std::string> id = co_await drive_.workers().run([&]() -> Result<std::string> {
    const Result<Folder::Room> room = folder.room();
    if (!room) return std::unexpected(room.error());
    if (about.bytes.value_or(0) > room->free) {
      return fail(Code::kResourceExhausted, fmt::format("the drive's disk has no room for {} bytes", *about.bytes));
    }
    const Result<Path> path = Path::parse(about.path);
    const Result<void> fits = path ? folder.allowances().check(folder, *path, about.bytes.value_or(0)) : Result<void>();
    if (!fits) return std::unexpected(fits.error());
    return create_upload(folder, about);
  });
  if (!id) co_return std::unexpected(id.error());
  auto upload = std::make_shared<Upload>();
  upload->id = *id;
  upload->about = std::move(about);
  upload->changed = wall_now();
  uploads_->emplace(*id, upload);
  co_return upload;
}

net::Async<void> Tus::create(net::Exchange& exchange, Folder& folder, const Sender& caller) {
  const net::RequestHead& head = exchange.head();
  Result<UploadAbout> about = about_of(head, caller);
  if (!about) co_return co_await refuse_upload(exchange, about.error());
  if (Result<void> room = check_count(caller.holder.device); !room) {
    co_return co_await refuse_upload(exchange, 429, room.error().message);
  }
  constexpr std::string_view kFinal = "final;";
  if (const std::string_view joined = head.headers.get("upload-concat"); joined.starts_with(kFinal)) {
    co_return co_await join(exchange, folder, caller, joined.substr(kFinal.size()));
  }
  const Result<Known> begun = co_await begin(folder, *std::move(about));
  if (!begun) co_return co_await refuse_upload(exchange, begun.error());
  Upload& upload = **begun;
  const std::unique_ptr<Turn> turn = co_await Turn::take(exchange, *begun);
  Result<std::uint64_t> bytes = 0;
  if (has_body(head)) bytes = co_await receive(exchange, folder, upload, 0);
  const Result<void> ended =
      bytes ? co_await end_if_whole(upload, caller, *bytes) : Result<void>(std::unexpected(bytes.error()));
  if (!ended) {
    // Its sender does not know where it is: nobody would ever go on with it.
    co_await forget(folder, upload.id);
    co_return co_await refuse_upload(exchange, caller.scope.told(ended.error()));
  }
  net::Headers headers = headers_of(upload, caller.scope);
  headers.add("Location", caller.scope.uploads + upload.id);
  if (has_body(head)) headers.add("Upload-Offset", fmt::format("{}", *bytes));
  co_await answer(exchange, 201, std::move(headers));
}

net::Async<void> Tus::join(net::Exchange& exchange, Folder& folder, const Sender& caller, std::string_view parts) {
  std::vector<std::string> ids;
  std::vector<std::unique_ptr<Turn>> turns;
  UploadAbout about = *about_of(exchange.head(), caller);
  about.bytes = 0;
  for (const auto& word : std::views::split(parts, ' ')) {
    const std::string_view url(word);
    if (url.empty()) continue;
    const std::string id(url.substr(url.rfind('/') == std::string_view::npos ? 0 : url.rfind('/') + 1));
    const Known part = find(id, caller.holder.device);
    if (part == nullptr || !part->about.is_part || ids.size() == kMaxParts || std::ranges::find(ids, id) != ids.end()) {
      co_return co_await refuse_upload(
          exchange, 400, fmt::format("Upload-Concat: {} is no part, or there are more than {}", url, kMaxParts));
    }
    turns.push_back(co_await Turn::take(exchange, part));
    const Result<std::uint64_t> bytes = upload_bytes(folder, id);
    if (turns.back() == nullptr || !bytes || part->about.bytes != *bytes) {
      co_return co_await refuse_upload(exchange, 400, fmt::format("Upload-Concat: {} is not whole yet", url));
    }
    *about.bytes += *bytes;
    ids.push_back(id);
  }
  if (ids.empty()) co_return co_await refuse_upload(exchange, 400, "Upload-Concat: final; and the parts' URLs");
  const std::uint64_t bytes = *about.bytes;
  const Result<Known> begun = co_await begin(folder, std::move(about));
  if (!begun) co_return co_await refuse_upload(exchange, begun.error());
  Result<void> ended = co_await drive_.workers().run([&] { return join_uploads(folder, ids, (*begun)->id); });
  if (ended) ended = co_await end_if_whole(**begun, caller, bytes);
  if (!ended) {
    co_await forget(folder, (*begun)->id);
    co_return co_await refuse_upload(exchange, caller.scope.told(ended.error()));
  }
  for (const std::string& id : ids) co_await forget(folder, id);
  net::Headers headers = headers_of(**begun, caller.scope);
  headers.add("Location", caller.scope.uploads + (*begun)->id);
  co_await answer(exchange, 201, std::move(headers));
}

net::Headers Tus::headers_of(const Upload& upload, const Scope& scope) {
  net::Headers headers = tus_headers();
  if (upload.is_placed) {
    // Whoever sees nothing of what is there is not told that its name was taken, either.
    const Result<Path> path = Path::parse(scope.rights.see ? upload.about.placed : upload.about.path);
    headers.add("Hearth-Path", net::percent_encoded(path ? scope.outside(*path) : ""));
  } else {
    headers.add("Upload-Expires", http_date({upload.changed.unix_millis + kKept.micros / 1'000}));
  }
  return headers;
}

net::Async<Result<std::uint64_t>> Tus::receive(net::Exchange& exchange, Folder& folder, Upload& upload,
                                               std::uint64_t at) {
  const net::RequestHead& head = exchange.head();
  net::Workers& workers = drive_.workers();
  const std::uint64_t left = upload.about.bytes ? *upload.about.bytes - at : 1ULL << 62;
  const auto too_long = [&] {
    return fail(Code::kOutOfRange, fmt::format("more than the {} bytes that are left", left));
  };
  if (head.content_length.value_or(0) > left) co_return too_long();
  std::optional<Checksum> checksum;
  if (head.headers.has("upload-checksum")) {
    Result<Checksum> parsed = Checksum::parse(head.headers.get("upload-checksum"));
    if (!parsed) co_return std::unexpected(parsed.error());
    checksum = *std::move(parsed);
  }
  const Result<Fd> file = co_await workers.run([&] { return open_upload(folder, upload.id); });
  if (!file) co_return std::unexpected(file.error());
  std::vector<char> buffer(kPieceBytes);
  std::uint64_t bytes = at;
  Result<void> going;
  if (checksum) {
    upload.about.judged_bytes = at;
    going = co_await workers.run([&] { return keep_about(folder, upload.id, upload.about); });
  }
  for (bool ended = false; going && !ended;) {
    std::size_t filled = 0;
    while (going && filled < buffer.size() && !ended) {
      const Result<std::size_t> count = co_await exchange.read_body(std::span(buffer).subspan(filled));
      if (!count) going = std::unexpected(count.error());
      filled += count.value_or(0);
      ended = count && *count == 0;
    }
    const std::string_view piece(buffer.data(), filled);
    if (going && bytes + filled - at > left) going = too_long();
    // What came before the link broke is kept, unless only the whole can be judged.
    if (filled > 0 &&
        (going || going.error().code == Code::kUnavailable || going.error().code == Code::kDeadlineExceeded)) {
      const Result<void> written = co_await workers.run([&] {
        if (checksum) checksum->update(piece);
        return append(*file, bytes, piece);
      });
      if (!written) going = written;
      if (written) bytes += filled;
    }
  }
  if (going && checksum && !checksum->matches()) {
    going = fail(Code::kDataLoss, "the bytes do not have the checksum that was said");
  }
  const bool is_kept = going || !checksum;
  co_await workers.run([&] {
    if (!is_kept && ::ftruncate(file->get(), static_cast<off_t>(at)) != 0) going = fail_errno(errno, "an upload");
    if (::fdatasync(file->get()) != 0) going = fail_errno(errno, "an upload");
    if (!upload.about.judged_bytes) return;
    upload.about.judged_bytes.reset();
    if (const Result<void> kept = keep_about(folder, upload.id, upload.about); !kept && going) going = kept;
  });
  upload.changed = wall_now();
  if (!going) co_return std::unexpected(going.error());
  co_return bytes;
}

net::Async<Result<void>> Tus::end_if_whole(Upload& upload, const Sender& caller, std::uint64_t bytes) {
  if (upload.is_placed || upload.about.is_part || upload.about.bytes != bytes) co_return Result<void>();
  const Result<Path> path = Path::parse(upload.about.path);
  if (!path) co_return std::unexpected(path.error());
  if (!caller.scope.reaches(*path)) {
    co_return fail(Code::kPermissionDenied, path->text() + " has become other people's own since");
  }
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  // Not within a change, for which others wait: a film takes its time.
  if (!co_await drive_.workers().run([&] { return rests_on_same(**folder, upload.id, upload.about); })) {
    const Result<Placed> placed =
        co_await drive_.change(caller.holder, {{.path = *path, .reach = Touched::Reach::kName}},
                               [&](Folder& there) { return place_upload(there, upload.id, upload.about); });
    if (!placed) co_return std::unexpected(placed.error());
  }
  upload.is_placed = true;
  placed_.push_back(upload.id);
  if (placed_.size() > kMaxRemembered) {
    std::string oldest = std::move(placed_.front());
    placed_.pop_front();
    co_await forget(**folder, std::move(oldest));
  }
  co_return Result<void>();
}

net::Async<void> Tus::tell(net::Exchange& exchange, Folder& folder, const Sender& caller, Known upload) {
  const Result<std::uint64_t> here = upload_bytes(folder, upload->id);
  if (!here && !upload->is_placed) co_return co_await refuse_upload(exchange, 404, "its bytes have gone");
  const std::uint64_t bytes = here.value_or(upload->about.bytes.value_or(0));
  // Whoever died before it had its place: nobody asks for it again with a PATCH.
  if (Result<void> ended = co_await end_if_whole(*upload, caller, bytes); !ended) {
    co_return co_await refuse_upload(exchange, caller.scope.told(ended.error()));
  }
  net::Headers headers = headers_of(*upload, caller.scope);
  headers.add("Upload-Offset", fmt::format("{}", bytes));
  if (upload->about.bytes)
    headers.add("Upload-Length", fmt::format("{}", *upload->about.bytes));
  else
    headers.add("Upload-Defer-Length", "1");
  if (!upload->about.metadata.empty()) headers.add("Upload-Metadata", upload->about.metadata);
  if (upload->about.is_part) headers.add("Upload-Concat", "partial");
  co_await answer(exchange, 200, std::move(headers));
}

net::Async<void> Tus::patch(net::Exchange& exchange, Folder& folder, const Sender& caller, Known upload) {
  const net::RequestHead& head = exchange.head();
  if (!has_body(head)) co_return co_await refuse_upload(exchange, 415, fmt::format("Content-Type: {}", kBodyType));
  const std::optional<std::uint64_t> offset = header_number(head, "upload-offset");
  if (!offset) co_return co_await refuse_upload(exchange, 400, "Upload-Offset: how many bytes are there already");
  const Result<std::uint64_t> here = upload_bytes(folder, upload->id);
  const std::uint64_t bytes = here.value_or(upload->about.bytes.value_or(0));
  if (*offset != bytes) {
    co_return co_await refuse_upload(exchange, 409, fmt::format("Upload-Offset: {} bytes are there", bytes));
  }
  if (const std::optional<std::uint64_t> length = header_number(head, "upload-length");
      length && !upload->about.bytes) {
    if (*length < bytes) co_return co_await refuse_upload(exchange, 400, "Upload-Length: more is there already");
    upload->about.bytes = length;
    const Result<void> kept =
        co_await drive_.workers().run([&] { return keep_about(folder, upload->id, upload->about); });
    if (!kept) co_return co_await refuse_upload(exchange, kept.error());
  }
  std::uint64_t now = bytes;
  if (!upload->is_placed) {
    const Result<std::uint64_t> received = co_await receive(exchange, folder, *upload, bytes);
    if (!received) co_return co_await refuse_upload(exchange, received.error());
    now = *received;
    if (Result<void> ended = co_await end_if_whole(*upload, caller, now); !ended) {
      co_return co_await refuse_upload(exchange, caller.scope.told(ended.error()));
    }
  }
  net::Headers headers = headers_of(*upload, caller.scope);
  headers.add("Upload-Offset", fmt::format("{}", now));
  co_await answer(exchange, 204, std::move(headers));
}

net::Async<void> Tus::terminate(net::Exchange& exchange, Folder& folder, Known upload) {
  co_await forget(folder, upload->id);
  std::erase(placed_, upload->id);
  co_await answer(exchange, 204, tus_headers());
}

}  // namespace hearth::drive
