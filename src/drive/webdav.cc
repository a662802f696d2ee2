#include "drive/webdav.h"

#include <array>
#include <ctime>
#include <span>

#include <fmt/format.h>

#include "base/log.h"
#include "drive/multistatus.h"
#include "drive/xml.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::string_view kMethods = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH";

unsigned status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
      return 412;
    case Code::kResourceExhausted:
      return 507;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return 408;
    default:
      return 500;
  }
}

net::Async<void> refuse(net::Exchange& exchange, unsigned status, std::string_view message) {
  co_await exchange.reply(net::text_response(status, message));
}

net::Async<void> refuse(net::Exchange& exchange, const Error& error) {
  co_await refuse(exchange, status_of(error.code), error.message);
}

// What was kept here by somebody is not a part of the page: a browser that opens it runs none of it.
void add_file_headers(net::Headers& headers, const Entry& entry, bool as_attachment) {
  headers.add("Content-Type", std::string(content_type(entry.name)));
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Content-Security-Policy",
              "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'");
  headers.add("Cache-Control", "private, no-cache");
  headers.add("ETag", entry.etag);
  headers.add("Last-Modified", http_date(entry.modified));
  headers.add("Accept-Ranges", "bytes");
  if (as_attachment) headers.add("Content-Disposition", "attachment; filename*=UTF-8''" + encoded(entry.name));
}

// Where a COPY or MOVE leads: a path of this drive, as an absolute URL or without its server. Errors: kInvalidArgument.
Result<Path> destination(const net::RequestHead& head) {
  std::string_view target = head.headers.get("destination");
  if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos) {
    const std::size_t slash = target.find('/', scheme + 3);
    const std::string_view server =
        target.substr(scheme + 3, slash == std::string_view::npos ? slash : slash - scheme - 3);
    if (server != head.headers.get("host") || slash == std::string_view::npos) {
      return fail(Code::kUnavailable, "Destination: another server");
    }
    target.remove_prefix(slash);
  }
  const std::optional<std::string> path = net::percent_decoded(target);
  if (!path || !WebDav::is_for(*path)) return fail(Code::kInvalidArgument, "Destination: no path of the drive");
  return Path::parse(std::string_view(*path).substr(WebDav::kPrefix.size()));
}

}  // namespace

WebDav::WebDav(net::Loop& loop, net::Workers& workers, std::filesystem::path folder)
    : loop_(loop), workers_(workers), root_(std::move(folder)) {}

net::Async<Result<Folder*>> WebDav::folder() {
  if (!folder_) {
    Result<std::unique_ptr<Folder>> opened = co_await names_.run([this] { return Folder::open(root_); });
    if (!opened) co_return std::unexpected(opened.error());
    if (!folder_) folder_ = std::move(*opened);
  }
  if (!trash_looked_at_ || loop_.now() - *trash_looked_at_ > minutes(24 * 60)) {
    trash_looked_at_ = loop_.now();
    const Result<std::size_t> erased = co_await names_.run([this] { return folder_->erase_older(kTrashKept); });
    if (!erased) log_warning("the drive's trash is not emptied: " + erased.error().message);
  }
  co_return folder_.get();
}

net::Async<void> WebDav::serve(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  const Result<Path> path = Path::parse(std::string_view(head.path).substr(kPrefix.size()));
  if (!path) co_return co_await refuse(exchange, path.error());
  if (head.method == "OPTIONS") {
    net::Response response{.status = 204, .headers = {}, .body = {}};
    response.headers.add("DAV", "1");
    response.headers.add("Allow", std::string(kMethods));
    response.headers.add("MS-Author-Via", "DAV");
    co_return (void) co_await exchange.reply(std::move(response));
  }
  const Result<Folder*> folder = co_await this->folder();
  if (!folder) co_return co_await refuse(exchange, folder.error());
  co_await answer(exchange, **folder, *path);
}

net::Async<void> WebDav::answer(net::Exchange& exchange, Folder& folder, const Path& path) {
  const std::string& method = exchange.head().method;
  if (method == "GET" || method == "HEAD") co_return co_await get(exchange, folder, path);
  if (method == "PUT") co_return co_await put(exchange, folder, path);
  if (method == "DELETE") co_return co_await remove(exchange, folder, path);
  if (method == "MKCOL") co_return co_await make_folder(exchange, folder, path);
  if (method == "COPY" || method == "MOVE") co_return co_await copy_or_move(exchange, folder, path);
  if (method == "PROPFIND") co_return co_await find_properties(exchange, folder, path);
  if (method == "PROPPATCH") co_return co_await patch_properties(exchange, folder, path);
  net::Response response = net::text_response(405, fmt::format("{}: the drive has {}", method, kMethods));
  response.headers.add("Allow", std::string(kMethods));
  co_await exchange.reply(std::move(response));
}

