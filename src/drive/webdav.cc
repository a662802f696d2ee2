#include "drive/webdav.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>

#include <fmt/format.h>

#include "core/drive/links.h"
#include "drive/executable.h"
#include "drive/files.h"
#include "drive/multistatus.h"
#include "drive/replies.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::string_view kMethods =
    "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK";

constexpr std::string_view kExecutable = "X-Hearth-Executable";  // "1": a file that its owner may run

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
  if (as_attachment)
    headers.add("Content-Disposition", "attachment; filename*=UTF-8''" + net::percent_encoded(entry.name));
}

// The path of the drive that a URL names, with or without its server. Errors: kUnavailable (another server's),
// kInvalidArgument.
Result<Path> path_of_url(std::string_view url, const net::RequestHead& head, const Scope& scope) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    const std::size_t slash = std::min(url.find('/', scheme + 3), url.size());
    if (url.substr(scheme + 3, slash - scheme - 3) != head.headers.get("host")) {
      return fail(Code::kUnavailable, "a URL of another server");
    }
    url.remove_prefix(slash);
  }
  const std::optional<std::string> path = net::percent_decoded(url);
  if (!path || (*path != scope.url && !path->starts_with(scope.url + "/"))) {
    return fail(Code::kInvalidArgument, "a URL that is no path of the drive");
  }
  return scope.inside(std::string_view(*path).substr(scope.url.size()));
}

// When the file was last changed where it comes from, as rclone and Nextcloud's clients say it: seconds since 1970.
std::optional<WallTime> modified_of(const net::RequestHead& head) {
  const std::string_view text = head.headers.get("x-oc-mtime");
  std::int64_t second = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), second);
  constexpr std::int64_t kLast = 253'402'300'799;  // of the year 9999
  if (error != std::errc() || second < 0 || second > kLast) return std::nullopt;
  return WallTime{second * 1'000};
}

using Reach = Touched::Reach;

}  // namespace

net::Async<void> WebDav::serve(net::Exchange& exchange, Holder caller, Scope scope) {
  const net::RequestHead& head = exchange.head();
  Result<Path> path = scope.inside(std::string_view(head.path).substr(scope.url.size()));
  if (!path) co_return co_await refuse(exchange, scope.told(path.error()));
  if (head.method == "OPTIONS") {
    net::Response response{.status = 204, .headers = {}, .body = {}};
    response.headers.add("DAV", "1, 2");
    response.headers.add("Allow", std::string(kMethods));
    response.headers.add("MS-Author-Via", "DAV");
    co_return (void) co_await exchange.reply(std::move(response));
  }
  Result<IfHeader> conditions = IfHeader::parse(head.headers.get("if"));
  if (!conditions) co_return co_await refuse(exchange, conditions.error());
  caller.tokens = conditions->tokens();
  Request request{.exchange = exchange,
                  .scope = scope,
                  .path = *std::move(path),
                  .holder = std::move(caller),
                  .conditions = *std::move(conditions)};
  co_await answer(request);
}

net::Async<void> WebDav::tell(Request& request, const Error& error) {
  co_await refuse(request.exchange, request.scope.told(error));
}

net::Async<void> WebDav::refuse_without_parent(Request& request) {
  const std::string above = request.path.is_root() ? "/" : request.scope.outside(request.path.parent());
  co_await refuse(request.exchange, 409, "there is no folder " + above);
}

Result<void> WebDav::check_rights(const Request& request) {
  const std::string& method = request.head().method;
  const Scope& scope = request.scope;
  if (asks_for_zip(request.head()) || method == "GET" || method == "HEAD") return scope.allow({.download = true});
  if (method == "PROPFIND") return scope.allow({.see = true});
  if (method == "COPY") return scope.allow({.download = true, .add = true});
  if (method == "DELETE" || method == "MOVE") return scope.allow_change(request.path);
  if (method == "PROPPATCH" || method == "LOCK" || method == "UNLOCK") return scope.allow({.edit = true});
  // Whoever may only add learns nothing of what is there: neither by a name that is taken, nor by a folder that is not.
  if (method == "MKCOL") return scope.allow({.see = true, .add = true});
  if (method != "PUT") return {};
  if (!scope.rights.edit && request.path == scope.root) {
    return fail(Code::kPermissionDenied, "this link lets nobody put anything in the place of what it shares");
  }
  return scope.allow({.add = true});
}

