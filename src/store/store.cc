#include "store/store.h"

namespace hearth::store {

bool Batch::empty() const {
  return devices.empty() && jobs.empty() && changes.empty() && tasks.empty() && range_ends.empty() && removed.empty() &&
         environments.empty() && workspaces.empty() && accounts.empty() && schedules.empty();
}

}  // namespace hearth::store
