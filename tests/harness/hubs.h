// Hubs of one pool, seen from outside.
#pragma once

#include <cstdint>

#include "harness/pool.h"

namespace hearth::e2e {

// Or its hub does not run.
bool stands_by(const Pool& pool);
// One hub holds the pool, and one stands by with everything.
bool is_whole(const Pool& pool);
// Until this one holds it, in milliseconds; fails the test after a minute.
std::int64_t await_holder(const Pool& pool);

// `hearth up --standby-of` on another PC, allowed by the pool's owner; it has everything then.
void stand_by(Pool& holder, Pool& other, const std::string& address = "127.0.0.1");

}  // namespace hearth::e2e
