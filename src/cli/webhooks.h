// What `hearth webhook add` and `hearth run --webhook` ask the hub for.
#pragma once

#include "base/result.h"
#include "cli/commands.h"
#include "hearth/v1/webhooks.pb.h"

namespace hearth::cli {

// Reads the secret's file. Errors: kInvalidArgument, kNotFound: which option, what is needed.
Result<v1::AddWebhookRequest> webhook_request(const WebhookOptions& options);

}  // namespace hearth::cli
