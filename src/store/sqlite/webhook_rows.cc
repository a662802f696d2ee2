#include "store/sqlite/webhook_rows.h"

namespace hearth::store {
namespace {

WebhookRow read_webhook(const Rows& rows) {
  return {.id = rows.integer<std::uint64_t>(0),
          .owner = {rows.integer<std::uint64_t>(1)},
          .url = rows.bytes(2),
          .secret = rows.bytes(3),
          .kinds = rows.integer<std::uint32_t>(4),
          .job = {rows.integer<std::uint64_t>(5)},
          .name_pattern = rows.bytes(6),
          .may_be_private = rows.integer(7) != 0,
          .made = {rows.integer(8)},
          .delivered = rows.integer<std::uint64_t>(9),
          .given_up = rows.integer<std::uint64_t>(10),
          .last_delivered = {rows.integer(11)},
          .last_failed = {rows.integer(12)},
          .last_trouble = rows.bytes(13)};
}

DeliveryRow read_delivery(const Rows& rows) {
  return {.webhook = rows.integer<std::uint64_t>(1),
          .id = rows.bytes(0),
          .kind = rows.integer<std::uint8_t>(2),
          .body = rows.bytes(6),
          .made = {rows.integer(3)},
          .next = {rows.integer(4)},
          .tries = rows.integer<std::uint32_t>(5)};
}

}  // namespace

Result<void> put_webhook(Queries& queries, const WebhookRow& webhook) {
  if (webhook.url.empty()) {
    const Result<void> gone = queries[Query::kRemoveDeliveriesOf].run(webhook.id);
    return gone ? queries[Query::kRemoveWebhook].run(webhook.id) : gone;
  }
  return queries[Query::kPutWebhook].run(webhook.id, webhook.owner.value, Text{webhook.url}, webhook.secret,
                                         webhook.kinds, webhook.job.value, Text{webhook.name_pattern},
                                         webhook.may_be_private ? 1 : 0, webhook.made.unix_millis, webhook.delivered,
                                         webhook.given_up, webhook.last_delivered.unix_millis,
                                         webhook.last_failed.unix_millis, Text{webhook.last_trouble});
}

Result<void> put_delivery(Queries& queries, const DeliveryRow& delivery) {
  if (delivery.body.empty()) return queries[Query::kRemoveDelivery].run(Text{delivery.id});
  return queries[Query::kPutDelivery].run(Text{delivery.id}, delivery.webhook, delivery.kind, delivery.made.unix_millis,
                                          delivery.next.unix_millis, delivery.tries, delivery.body);
}

Result<std::vector<WebhookRow>> load_webhooks(Queries& queries) {
  std::vector<WebhookRow> webhooks;
  Rows rows = queries[Query::kWebhooks].rows();
  while (true) {
    const Result<bool> more = rows.next();
    if (!more) return fail(more, "webhooks");
    if (!*more) return webhooks;
    webhooks.push_back(read_webhook(rows));
  }
}

Result<std::vector<DeliveryRow>> load_deliveries(Queries& queries) {
  std::vector<DeliveryRow> deliveries;
  Rows rows = queries[Query::kDeliveries].rows();
  while (true) {
    const Result<bool> more = rows.next();
    if (!more) return fail(more, "the webhooks' messages");
    if (!*more) return deliveries;
    deliveries.push_back(read_delivery(rows));
  }
}

}  // namespace hearth::store
