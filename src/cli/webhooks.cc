// `hearth webhook`: whom the hub tells of what happens.
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/values.h"
#include "cli/webhooks.h"
#include "net/web_url.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMostSecretText = 256;
constexpr std::string_view kSecretPrefix = "whsec_";

Result<std::string> read_secret(const std::string& name) {
  std::ifstream file(name);
  if (!file.is_open()) return fail(Code::kNotFound, fmt::format("{}: there is no such file here", plain(name)));
  std::string text(kMostSecretText, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  const auto secret = text.starts_with(kSecretPrefix) ? from_base64(text.substr(kSecretPrefix.size())) : std::nullopt;
  if (secret) return *secret;
  return fail(Code::kInvalidArgument,
              fmt::format("{}: one line, whsec_ and the base64 of 24 to 64 bytes, is needed", plain(name)));
}

Result<std::uint64_t> parse_number(const std::string& text) {
  const Result<std::uint64_t> number = parse_count("webhook", text, {1, 1ULL << 62});
  if (number) return number;
  return fail(Code::kInvalidArgument,
              fmt::format("{} is no webhook's number; they are listed by: hearth webhook list", plain(text)));
}

std::string events_of(const v1::Webhook& hook) {
  std::string text;
  for (const std::string& event : hook.events()) text += (text.empty() ? "" : ",") + event;
  if (hook.job_id() != 0) text += fmt::format(" of job {}", hook.job_id());
  if (!hook.name_pattern().empty()) text += fmt::format(" of {}", hook.name_pattern());
  return text;
}

}  // namespace

Result<v1::AddWebhookRequest> webhook_request(const WebhookOptions& options) {
  v1::AddWebhookRequest request;
  const Result<net::WebUrl> url = net::parse_web_url(options.url);
  if (!url) return std::unexpected(url.error());
  request.set_url(url->text());
  for (const std::string& list : options.events) {
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(',', begin), list.size());
      if (end > begin) request.add_events(list.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  if (!options.job.empty()) {
    const Result<std::uint64_t> job = parse_job(options.job);
    if (!job) return std::unexpected(job.error());
    request.set_job_id(*job);
  }
  request.set_name_pattern(options.name);
  request.set_may_be_private(options.may_be_private);
  if (!options.secret_file.empty()) {
    Result<std::string> secret = read_secret(options.secret_file);
    if (!secret) return std::unexpected(secret.error());
    request.set_secret(std::move(*secret));
  }
  return request;
}

Result<int> add_webhook(const Context& context, const WebhookOptions& options) {
  const Result<v1::AddWebhookRequest> request = webhook_request(options);
  if (!request) return std::unexpected(request.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const auto reply = (*client)->call<v1::AddWebhookReply>("hearth.v1.WebhookService/Add", *request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  say(fmt::format("webhook {} tells {} of {}; its messages are signed by this secret, which is not shown again:",
                  reply->webhook().id(), plain(reply->webhook().url()), events_of(reply->webhook())));
  print(reply->secret() + "\n");
  return 0;
}

Result<int> list_webhooks(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const auto reply = (*client)->call<v1::ListWebhooksReply>("hearth.v1.WebhookService/List", v1::ListWebhooksRequest());
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  const WallTime now = wall_now();
  Table table({{"NUMBER", true},
               {"WHOSE"},
               {"URL"},
               {"OF"},
               {"TAKEN", true},
               {"WAITING", true},
               {"GIVEN UP", true},
               {"LAST TROUBLE"}});
  for (const v1::Webhook& hook : reply->webhooks()) {
    const std::string trouble =
        hook.last_trouble().empty()
            ? "-"
            : fmt::format("{}, {}", format_age({hook.last_failed().unix_millis()}, now), hook.last_trouble());
    table.add({fmt::format("{}", hook.id()), hook.owner(), hook.url(), events_of(hook), format_count(hook.delivered()),
               format_count(hook.waiting()), format_count(hook.given_up()), trouble});
  }
  if (table.empty()) say("no webhooks; make one: hearth webhook add https://HOST/PATH");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> remove_webhook(const Context& context, const WebhookOptions& options) {
  const Result<std::uint64_t> number = parse_number(options.number);
  if (!number) return std::unexpected(number.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::RemoveWebhookRequest request;
  request.set_webhook_id(*number);
  const auto reply = (*client)->call<v1::RemoveWebhookReply>("hearth.v1.WebhookService/Remove", request);
  if (!reply) return std::unexpected(reply.error());
  say(fmt::format("webhook {} is removed", *number));
  if (context.json) print(object_json({{"removed", fmt::format("{}", *number)}}));
  return 0;
}

Result<int> test_webhook(const Context& context, const WebhookOptions& options) {
  const Result<std::uint64_t> number = parse_number(options.number);
  if (!number) return std::unexpected(number.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::TestWebhookRequest request;
  request.set_webhook_id(*number);
  const auto reply = (*client)->call<v1::TestWebhookReply>("hearth.v1.WebhookService/Test", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  if (reply->trouble().empty()) {
    say(fmt::format("it answered with status {}: the message was taken", reply->status()));
    return 0;
  }
  say(fmt::format("error: the message was not taken: {}", plain(reply->trouble())));
  return 1;
}

}  // namespace hearth::cli
