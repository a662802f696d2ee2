// The tables, and how a database of an older version becomes one of this version.
//
// To change them, append a migration: the position of a migration is the version that it leads to. Never edit one that
// was released. Plain SQL that PostgreSQL-compatible engines run too: the pool first in every key, and nothing but
// tables and indices.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "store/postgres/connection.h"

namespace hearth::store {

// Brings the database to this version, in one transaction; the hubs that hold its pools lose their hold by it, since
// they know the older tables. Errors: kFailedPrecondition if a newer version of Hearth or another program made it.
Result<void> migrate(Connection& server);

// 0: it has no tables of ours; -1: nobody knows.
Result<std::int64_t> schema_version(Connection& server);

}  // namespace hearth::store
