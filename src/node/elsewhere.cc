#include "node/elsewhere.h"

#include <algorithm>

namespace hearth::node {

void heed_room(Policy& policy, const sandbox::Room& room) {
  policy.limit.cores = std::min(policy.limit.cores, room.cores);
  policy.limit.memory_bytes = std::min(policy.limit.memory_bytes, room.memory_bytes);
  policy.limit.gpus = std::min(policy.limit.gpus, room.gpus);
  policy.limit.disk_bytes = 0;
  if (!room.lack.empty()) policy.lack = room.lack;
  policy.owner_first = {.mode = OwnerFirstMode::kOff,
                        .on_battery = true,
                        .on_metered = true,
                        .on_busy = true,
                        .max_celsius = 0,
                        .max_price = std::nullopt};
}

void heed_distance(Rings& rings) {
  for (const Ring ring : kRings) {
    rings.of(ring).listed_hosts = false;
    rings.of(ring).gang_network = false;
  }
}

}  // namespace hearth::node