net::Async<void> WebDav::get(net::Exchange& exchange, Folder& folder, const Path& path) {
  const net::RequestHead& head = exchange.head();
  Result<std::pair<OpenFile, Entry>> file = co_await workers_.run([&] { return folder.read(path); });
  if (!file && file.error().code == Code::kFailedPrecondition) {
    co_return co_await refuse(exchange, 405, "a folder: PROPFIND lists it");
  }
  if (!file) co_return co_await refuse(exchange, file.error());
  const Entry& entry = file->second;
  net::Headers headers;
  add_file_headers(headers, entry, net::query_value(head.query, "download").has_value());
  const std::string_view match = head.headers.get("if-match");
  if (!match.empty() && !names_etag(match, entry.etag)) co_return co_await refuse(exchange, 412, "it has changed");
  if (const std::string_view known = head.headers.get("if-none-match");
      !known.empty() && names_etag(known, entry.etag)) {
    co_return (void) co_await exchange.reply({.status = 304, .headers = std::move(headers), .body = {}});
  }
  const std::string_view if_range = head.headers.get("if-range");
  const bool in_parts = if_range.empty() || if_range == entry.etag;
  bool unsatisfiable = false;
  const std::optional<net::ByteRange> range =
      in_parts ? net::parse_range(head.headers.get("range"), entry.bytes, unsatisfiable) : std::nullopt;
  if (unsatisfiable) {
    net::Response response = net::text_response(416, fmt::format("the file has {} bytes", entry.bytes));
    response.headers.add("Content-Range", fmt::format("bytes */{}", entry.bytes));
    co_return (void) co_await exchange.reply(std::move(response));
  }
  const net::ByteRange sent = range.value_or(net::ByteRange{.first = 0, .count = entry.bytes});
  if (range) {
    headers.add("Content-Range", fmt::format("bytes {}-{}/{}", sent.first, sent.first + sent.count - 1, entry.bytes));
  }
  Result<void> done = co_await exchange.start(range ? 206 : 200, std::move(headers), sent.count);
  if (done && head.method == "GET") {
    done = co_await exchange.write_file(file->first.get(), sent.first, sent.count, workers_);
  }
  if (done) (void)co_await exchange.finish();
}

net::Async<Result<Placed>> WebDav::receive(net::Exchange& exchange, Folder& folder, const Path& path) {
  const net::RequestHead& head = exchange.head();
  const std::uint64_t length = head.content_length.value_or(0);
  Result<Incoming> file = co_await workers_.run([&] { return folder.receive(length); });
  if (!file) co_return std::unexpected(file.error());
  std::vector<char> buffer(kPieceBytes);
  for (bool ended = false; !ended;) {
    std::size_t filled = 0;
    while (filled < buffer.size() && !ended) {
      const Result<std::size_t> count = co_await exchange.read_body(std::span(buffer).subspan(filled));
      if (!count) co_return std::unexpected(count.error());
      filled += *count;
      ended = *count == 0;
    }
    Result<void> written = co_await workers_.run([&] { return file->write(std::string_view(buffer.data(), filled)); });
    if (!written) co_return std::unexpected(written.error());
  }
  // Most of the bytes reach the disk here, where others do not wait for it.
  co_await workers_.run([&] { file->begin_sync(); });
  const Condition condition{.if_match = std::string(head.headers.get("if-match")),
                            .if_none_match = std::string(head.headers.get("if-none-match"))};
  co_return co_await names_.run([&] { return folder.place(std::move(*file), path, condition); });
}

net::Async<void> WebDav::put(net::Exchange& exchange, Folder& folder, const Path& path) {
  if (path.is_root() || exchange.head().path.ends_with('/'))
    co_return co_await refuse(exchange, 405, "a folder: MKCOL makes one");
  if (exchange.head().headers.has("content-range")) {
    co_return co_await refuse(exchange, 400, "Content-Range: a file is put whole");
  }
  const Result<Placed> placed = co_await receive(exchange, folder, path);
  if (!placed) {
    if (placed.error().code == Code::kNotFound)
      co_return co_await refuse(exchange, 409, "there is no folder " + path.parent().text());
    if (placed.error().code == Code::kAlreadyExists) co_return co_await refuse(exchange, 405, placed.error().message);
    co_return co_await refuse(exchange, placed.error());
  }
  net::Response response{.status = placed->created ? 201U : 204U, .headers = {}, .body = {}};
  response.headers.add("ETag", placed->entry.etag);
  co_await exchange.reply(std::move(response));
}

net::Async<void> WebDav::remove(net::Exchange& exchange, Folder& folder, const Path& path) {
  const Result<void> removed = co_await names_.run([&] { return folder.remove(path); });
  if (!removed) co_return co_await refuse(exchange, removed.error());
  co_await exchange.reply({.status = 204, .headers = {}, .body = {}});
}

