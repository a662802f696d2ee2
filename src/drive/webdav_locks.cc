// LOCK and UNLOCK.
#include <charconv>

#include <fmt/format.h>

#include "drive/files.h"
#include "drive/multistatus.h"
#include "drive/replies.h"
#include "drive/webdav.h"

namespace hearth::drive {
namespace {

// "Infinite, Second-600": the first that is understood.
Duration timeout_of(std::string_view header) {
  constexpr std::string_view kSeconds = "Second-";
  const std::size_t at = header.find(kSeconds);
  if (at == std::string_view::npos || header.starts_with("Infinite")) return LockTable::kMaxTime;
  const std::string_view digits = header.substr(at + kSeconds.size());
  std::uint32_t count = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return std::min(seconds(count), LockTable::kMaxTime);
}

std::string new_token() {
  const std::string digits = unique_name();
  const std::string_view all = digits;
  return fmt::format("urn:uuid:{}-{}-4{}-8{}-{}", all.substr(0, 8), all.substr(8, 4), all.substr(13, 3),
                     all.substr(17, 3), all.substr(20));
}

}  // namespace

net::Async<void> WebDav::lock(Request& request) {
  net::Exchange& exchange = request.exchange;
  const net::RequestHead& head = exchange.head();
  const Result<std::string> body = co_await exchange.read_whole_body(kMaxXmlBytes);
  if (!body) co_return co_await refuse_body(exchange, body.error());
  const WallTime expires{wall_now().unix_millis + timeout_of(head.headers.get("timeout")).micros / 1'000};
  if (body->empty()) co_return co_await refresh_lock(request, expires);
  const Result<AskedLock> asked = parse_lockinfo(*body);
  if (!asked) co_return co_await tell(request, asked.error());
  const std::string_view depth = head.headers.get("depth");
  if (!depth.empty() && depth != "0" && depth != "infinity") {
    co_return co_await refuse(exchange, 400, "Depth: 0 or infinity");
  }
  if (depth != "0" && request.path.is_root() && !request.scope.closed.empty()) {
    co_return co_await refuse(exchange, 403, "Depth: 0; some folders here are other people's own");
  }
  const Lock wanted{.token = new_token(),
                    .root = request.path,
                    .deep = depth != "0",
                    .shared = asked->shared,
                    .holder = request.holder.device,
                    .holder_name = request.holder.name,
                    .owner = asked->owner,
                    .expires = expires};
  const Result<bool> created = co_await make_if_missing(request);
  if (!created && created.error().code == Code::kNotFound) co_return co_await refuse_without_parent(request);
  if (!created) co_return co_await tell(request, created.error());
  const Result<Lock> granted =
      co_await drive_.change_locks([&](LockTable& locks) { return locks.lock(wanted, wall_now()); });
  if (!granted && granted.error().code == Code::kAborted) {
    co_return co_await reply_xml(
        exchange, 423, error_answer("no-conflicting-lock", head.path, request.scope.told(granted.error()).message));
  }
  if (!granted) co_return co_await tell(request, granted.error());
  net::Headers headers;
  headers.add("Lock-Token", fmt::format("<{}>", granted->token));
  co_await reply_xml(exchange, *created ? 201 : 200, lock_answer(request.scope, *granted, wall_now()),
                     std::move(headers));
}

// What is locked before it is there becomes an empty file (RFC 4918, section 7.3).
net::Async<Result<bool>> WebDav::make_if_missing(Request& request) {
  const Result<Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const bool is_there = co_await drive_.workers().run([&] { return (*folder)->look(request.path).has_value(); });
  if (is_there) co_return false;
  co_return co_await change(request, {{.path = request.path, .reach = Touched::Reach::kName}},
                            [&](Folder& where) -> Result<bool> {
                              if (where.look(request.path)) return false;
                              Result<Incoming> file = where.receive();
                              if (!file) return std::unexpected(file.error());
                              const Result<Placed> placed = where.place(*std::move(file), request.path, {});
                              if (!placed) return std::unexpected(placed.error());
                              return true;
                            });
}

net::Async<void> WebDav::refresh_lock(Request& request, WallTime expires) {
  net::Exchange& exchange = request.exchange;
  const Result<Lock> refreshed = co_await drive_.change_locks(
      [&](LockTable& locks) { return locks.refresh(request.path, request.holder, expires, wall_now()); });
  if (!refreshed) co_return co_await tell(request, refreshed.error());
  co_await reply_xml(exchange, 200, lock_answer(request.scope, *refreshed, wall_now()));
}

net::Async<void> WebDav::unlock(Request& request) {
  net::Exchange& exchange = request.exchange;
  std::string_view token = exchange.head().headers.get("lock-token");
  if (!token.starts_with('<') || !token.ends_with('>')) {
    co_return co_await refuse(exchange, 400, "Lock-Token: the lock's token as <urn:uuid:...>");
  }
  token = token.substr(1, token.size() - 2);
  const Result<void> unlocked = co_await drive_.change_locks([&](LockTable& locks) {
    return locks.unlock(request.path, std::string(token), request.holder.device, wall_now());
  });
  if (unlocked) co_return co_await reply_empty(exchange, 204);
  if (unlocked.error().code != Code::kNotFound) co_return co_await tell(request, unlocked.error());
  co_await reply_xml(exchange, 409,
                     error_answer("lock-token-matches-request-uri", exchange.head().path,
                                  request.scope.told(unlocked.error()).message));
}

}  // namespace hearth::drive
