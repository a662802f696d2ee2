// WebhookService.
#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/webhooks.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kLeastSecret = 24;
constexpr std::size_t kMostSecret = 64;
constexpr std::size_t kNewSecret = 32;
constexpr std::size_t kMostPattern = 128;

v1::Webhook to_proto(const Parts& parts, const Webhooks::Hook& hook) {
  const store::WebhookRow& row = hook.row;
  v1::Webhook view;
  view.set_id(row.id);
  view.set_owner_id(row.owner.value);
  view.set_owner(parts.devices.name(row.owner));
  view.set_url(row.url);
  for (unsigned kind = 0; kind < 32; ++kind) {
    if ((row.kinds >> kind & 1U) != 0) view.add_events(std::string(webhook::name_of(static_cast<webhook::Kind>(kind))));
  }
  view.set_job_id(row.job.value);
  view.set_name_pattern(row.name_pattern);
  view.set_may_be_private(row.may_be_private);
  *view.mutable_made() = moment(row.made);
  view.set_waiting(static_cast<std::uint32_t>(hook.waiting.size()));
  view.set_delivered(row.delivered);
  view.set_given_up(row.given_up);
  *view.mutable_last_delivered() = moment(row.last_delivered);
  *view.mutable_last_failed() = moment(row.last_failed);
  view.set_last_trouble(row.last_trouble);
  return view;
}

Result<webhook::Kinds> kinds_of(const v1::AddWebhookRequest& request) {
  if (request.events().empty()) return webhook::bit(webhook::Kind::kJobEnded);
  webhook::Kinds kinds = 0;
  for (const std::string& name : request.events()) {
    const std::optional<webhook::Kind> kind = webhook::kind_named(name);
    if (!kind) {
      return fail(Code::kInvalidArgument,
                  fmt::format("events: \"{}\" is none; there are job.queued, job.started, job.ended, task.failed and "
                              "task.requeued",
                              name.substr(0, 64)));
    }
    kinds |= webhook::bit(*kind);
  }
  return kinds;
}

Result<void> check_room(const Parts& parts, DeviceId device) {
  if (!parts.webhooks.can_send()) return fail(Code::kFailedPrecondition, "this hub sends nothing");
  if (parts.webhooks.count_of(device) >= Webhooks::kMostOfDevice) {
    return fail(Code::kResourceExhausted, fmt::format("this device has {} webhooks, as many as it may: hearth webhook "
                                                      "list",
                                                      Webhooks::kMostOfDevice));
  }
  if (parts.webhooks.all().size() >= Webhooks::kMost) {
    return fail(Code::kResourceExhausted,
                fmt::format("the pool has {} webhooks, as many as it takes", Webhooks::kMost));
  }
  return {};
}

Result<store::WebhookRow> row_of(const Parts& parts, const v1::AddWebhookRequest& request, const net::Caller& caller) {
  store::WebhookRow row{.owner = caller.device, .job = {request.job_id()}, .name_pattern = request.name_pattern()};
  const Result<net::WebUrl> url = net::parse_web_url(request.url());
  if (!url) return std::unexpected(url.error());
  row.url = url->text();
  const Result<webhook::Kinds> kinds = kinds_of(request);
  if (!kinds) return std::unexpected(kinds.error());
  row.kinds = *kinds;
  if (row.name_pattern.size() > kMostPattern) {
    return fail(Code::kInvalidArgument, fmt::format("name_pattern: at most {} bytes are allowed", kMostPattern));
  }
  if (request.may_be_private() && caller.level != net::AccessLevel::kOwner) {
    return fail(Code::kPermissionDenied, "only an owner's device may have the hub send into a private network");
  }
  row.may_be_private = request.may_be_private();
  const std::string_view refusal =
      row.may_be_private ? std::string_view() : parts.options.refusal_of_host(url->endpoint.host);
  if (!refusal.empty()) {
    return fail(Code::kPermissionDenied,
                fmt::format("{} is {}, to which the hub sends nothing unless an owner's device allows it with: hearth "
                            "webhook add --private",
                            url->endpoint.host, refusal));
  }
  row.secret = request.secret().empty() ? net::random_bytes(kNewSecret) : request.secret();
  if (row.secret.size() < kLeastSecret || row.secret.size() > kMostSecret) {
    return fail(Code::kInvalidArgument, fmt::format("secret: {} to {} bytes are needed", kLeastSecret, kMostSecret));
  }
  row.made = wall_now();
  if (Result<void> room = check_room(parts, caller.device); !room) return std::unexpected(room.error());
  return row;
}

// Whether the job's end was told to the webhooks that there were; then `job` is as it ended.
bool end_is_recorded(const Parts& parts, v1::Job& job) {
  const LiveJob* live = parts.engine.live_job({job.id()});
  if (live == nullptr) return true;
  if (live->row.state < pool::JobState::kSucceeded) return false;
  job = parts.views.live_job(*live);
  job.set_state(static_cast<v1::JobState>(live->row.state));
  *job.mutable_ended() = moment(live->row.ended);
  return true;
}

