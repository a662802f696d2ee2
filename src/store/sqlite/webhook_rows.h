// Webhooks and their messages in the SQLite file.
#pragma once

#include <vector>

#include "store/sqlite/queries.h"
#include "store/store.h"

namespace hearth::store {

// One without a URL is removed, with its messages; a message without a body is.
Result<void> put_webhook(Queries& queries, const WebhookRow& webhook);
Result<void> put_delivery(Queries& queries, const DeliveryRow& delivery);

Result<std::vector<WebhookRow>> load_webhooks(Queries& queries);
Result<std::vector<DeliveryRow>> load_deliveries(Queries& queries);

}  // namespace hearth::store
