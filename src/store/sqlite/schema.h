// The tables, and how a database of an older version becomes one of this version.
//
// To change them, append a migration: the position of a migration is the version that it leads to. Never edit one that
// was released: databases made by it exist.
#pragma once

#include <cstddef>
#include <limits>

#include "base/result.h"
#include "store/sqlite/database.h"

namespace hearth::store {

// Brings the database to this version (or, for tests, to an older one), one transaction for each step. Errors:
// kFailedPrecondition if a newer version of Hearth or another program wrote the file.
Result<void> migrate(Database& database, std::size_t to = std::numeric_limits<std::size_t>::max());

}  // namespace hearth::store