net::Async<Result<v1::AddWebhookReply>> add(Parts& parts, const v1::AddWebhookRequest& request,
                                            const net::Caller& caller) {
  std::optional<v1::Job> job;
  if (request.job_id() != 0) {
    Result<v1::Job> found = co_await parts.views.job({request.job_id()}, parts.devices.visible_to(caller.device));
    if (!found) co_return std::unexpected(found.error());
    job = std::move(*found);
  }
  Result<store::WebhookRow> row = row_of(parts, request, caller);
  if (!row) co_return std::unexpected(row.error());
  const Result<net::WebUrl> url = net::parse_web_url(row->url);
  const bool has_ended = job && end_is_recorded(parts, *job);
  parts.audit.note(caller, "webhook.add", url->origin(),
                   fmt::format("job={} private={}", request.job_id(), request.may_be_private()));
  Result<store::WebhookRow> added = co_await parts.webhooks.add(std::move(*row), has_ended ? &*job : nullptr);
  if (!added) co_return std::unexpected(added.error());
  v1::AddWebhookReply reply;
  const Webhooks::Hook* hook = parts.webhooks.find(added->id);
  *reply.mutable_webhook() = to_proto(parts, hook != nullptr ? *hook : Webhooks::Hook{.row = *added, .waiting = {}});
  reply.set_secret(webhook_secret_text(added->secret));
  co_return reply;
}

bool is_shown(const Webhooks::Hook& hook, const net::Caller& caller) {
  return hook.row.owner == caller.device || caller.level == net::AccessLevel::kOwner;
}

v1::ListWebhooksReply list(const Parts& parts, const net::Caller& caller) {
  v1::ListWebhooksReply reply;
  for (const auto& [id, hook] : parts.webhooks.all()) {
    if (is_shown(hook, caller)) *reply.add_webhooks() = to_proto(parts, hook);
  }
  return reply;
}

// Errors: kNotFound, also if it may not be seen.
Result<store::WebhookRow> find(const Parts& parts, std::uint64_t id, const net::Caller& caller) {
  const Webhooks::Hook* hook = parts.webhooks.find(id);
  if (hook != nullptr && is_shown(*hook, caller)) return hook->row;
  return fail(Code::kNotFound, fmt::format("there is no webhook {}; those that there are: hearth webhook list", id));
}

net::Async<Result<v1::RemoveWebhookReply>> remove(Parts& parts, const v1::RemoveWebhookRequest& request,
                                                  const net::Caller& caller) {
  const Result<store::WebhookRow> row = find(parts, request.webhook_id(), caller);
  if (!row) co_return std::unexpected(row.error());
  const Result<net::WebUrl> url = net::parse_web_url(row->url);
  parts.audit.note(caller, "webhook.remove", url ? url->origin() : "", "of=" + parts.devices.name(row->owner));
  const Result<void> removed = co_await parts.webhooks.remove(row->id);
  if (!removed) co_return std::unexpected(removed.error());
  co_return v1::RemoveWebhookReply();
}

net::Async<Result<v1::TestWebhookReply>> test(Parts& parts, const v1::TestWebhookRequest& request,
                                              const net::Caller& caller) {
  const Result<store::WebhookRow> row = find(parts, request.webhook_id(), caller);
  if (!row) co_return std::unexpected(row.error());
  const Result<unsigned> status = co_await parts.webhooks.test(row->id);
  if (!status && status.error().code == Code::kResourceExhausted) co_return std::unexpected(status.error());
  v1::TestWebhookReply reply;
  if (status) reply.set_status(*status);
  if (!status) {
    reply.set_trouble(status.error().message);
  } else if (webhook::answer_of(*status) != webhook::Answer::kTaken) {
    reply.set_trouble(fmt::format("it answered with status {}", *status));
  }
  co_return reply;
}

}  // namespace

void add_webhook_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::AddWebhookRequest, v1::AddWebhookReply>(
      "hearth.v1.WebhookService.Add",
      [&parts](const v1::AddWebhookRequest& request, net::Caller& caller) { return add(parts, request, caller); });
  dispatcher.unary<v1::ListWebhooksRequest, v1::ListWebhooksReply>(
      "hearth.v1.WebhookService.List",
      [&parts](const v1::ListWebhooksRequest&, net::Caller& caller) -> net::Async<Result<v1::ListWebhooksReply>> {
        co_return list(parts, caller);
      });
  dispatcher.unary<v1::RemoveWebhookRequest, v1::RemoveWebhookReply>(
      "hearth.v1.WebhookService.Remove", [&parts](const v1::RemoveWebhookRequest& request, net::Caller& caller) {
        return remove(parts, request, caller);
      });
  dispatcher.unary<v1::TestWebhookRequest, v1::TestWebhookReply>(
      "hearth.v1.WebhookService.Test",
      [&parts](const v1::TestWebhookRequest& request, net::Caller& caller) { return test(parts, request, caller); });
}

}  // namespace hearth::hub
