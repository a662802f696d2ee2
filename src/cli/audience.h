// Whom apps are shared with, as the hub tells it.
#pragma once

#include "cli/client.h"
#include "hearth/v1/audiences.pb.h"

namespace hearth::cli {

// Those that this device may see.
Result<v1::ListSharedAppsReply> fetch_shared_apps(Client& client);

}  // namespace hearth::cli
