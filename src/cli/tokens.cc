// What programs come in by: tokens for machines, and this command line's own session for programs of its user.
#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::cli {
namespace {

constexpr Range kDays{.least = 1, .most = 3650};

}  // namespace

Result<int> new_token(const Context& context, const TokenOptions& options) {
  v1::NewTokenRequest request;
  request.set_name(options.name);
  if (!options.ring.empty()) {
    const Result<v1::Ring> ring = parse_ring("--ring", options.ring);
    if (!ring) return std::unexpected(ring.error());
    request.set_ring(*ring);
  }
  if (!options.days.empty()) {
    const Result<std::uint64_t> days = parse_count("--days", options.days, kDays);
    if (!days) return std::unexpected(days.error());
    request.set_days(static_cast<std::uint32_t>(*days));
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::NewTokenReply> reply =
      (*client)->call<v1::NewTokenReply>("hearth.v1.DeviceService/NewToken", request);
  if (!reply) return std::unexpected(reply.error());
  if (reply->tokens().empty()) return fail(Code::kInternal, "the hub made a token and did not tell it");
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  print(reply->tokens(0) + "\n");
  for (int i = 1; i < reply->tokens_size(); ++i) say(reply->tokens(i) + "  (another address)");
  say(fmt::format(
      "Whoever has this line runs jobs as \"{0}\". It is shown this once; take it back with: hearth devices "
      "revoke \"{0}\"",
      plain(reply->device().name())));
  return 0;
}

Result<int> show_session(const Context& context) {
  const Result<std::unique_ptr<Client>> opened = Client::open(context.home, context.home.cli());
  if (!opened) return std::unexpected(opened.error());
  Client& client = **opened;
  const Result<std::string> token = client.loop().run_until_done(client.session().token());
  if (!token) return std::unexpected(client.explain(token.error()));
  const account::Account& account = client.session().account();
  if (context.json) {
    print(object_json(
        {{"endpoint", account.endpoint.text()}, {"identity", to_hex(account.hub_identity)}, {"session", *token}}));
  } else {
    print(*token + "\n");
  }
  return 0;
}

}  // namespace hearth::cli
