// Hubs of one pool, seen from outside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/pool.h"

namespace hearth::e2e {

// Or its hub does not run.
bool stands_by(const Pool& pool);
// One hub holds the pool, and one stands by with everything.
bool is_whole(const Pool& pool);
// Until this one holds it, in milliseconds; fails the test after a minute.
std::int64_t await_holder(const Pool& pool);

// A supervisor that stands still starts nothing again: the whole PC is gone, but for its node.
void lose_hub(const Pool& pool, int signal);
// After that, of the hub that was there.
void bring_back_hub(const Pool& pool, pid_t hub);

// How the copy of the drive stands, as `hearth status` has it: "whole", "2 behind", or "" where it is not told.
std::string drive_copy(const Pool& pool);
bool has_whole_drive(const Pool& pool);

// `hearth up --standby-of` on another PC, allowed by the pool's owner; it has everything then.
void stand_by(Pool& holder, Pool& other, const std::string& address = "127.0.0.1",
              const std::vector<std::string>& options = {});

}  // namespace hearth::e2e