net::Async<void> WebDav::answer(Request& request) {
  const std::string& method = request.head().method;
  if (Result<void> allowed = check_rights(request); !allowed) co_return co_await tell(request, allowed.error());
  if (asks_for_zip(request.head())) co_return co_await send_zip(request);
  if (method == "GET" || method == "HEAD") co_return co_await get(request);
  if (method == "PUT") co_return co_await put(request);
  if (method == "DELETE") co_return co_await remove(request);
  if (method == "MKCOL") co_return co_await make_folder(request);
  if (method == "COPY" || method == "MOVE") co_return co_await copy_or_move(request);
  if (method == "PROPFIND") co_return co_await find_properties(request);
  if (method == "PROPPATCH") co_return co_await patch_properties(request);
  if (method == "LOCK") co_return co_await lock(request);
  if (method == "UNLOCK") co_return co_await unlock(request);
  net::Response response = net::text_response(405, fmt::format("{}: the drive has {}", method, kMethods));
  response.headers.add("Allow", std::string(kMethods));
  co_await request.exchange.reply(std::move(response));
}

Result<void> WebDav::check_conditions(Request& request, const Folder& folder) const {
  if (request.conditions.empty()) return {};
  const LockTable locks = drive_.locks();
  const auto holds = [&](const std::string& resource, const IfCondition& condition) {
    const Result<Path> path = resource.empty() ? request.path : path_of_url(resource, request.head(), request.scope);
    if (!path) return false;
    if (condition.is_etag) {
      const Result<Entry> entry = folder.look(*path);
      return entry && entry->etag == condition.value;
    }
    return std::ranges::any_of(locks.covering(*path, wall_now()),
                               [&](const Lock& lock) { return lock.token == condition.value; });
  };
  request.is_unmet = !request.conditions.is_met(holds);
  if (!request.is_unmet) return {};
  return fail(Code::kFailedPrecondition, "none of the lists in If holds");
}

net::Async<Result<std::pair<Fd, Entry>>> WebDav::read_by_worker(const Folder& folder, const Path& path,
                                                                const std::optional<std::string>& version) {
  return drive_.workers().run([&] { return version ? folder.read_version(path, *version) : folder.read(path); });
}

net::Async<void> WebDav::get(Request& request) {
  net::Exchange& exchange = request.exchange;
  const net::RequestHead& head = exchange.head();
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return co_await tell(request, folder.error());
  // Of what a link opens, a guest is shown what is there now.
  const std::optional<std::string> version =
      request.scope.is_whole() ? net::query_value(head.query, "version") : std::nullopt;
  std::optional<std::pair<Fd, Entry>> at_once;
  if (!version) at_once = (*folder)->read_at_once(request.path);
  Result<std::pair<Fd, Entry>> file =
      at_once ? *std::move(at_once) : co_await read_by_worker(**folder, request.path, version);
  if (!file && file.error().code == Code::kFailedPrecondition) {
    co_return co_await refuse(exchange, 405, "a folder: PROPFIND lists it");
  }
  if (!file) co_return co_await tell(request, file.error());
  const Entry& entry = file->second;
  net::Headers headers;
  add_file_headers(headers, entry, net::query_value(head.query, "download").has_value());
  if (is_executable(file->first.get())) headers.add(std::string(kExecutable), "1");
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
    done = co_await exchange.write_file(file->first.get(), sent.first, sent.count, drive_.workers());
  }
  if (done) (void)co_await exchange.finish();
}

Result<Placed> WebDav::place_beside(Folder& folder, Incoming file, const Request& request,
                                    Folder::NamedFolders& named) {
  if (!request.scope.rights.see) {
    if (Result<void> made = folder.make_parents(request.path); !made) return std::unexpected(made.error());
  }
  const Result<Path> free = folder.free_name(request.path);
  if (!free) return std::unexpected(free.error());
  return folder.place(std::move(file), *free, {.if_match = "", .if_none_match = "*"}, named);
}

