#include "hub/whep_door.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/parts.h"
#include "screen/frames.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = milliseconds(250);  // at links that have run out, or lost their makers
constexpr Duration kMediasAnswer = seconds(10);
constexpr Duration kRead = minutes(10);  // by which a tunnel is read; it is read again
constexpr std::size_t kSessionBytes = 16;
constexpr std::string_view kType = "application/sdp";

// "/whep/7-1" or "/whep/7-1/SESSION".
struct Place {
  pool::WatchLinkId link;
  std::string session;  // empty: the link's own
};

std::optional<Place> place_of(std::string_view path) {
  const std::string_view rest = path.substr(WhepDoor::kPrefix.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::optional<pool::WatchLinkId> link = pool::parse_watch_link_id(rest.substr(0, slash));
  if (!link) return std::nullopt;
  return Place{.link = *link, .session = std::string(rest.substr(std::min(slash + 1, rest.size())))};
}

net::Response refusal(unsigned status, std::string_view message, int retry_seconds = 0) {
  net::Response response = net::text_response(status, message);
  if (retry_seconds > 0) response.headers.add("Retry-After", std::to_string(retry_seconds));
  if (status == 401) response.headers.add("WWW-Authenticate", "Bearer realm=\"Hearth watch link\"");
  return response;
}

// Why there is no way to the app's hearth-media.
net::Response refusal_of(const Error& error) {
  if (error.code == Code::kFailedPrecondition) return refusal(409, error.message, 5);
  if (error.code == Code::kPermissionDenied || error.code == Code::kNotFound) return refusal(401, error.message);
  return refusal(503, error.message, 10);
}

// Why hearth-media gives no answer.
net::Response refusal_of(const v1::ToViewer& said) {
  if (said.problem_code() == code_name(Code::kInvalidArgument)) return refusal(400, said.problem());
  if (said.problem_code() == code_name(Code::kFailedPrecondition)) return refusal(406, said.problem());
  return refusal(503, said.problem(), 10);
}

net::Response wrong_method(std::string_view allowed, std::string_view message) {
  net::Response response = net::text_response(405, message);
  response.headers.add("Allow", std::string(allowed));
  return response;
}

// What a browser asks before it sends a page's token here.
net::Response options() {
  net::Response response{.status = 204, .headers = {}, .body = {}};
  response.headers.add("Access-Control-Allow-Methods", "POST, DELETE, OPTIONS");
  response.headers.add("Access-Control-Allow-Headers", "Authorization, Content-Type");
  response.headers.add("Access-Control-Max-Age", "86400");
  response.headers.add("Accept-Post", std::string(kType));
  return response;
}

net::Async<void> reply(net::Exchange& exchange, net::Response response) {
  response.headers.add("Access-Control-Allow-Origin", "*");
  response.headers.add("Access-Control-Expose-Headers", "Location, ETag, Retry-After, Allow, WWW-Authenticate");
  response.headers.add("Cache-Control", "no-store");
  co_await exchange.reply(std::move(response));
}

bool is_sdp(std::string_view type) {
  const std::string_view plain = type.substr(0, type.find_first_of("; \t"));
  return std::ranges::equal(plain, kType, {}, [](char one) { return std::tolower(static_cast<unsigned char>(one)); });
}

std::string first_words(std::string offer) {
  v1::FromViewer words;
  words.set_offer(std::move(offer));
  words.set_player(true);
  words.mutable_view()->set_width(screen::kMostSide);  // asked for by whoever watches, and not heeded
  words.mutable_view()->set_height(screen::kMostSide);
  words.set_sound(true);
  return screen::frame_of(words);
}

// The first thing that hearth-media says. Errors: kUnavailable, kDeadlineExceeded.
net::Async<Result<v1::ToViewer>> hear(HubEnd& end) {
  screen::FrameReader reader(screen::kMaxToViewer);
  while (true) {
    const Result<std::string> piece = co_await end.read(kMediasAnswer);
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty())
      co_return fail(Code::kUnavailable, "the app's PC gives no answer: the app is starting, or ends");
    if (Result<void> pushed = reader.push(*piece); !pushed) co_return std::unexpected(pushed.error());
    if (const std::optional<std::string> frame = reader.next()) co_return screen::parse_to_viewer(*frame);
  }
}

}  // namespace

Result<const pool::WatchLink*> WhepDoor::admit(pool::WatchLinkId link, net::Exchange& exchange) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view authorization = exchange.head().headers.get("authorization");
  if (!authorization.starts_with(kBearer)) {
    return fail(Code::kUnauthenticated, "whoever watches shows the watch link's token: Authorization: Bearer TOKEN");
  }
  const std::string address = exchange.peer_address();
  if (!wrong_tokens_.take(address, parts_.loop.now())) {
    return fail(Code::kResourceExhausted, "too many wrong tokens came from this address; wait a minute");
  }
  Result<const pool::WatchLink*> known =
      parts_.audiences->of(link.job).admit(link.number, net::sha256(authorization.substr(kBearer.size())), wall_now());
  if (known) wrong_tokens_.refund(address);
  return known;
}

