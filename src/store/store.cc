#include "store/store.h"

namespace hearth::store {

std::size_t Batch::rows() const {
  return devices.size() + jobs.size() + changes.size() + tasks.size() + range_ends.size() + removed.size() +
         environments.size() + workspaces.size() + accounts.size() + schedules.size() + duties.size() +
         bookings.size() + audiences.size() + watch_links.size() + webhooks.size() + deliveries.size() + audit.size() +
         usage.size();
}

}  // namespace hearth::store