// A small file takes one turn of another thread, for all of it. A large one that has no room is refused before its
// bytes are asked for.
net::Async<Result<Placed>> WebDav::receive(Request& request) {
  const net::RequestHead& head = request.head();
  const Condition condition{.if_match = std::string(head.headers.get("if-match")),
                            .if_none_match = std::string(head.headers.get("if-none-match"))};
  // What a link's guest puts here is a stranger's.
  const bool is_program = head.headers.get(kExecutable) == "1" && !link_of(request.holder.device);
  Arrival arrival{.holder = request.holder,
                  .path = request.path,
                  .bytes = {},
                  .modified = modified_of(head),
                  .file = {},
                  .first = [&](Folder& folder) { return check_conditions(request, folder); },
                  .place = [&](Folder& folder, Incoming file, Folder::NamedFolders& named) -> Result<Placed> {
                    if (is_program && !make_executable(file.descriptor())) return fail_errno(errno, "a program");
                    if (!request.scope.rights.edit) return place_beside(folder, std::move(file), request, named);
                    return folder.place(std::move(file), request.path, condition, named);
                  }};
  const std::uint64_t length = head.content_length.value_or(kPieceBytes);
  std::vector<char> buffer(std::min<std::uint64_t>(length + 1, kPieceBytes));
  if (length >= kPieceBytes) {
    const Result<void> received = co_await receive_large(request, buffer, arrival);
    if (!received) co_return std::unexpected(received.error());
  } else {
    const Result<std::size_t> filled = co_await fill(request.exchange, buffer);
    if (!filled) co_return std::unexpected(filled.error());
    arrival.bytes = std::string_view(buffer.data(), *filled);
  }
  co_return co_await drive_.place(std::move(arrival));
}

// As much of the body as there is, or as the buffer takes.
net::Async<Result<std::size_t>> WebDav::fill(net::Exchange& exchange, std::span<char> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const Result<std::size_t> count = co_await exchange.read_body(buffer.subspan(filled));
    if (!count) co_return count;
    if (*count == 0) break;
    filled += *count;
  }
  co_return filled;
}

net::Async<Result<void>> WebDav::receive_large(Request& request, std::span<char> buffer, Arrival& arrival) {
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const std::uint64_t length = request.head().content_length.value_or(0);
  Result<void> taken = co_await drive_.workers().run([&]() -> Result<void> {
    if (Result<void> fits = (*folder)->check_fits(request.path, length); !fits) return fits;
    Result<Incoming> begun = (*folder)->receive(length);
    if (!begun) return std::unexpected(begun.error());
    arrival.file = *std::move(begun);
    return {};
  });
  for (bool ended = false; taken && !ended;) {
    const Result<std::size_t> filled = co_await fill(request.exchange, buffer);
    if (!filled) co_return std::unexpected(filled.error());
    ended = *filled < buffer.size();
    taken = co_await drive_.workers().run([&]() -> Result<void> {
      Result<void> written = arrival.file->write(std::string_view(buffer.data(), *filled));
      return written && ended ? arrival.file->finish(arrival.modified) : written;
    });
  }
  co_return taken;
}

net::Async<void> WebDav::put(Request& request) {
  net::Exchange& exchange = request.exchange;
  if (request.path.is_root() || exchange.head().path.ends_with('/'))
    co_return co_await refuse(exchange, 405, "a folder: MKCOL makes one");
  if (exchange.head().headers.has("content-range")) {
    co_return co_await refuse(exchange, 400, "Content-Range: a file is put whole");
  }
  const Result<Placed> placed = co_await receive(request);
  if (!placed) {
    if (placed.error().code == Code::kNotFound) co_return co_await refuse_without_parent(request);
    if (placed.error().code == Code::kAlreadyExists)
      co_return co_await refuse(exchange, 405, request.scope.told(placed.error()).message);
    co_return co_await tell(request, placed.error());
  }
  net::Response response{.status = placed->created ? 201U : 204U, .headers = {}, .body = {}};
  response.headers.add("ETag", placed->entry.etag);
  if (modified_of(exchange.head())) response.headers.add("X-OC-MTime", "accepted");
  co_await exchange.reply(std::move(response));
}

