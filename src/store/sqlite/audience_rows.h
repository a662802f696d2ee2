// Rows of what an app's audience is: the people it is shared with, and its watch links.
#pragma once

#include <vector>

#include "base/result.h"
#include "store/sqlite/queries.h"
#include "store/store.h"

namespace hearth::store {

Result<void> put_audience(Queries& queries, const AudienceRow& audience);
Result<std::vector<AudienceRow>> load_audiences(Queries& queries);
Result<void> put_watch_link(Queries& queries, const WatchLinkRow& link);
Result<std::vector<WatchLinkRow>> load_watch_links(Queries& queries);

}  // namespace hearth::store