net::Async<void> WebDav::make_folder(net::Exchange& exchange, Folder& folder, const Path& path) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body || !body->empty()) co_return co_await refuse(exchange, 415, "MKCOL takes no body");
  const Result<Entry> made = co_await names_.run([&] { return folder.make_folder(path); });
  if (made) co_return (void) co_await exchange.reply({.status = 201, .headers = {}, .body = {}});
  if (made.error().code == Code::kAlreadyExists)
    co_return co_await refuse(exchange, 405, path.text() + " is there already");
  if (made.error().code == Code::kNotFound)
    co_return co_await refuse(exchange, 409, "there is no folder " + path.parent().text());
  co_await refuse(exchange, made.error());
}

net::Async<void> WebDav::copy_or_move(net::Exchange& exchange, Folder& folder, const Path& path) {
  const net::RequestHead& head = exchange.head();
  const Result<Path> to = destination(head);
  if (!to) co_return co_await refuse(exchange, to.error().code == Code::kUnavailable ? 502 : 400, to.error().message);
  const bool replace = head.headers.get("overwrite") != "F";
  const std::string_view depth = head.headers.get("depth");
  const bool copies = head.method == "COPY";
  if (!depth.empty() && depth != "infinity" && !(copies && depth == "0")) {
    co_return co_await refuse(exchange, 400, "Depth: infinity, or 0 for a copy");
  }
  const Result<bool> was_there = co_await names_.run(
      [&] { return copies ? folder.copy(path, *to, replace, depth != "0") : folder.move(path, *to, replace); });
  if (was_there)
    co_return (void) co_await exchange.reply({.status = *was_there ? 204U : 201U, .headers = {}, .body = {}});
  if (was_there.error().code == Code::kInvalidArgument)
    co_return co_await refuse(exchange, 403, was_there.error().message);
  if (was_there.error().code == Code::kFailedPrecondition)
    co_return co_await refuse(exchange, 409, was_there.error().message);
  co_await refuse(exchange, was_there.error());
}

net::Async<void> WebDav::find_properties(net::Exchange& exchange, Folder& folder, const Path& path) {
  const std::string_view depth = exchange.head().headers.get("depth");
  if (depth != "0" && depth != "1") {
    co_return co_await refuse(exchange, 403,
                              "Depth: 0 or 1; the whole of a drive at once is refused (propfind-finite-depth)");
  }
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body)
    co_return co_await refuse(exchange, body.error().code == Code::kResourceExhausted ? 413 : 400,
                              body.error().message);
  const Result<AskedProperties> asked = parse_propfind(*body);
  if (!asked) co_return co_await refuse(exchange, asked.error());
  const Result<Entry> itself = co_await workers_.run([&] { return folder.look(path); });
  if (!itself) co_return co_await refuse(exchange, itself.error());
  std::vector<Entry> below;
  if (depth == "1" && itself->kind == Kind::kFolder) {
    Result<std::vector<Entry>> listed = co_await workers_.run([&] { return folder.list(path); });
    if (!listed) co_return co_await refuse(exchange, listed.error());
    below = std::move(*listed);
  }
  net::Headers headers;
  headers.add("Content-Type", "application/xml; charset=utf-8");
  if (!co_await exchange.start(207, std::move(headers), std::nullopt)) co_return;
  const std::string base = href(path, itself->kind);
  std::string text = std::string(kMultistatusBegin) + properties_response(base, *itself, *asked);
  for (const Entry& entry : below) {
    text += properties_response(href_below(base, entry), entry, *asked);
    if (text.size() < kPieceBytes) continue;
    if (!co_await exchange.write(text)) co_return;
    text.clear();
  }
  text += kMultistatusEnd;
  if (co_await exchange.write(text)) (void)co_await exchange.finish();
}

net::Async<void> WebDav::patch_properties(net::Exchange& exchange, Folder& folder, const Path& path) {
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body)
    co_return co_await refuse(exchange, body.error().code == Code::kResourceExhausted ? 413 : 400,
                              body.error().message);
  const Result<std::vector<XmlName>> named = parse_proppatch(*body);
  if (!named) co_return co_await refuse(exchange, named.error());
  const Result<Entry> itself = co_await workers_.run([&] { return folder.look(path); });
  if (!itself) co_return co_await refuse(exchange, itself.error());
  net::Response response{.status = 207, .headers = {}, .body = {}};
  response.headers.add("Content-Type", "application/xml; charset=utf-8");
  response.body = refused_properties(href(path, itself->kind), *named);
  co_await exchange.reply(std::move(response));
}

}  // namespace hearth::drive
