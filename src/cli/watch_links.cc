// `hearth app watch-link` and its like: the links by which other programs than Hearth's page watch an app.
#include <fmt/format.h>

#include "cli/audience.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr const char* kUsualSpan = "1d";
constexpr std::uint32_t kUsualPlayers = 2;
constexpr Range kPlayers{.least = 1, .most = 6};
constexpr std::int64_t kMostSeconds = 30LL * 24 * 60 * 60;

Result<v1::MakeWatchLinkRequest> request_of(const WatchLinkOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  v1::MakeWatchLinkRequest request;
  request.set_job_id(*job);
  request.set_label(options.label);
  const WallTime now = wall_now();
  const Result<WallTime> until = parse_moment("--until", options.until.empty() ? kUsualSpan : options.until, now);
  if (!until) return std::unexpected(until.error());
  request.set_seconds((until->unix_millis - now.unix_millis + 999) / 1'000);
  if (request.seconds() > kMostSeconds) {
    return fail(Code::kInvalidArgument, fmt::format("--until {}: at most 30 days from now", plain(options.until)));
  }
  request.set_max_players(kUsualPlayers);
  if (!options.players.empty()) {
    const Result<std::uint64_t> players = parse_count("--players", options.players, kPlayers);
    if (!players) return std::unexpected(players.error());
    request.set_max_players(static_cast<std::uint32_t>(*players));
  }
  return request;
}

}  // namespace

Result<int> make_watch_link(const Context& context, const WatchLinkOptions& options) {
  const Result<v1::MakeWatchLinkRequest> request = request_of(options);
  if (!request) return std::unexpected(request.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const auto reply = (*client)->call<v1::MakeWatchLinkReply>("hearth.v1.AudienceService/MakeWatchLink", *request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  if (reply->addresses().empty()) {
    return fail(Code::kUnavailable, "the link is made, but this PC has no network address that others could reach");
  }
  print(fmt::format("{}\n{}\n", reply->addresses(0), reply->token()));
  for (int i = 1; i < reply->addresses_size(); ++i) say(reply->addresses(i) + "  (another address)");
  const v1::WatchLink& link = reply->link();
  say(
      fmt::format("The first line is the address for a player that speaks WHEP, the second its token (bearer). Whoever "
                  "has both watches job {}, {} at the same time, until {}.",
                  request->job_id(), link.max_players(), format_moment({link.expires().unix_millis()})));
  say(fmt::format("They are shown this once; take it back with: hearth app unwatch {}", link.id()));
  return 0;
}

Result<int> list_watch_links(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListSharedAppsReply> reply = fetch_shared_apps(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"ID"}, {"APP"}, {"PLAYERS", true}, {"ENDS"}, {"MADE BY"}, {"NAME"}});
  for (const v1::SharedApp& app : reply->apps()) {
    for (const v1::WatchLink& link : app.watch_links()) {
      table.add({link.id(), app.name(), fmt::format("{} of {}", link.players(), link.max_players()),
                 format_moment({link.expires().unix_millis()}), link.maker(), link.label()});
    }
  }
  if (table.empty()) say("no app has a watch link; for one that runs: hearth app watch-link JOB");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> revoke_watch_link(const Context& context, const WatchLinkOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::RevokeWatchLinkRequest request;
  request.set_id(options.id);
  const auto reply = (*client)->call<v1::RevokeWatchLinkReply>("hearth.v1.AudienceService/RevokeWatchLink", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  say("the link is dead, and whoever watched by it sees nothing more");
  return 0;
}

}  // namespace hearth::cli
