// How a pool moves from its hub's own SQLite file into a database that hubs can share. The file stays, under another
// name; a move that was interrupted is begun again.
#pragma once

#include "hub/hub.h"
#include "store/copy.h"
#include "store/shared.h"

namespace hearth::hub {

// pool.db, before and after.
std::filesystem::path pool_file(const std::filesystem::path& directory);
std::filesystem::path moved_pool_file(const std::filesystem::path& directory);

// Moves what is in the hub's file, if there is one, into the store, which is held. Blocks. Errors: kFailedPrecondition
// (the store holds another pool, or a copy that this PC did not begin).
Result<void> finish_move(const Options& options, store::DatabaseStore& store, store::Meeting& meeting);

// The same for a hub that does not run: opens the store, and lets go of it again.
Result<void> move_pool(const Options& options);

// A hub that stands by has no pool of its own. Errors: kFailedPrecondition.
Result<void> refuse_two_pools(const Options& options);

Result<void> make_hub_directory(const Options& options);

}  // namespace hearth::hub
