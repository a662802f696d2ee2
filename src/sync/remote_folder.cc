#include "sync/remote_folder.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/drive/path.h"
#include "net/percent.h"
#include "sync/refusal.h"

namespace hearth::sync {
namespace {

constexpr std::size_t kMaxAnswer = 64 << 20;
constexpr std::size_t kMaxListed = 10'000'000;  // files and folders of one tree

std::unexpected<Error> fail_status(const net::Response& response, const std::string& path) {
  return fail_refused(response, path, "it has just been changed in the drive: the next run sees to it");
}

template <class Message, class Decode>
Result<std::vector<Message>> messages_of(const std::string& body, std::size_t count, Decode decode) {
  const Result<std::vector<std::string>> frames = frames_of(body, count);
  if (!frames || frames->size() != count) return fail(Code::kInternal, "the drive's answer is not whole");
  std::vector<Message> all;
  for (const std::string& frame : *frames) {
    Result<Message> message = decode(frame);
    if (!message) return fail(Code::kInternal, "the drive's answer: " + message.error().message);
    all.push_back(*std::move(message));
  }
  return all;
}

}  // namespace

std::string RemoteFolder::place(const std::string& path) const {
  return (folder_ == "/" ? "" : folder_) + (path.empty() ? "" : "/" + path);
}

std::string RemoteFolder::target(const std::string& call, const std::string& path) const {
  const std::string whole = place(path);
  return fmt::format("/sync/{}?path={}", call, net::percent_encoded(whole.empty() ? "/" : whole));
}

std::string RemoteFolder::dav_target(const std::string& path) const {
  std::string target = "/dav";
  const std::string whole = place(path);
  for (std::size_t at = 1; at < whole.size();) {
    const std::size_t end = std::min(whole.find('/', at), whole.size());
    target += "/" + net::percent_encoded(std::string_view(whole).substr(at, end - at));
    at = end + 1;
  }
  return target;
}

Result<net::Headers> RemoteFolder::headers(bool fresh) {
  const Result<std::string> token = loop_.run_until_done(session_.token(fresh));
  if (!token) return std::unexpected(token.error());
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  return headers;
}

Result<net::Response> RemoteFolder::ask(const std::string& method, const std::string& target, const std::string& body,
                                        const std::string& match, const std::string& range) {
  for (bool fresh = false;; fresh = true) {
    Result<net::Headers> headers = this->headers(fresh);
    if (!headers) return std::unexpected(headers.error());
    if (!match.empty()) headers->add("If-Match", match);
    if (!range.empty()) headers->add("Range", range);
    sent_ += body.size();
    Result<net::Response> response =
        loop_.run_until_done(session_.client().request(method, target, std::move(*headers), body, kMaxAnswer));
    if (response) received_ += response->body.size();
    // The hub has started anew, and knows no session of before.
    if (!response || response->status != 401 || fresh) return response;
  }
}

Result<net::Response> RemoteFolder::send(const std::string& target, net::Headers headers, int file,
                                         std::uint64_t bytes) {
  const Result<net::Headers> own = this->headers(false);
  if (!own) return std::unexpected(own.error());
  for (const auto& [name, value] : own->fields()) headers.add(name, value);
  sent_ += bytes;
  return loop_.run_until_done(session_.client().send_file(target, std::move(headers), file, bytes));
}

Result<void> RemoteFolder::make() {
  RemoteFolder root(loop_, session_, "/");
  std::vector<Change> folders;
  for (std::size_t end = folder_.find('/', 1); folder_ != "/"; end = folder_.find('/', end + 1)) {
    folders.push_back(
        {.what = Change::What::kFolder, .path = folder_.substr(1, end == std::string::npos ? end : end - 1)});
    if (end == std::string::npos) break;
  }
  const Result<std::vector<Outcome>> outcomes = root.change(folders);
  if (!outcomes) return std::unexpected(outcomes.error());
  for (const Outcome& outcome : *outcomes) {
    if (!outcome.message.empty()) return fail(outcome.code, outcome.message);
  }
  return {};
}

Result<std::map<std::string, Listed>> RemoteFolder::tree() {
  std::map<std::string, Listed> all;
  Frames frames;
  bool is_over = false;
  const auto take = [&](std::string_view bytes) -> net::Async<Result<void>> {
    received_ += bytes.size();
    frames.add(bytes);
    for (;;) {
      Result<std::optional<std::string>> frame = frames.next();
      if (!frame) co_return std::unexpected(frame.error());
      if (!*frame) co_return Result<void>();
      Result<Listed> listed = decode_listed(**frame);
      if (!listed || is_over || all.size() == kMaxListed)
        co_return fail(Code::kInternal, "the drive's list is malformed");
      // Paths of the drive's own kind alone: they are about to be reached on this PC.
      if (!listed->is_end && !drive::Path::parse("in/" + listed->path)) {
        co_return fail(Code::kInternal, "the drive's list names a path that cannot be");
      }
      is_over = listed->is_end;
      if (is_over && !listed->trouble.empty()) {
        co_return fail(Code::kDataLoss, "the drive cannot read all of its files: " + listed->trouble);
      }
      if (!is_over) all.emplace(listed->path, std::move(*listed));
    }
  };
  for (bool fresh = false;; fresh = true) {
    Result<net::Headers> headers = this->headers(fresh);
    if (!headers) return std::unexpected(headers.error());
    const Result<net::Response> response =
        loop_.run_until_done(session_.client().fetch(target("tree", ""), std::move(*headers), take));
    if (!response) return std::unexpected(response.error());
    if (response->status == 200) break;
    if (response->status != 401 || fresh) return fail_status(*response, folder_);
  }
  if (!is_over) return fail(Code::kInternal, "the drive's list has no end");
  return all;
}

Result<std::vector<Outcome>> RemoteFolder::change(const std::vector<Change>& changes) {
  std::string body;
  for (const Change& change : changes) append_frame(body, encode(change));
  const Result<net::Response> response = ask("POST", target("changes", ""), body);
  if (!response) return std::unexpected(response.error());
  if (response->status != 200) return fail_status(*response, folder_);
  return messages_of<Outcome>(response->body, changes.size(), decode_outcome);
}

Result<std::vector<Given>> RemoteFolder::give(const std::string& what, const std::vector<Wanted>& wanted) {
  std::string body;
  for (const Wanted& one : wanted) append_frame(body, encode(one));
  const Result<net::Response> response = ask("POST", target(what, ""), body);
  if (!response) return std::unexpected(response.error());
  if (response->status != 200) return fail_status(*response, folder_);
  return messages_of<Given>(response->body, wanted.size(), decode_given);
}

Result<ChunkList> RemoteFolder::chunks(const Wanted& file) {
  const Result<net::Response> response = ask("GET", target("chunks", file.path), {}, file.etag);
  if (!response) return std::unexpected(response.error());
  if (response->status != 200) return fail_status(*response, file.path);
  Result<ChunkList> list = decode_chunk_list(response->body);
  if (!list) return fail(Code::kInternal, fmt::format("{}: the drive's answer: {}", file.path, list.error().message));
  return list;
}

Result<std::string> RemoteFolder::range(const Wanted& file, std::uint64_t first, std::uint64_t count) {
  Result<net::Response> response =
      ask("GET", dav_target(file.path), {}, file.etag, fmt::format("bytes={}-{}", first, first + count - 1));
  if (!response) return std::unexpected(response.error());
  if (response->status != 206) return fail_status(*response, file.path);
  if (response->body.size() != count) return fail(Code::kInternal, file.path + ": the drive sent another part of it");
  return std::move(response->body);
}

Result<std::string> RemoteFolder::put(const Wanted& file, int from, const Seen& seen) {
  net::Headers headers;
  headers.add("X-OC-MTime", std::to_string(seen.modified_nanos / 1'000'000'000));
  if (seen.is_executable) headers.add("X-Hearth-Executable", "1");
  if (file.etag.empty())
    headers.add("If-None-Match", "*");
  else
    headers.add("If-Match", file.etag);
  const Result<net::Response> response = send(dav_target(file.path), std::move(headers), from, seen.bytes);
  if (!response) return std::unexpected(response.error());
  if (response->status != 201 && response->status != 204) return fail_status(*response, file.path);
  return std::string(response->headers.get("etag"));
}

Result<std::string> RemoteFolder::put_delta(const Wanted& file, int delta, std::uint64_t bytes, const Seen& seen) {
  net::Headers headers;
  headers.add("If-Match", file.etag);
  const std::string where = fmt::format("{}&modified={}{}", target("delta", file.path), seen.modified_nanos / 1'000'000,
                                        seen.is_executable ? "&executable=1" : "");
  const Result<net::Response> response = send(where, std::move(headers), delta, bytes);
  if (!response) return std::unexpected(response.error());
  if (response->status != 204) return fail_status(*response, file.path);
  return std::string(response->headers.get("etag"));
}

}  // namespace hearth::sync