net::Async<void> WebDav::remove(Request& request) {
  const Result<void> removed = co_await change(request, {{.path = request.path, .reach = Reach::kTree}},
                                               [&](Folder& folder) { return folder.remove(request.path); });
  if (!removed) co_return co_await tell(request, removed.error());
  co_await reply_empty(request.exchange, 204);
}

net::Async<void> WebDav::make_folder(Request& request) {
  net::Exchange& exchange = request.exchange;
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body || !body->empty()) co_return co_await refuse(exchange, 415, "MKCOL takes no body");
  const Result<Entry> made = co_await change(request, {{.path = request.path, .reach = Reach::kName}},
                                             [&](Folder& folder) { return folder.make_folder(request.path); });
  if (made) co_return co_await reply_empty(exchange, 201);
  if (made.error().code == Code::kAlreadyExists)
    co_return co_await refuse(exchange, 405, request.scope.outside(request.path) + " is there already");
  if (made.error().code == Code::kNotFound) co_return co_await refuse_without_parent(request);
  co_await tell(request, made.error());
}

// Large ones take their time, in which nobody else's change waits; so what they need is looked at before it, too.
net::Async<Result<bool>> WebDav::copy(Request& request, const Path& to, bool replace, bool deep) {
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<void> may = co_await drive_.workers().run([&] { return check_conditions(request, **folder); });
  if (!may) co_return std::unexpected(may.error());
  Result<Copied> copied = co_await drive_.copy_aside(request.path, to, replace, deep);
  if (!copied) co_return std::unexpected(copied.error());
  const Result<bool> was_there = co_await change(request, {{.path = to, .reach = Reach::kTree}}, [&](Folder& where) {
    return where.place_copy(*copied, request.path, to, replace);
  });
  if (!was_there) co_await drive_.drop(*std::move(copied));
  co_return was_there;
}

net::Async<void> WebDav::copy_or_move(Request& request) {
  net::Exchange& exchange = request.exchange;
  const net::RequestHead& head = exchange.head();
  const Scope& scope = request.scope;
  const Result<Path> to = path_of_url(head.headers.get("destination"), head, scope);
  if (!to) {
    const Code code = to.error().code;
    co_return co_await refuse(exchange,
                              code == Code::kUnavailable        ? 502
                              : code == Code::kPermissionDenied ? 403
                                                                : 400,
                              "Destination: " + to.error().message);
  }
  if (Result<void> allowed = scope.allow_in_place_of(*to); !allowed) {
    co_return co_await refuse(exchange, 403, "Destination: " + allowed.error().message);
  }
  const bool replace = scope.rights.edit && head.headers.get("overwrite") != "F";
  const std::string_view depth = head.headers.get("depth");
  const bool copies = head.method == "COPY";
  if (!depth.empty() && depth != "infinity" && !(copies && depth == "0")) {
    co_return co_await refuse(exchange, 400, "Depth: infinity, or 0 for a copy");
  }
  std::vector<Touched> touched{{.path = *to, .reach = Reach::kTree}, {.path = request.path, .reach = Reach::kTree}};
  const Result<bool> was_there = copies ? co_await copy(request, *to, replace, depth != "0")
                                        : co_await change(request, std::move(touched), [&](Folder& folder) {
                                            return folder.move(request.path, *to, replace);
                                          });
  if (was_there) co_return co_await reply_empty(exchange, *was_there ? 204 : 201);
  if (was_there.error().code == Code::kInvalidArgument)
    co_return co_await refuse(exchange, 403, scope.told(was_there.error()).message);
  if (was_there.error().code == Code::kFailedPrecondition && !request.is_unmet)
    co_return co_await refuse(exchange, 409, scope.told(was_there.error()).message);
  co_await tell(request, was_there.error());
}

}  // namespace hearth::drive