net::Async<void> WhepDoor::serve(net::Exchange& exchange) {
  const std::optional<Place> place = place_of(exchange.head().path);
  const std::string method = exchange.head().method;
  if (method == "OPTIONS") co_return co_await reply(exchange, options());
  if (!place) co_return co_await reply(exchange, refusal(404, "no watch link has such an address"));
  const bool is_session = !place->session.empty();
  if (!is_session && method != "POST") {
    co_return co_await reply(exchange, wrong_method("POST, OPTIONS", "a player POSTs its offer here"));
  }
  if (is_session && method != "DELETE") {
    co_return co_await reply(exchange, wrong_method("DELETE, OPTIONS",
                                                    "a session is ended here: all candidates are in offer and answer, "
                                                    "and who has lost its way POSTs a new offer"));
  }
  const Result<const pool::WatchLink*> link = admit(place->link, exchange);
  if (!link) {
    const bool is_wrong = link.error().code == Code::kUnauthenticated;
    co_return co_await reply(exchange, refusal(is_wrong ? 401 : 429, link.error().message, is_wrong ? 0 : 60));
  }
  if (is_session) co_return co_await reply(exchange, close(place->link, place->session));
  co_await reply(exchange, co_await open(exchange, place->link));
}

net::Async<net::Response> WhepDoor::open(net::Exchange& exchange, pool::WatchLinkId id) {
  if (!is_sdp(exchange.head().headers.get("content-type"))) {
    co_return refusal(415, "an offer is of the type application/sdp");
  }
  const std::string address = exchange.peer_address();
  Result<std::string> offer = co_await exchange.read_whole_body(screen::kMaxOfferBytes);
  if (!offer && offer.error().code == Code::kResourceExhausted) co_return refusal(413, "an offer is at most 16 KiB");
  if (!offer) co_return refusal(400, offer.error().message);
  if (!is_utf8(*offer)) co_return refusal(400, "an offer is text in UTF-8");
  if (stopping_) co_return refusal(503, "the hub is stopping", 10);
  // It may have been taken back while the offer came.
  const auto& links = parts_.audiences->of(id.job).links();
  const auto link = links.find(id.number);
  if (link == links.end()) co_return refusal(401, "the watch link was taken back");
  if (parts_.audiences->players(id) >= link->second.most_players) {
    co_return refusal(
        429, fmt::format("this watch link lets {} players watch at the same time", link->second.most_players), 10);
  }
  if (parts_.audiences->watchers(id.job) >= screen::kMaxWatchers) {
    co_return refusal(503, fmt::format("{} others watch this app already, as many as it takes", screen::kMaxWatchers),
                      10);
  }
  co_return co_await begin(*std::move(offer), id, address);
}

net::Async<net::Response> WhepDoor::begin(std::string offer, pool::WatchLinkId id, const std::string& address) {
  Result<std::unique_ptr<HubEnd>> end = co_await tunnels_.watch(parts_, id);
  if (!end) co_return refusal_of(end.error());
  if (Result<void> said = co_await (*end)->write(first_words(std::move(offer))); !said)
    co_return refusal_of(said.error());
  const Result<v1::ToViewer> heard = co_await hear(**end);
  if (!heard) co_return refusal(503, heard.error().message, 10);
  if (heard->answer().empty()) co_return refusal_of(*heard);
  if (Result<void> noted = co_await note(id, address); !noted) co_return refusal(503, noted.error().message, 10);
  if (stopping_) co_return refusal(503, "the hub is stopping", 10);
  const std::string session = to_hex(net::random_bytes(kSessionBytes));
  players_.emplace(session, Player{id, *std::move(end)});
  parts_.loop.spawn(follow(session));
  net::Response response{.status = 201, .headers = {}, .body = heard->answer()};
  response.headers.add("Content-Type", std::string(kType));
  response.headers.add("Location", fmt::format("{}{}/{}", kPrefix, to_text(id), session));
  response.headers.add("ETag", fmt::format("\"{}\"", session.substr(0, kSessionBytes)));
  co_return response;
}

// Players' coming again is no news.
net::Async<Result<void>> WhepDoor::note(pool::WatchLinkId id, const std::string& address) {
  std::erase_if(noted_, [this](const auto& one) { return parts_.engine.live_job(one.first) == nullptr; });
  if (!noted_.emplace(id.job, id.number).second) co_return Result<void>();
  net::Caller player;
  player.device_name = "a player";
  player.address = address;
  parts_.audit.note(player, "app.watch", fmt::format("job {}", id.job.value), "link=" + to_text(id));
  co_return co_await parts_.engine.committed();
}

net::Response WhepDoor::close(pool::WatchLinkId id, const std::string& session) {
  const auto found = players_.find(session);
  if (found == players_.end() || found->second.link != id)
    return refusal(404, "there is no such session, or it is over");
  found->second.end->end();
  return {.status = 200, .headers = {}, .body = {}};
}

// Whatever else is said says that it is over: hearth-media's reason, or nothing more.
net::Async<void> WhepDoor::follow(std::string session) {
  HubEnd& end = *players_.at(session).end;
  while (true) {
    const Result<std::string> piece = co_await end.read(kRead);
    if (piece || piece.error().code != Code::kDeadlineExceeded) break;
  }
  players_.erase(session);
  changed_.notify();
}

void WhepDoor::start() {
  running_ = true;
  parts_.loop.spawn(run());
}

net::Async<void> WhepDoor::stop() {
  stopping_ = true;
  woken_.notify();
  for (auto& [session, player] : players_) player.end->end();
  while (running_ || !players_.empty()) co_await changed_.wait();
}

net::Async<void> WhepDoor::run() {
  while (!stopping_) {
    parts_.audiences->sweep_links(wall_now());
    co_await woken_.wait(kBetweenLooks);
  }
  running_ = false;
  changed_.notify();
}

}  // namespace hearth::hub
