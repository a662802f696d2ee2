#include "hub/moving.h"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

#include <fmt/format.h>

#include "base/log.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

namespace fs = std::filesystem;

// The name is on disk when it returns: from then on the pool is in the store.
Result<void> set_aside(const fs::path& directory) {
  std::error_code error;
  fs::rename(pool_file(directory), moved_pool_file(directory), error);
  if (error)
    return fail(Code::kInternal, fmt::format("renaming {}: {}", pool_file(directory).string(), error.message()));
  const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  const int failure = errno;
  if (folder >= 0) ::close(folder);
  return synced ? Result<void>() : fail_errno(failure, "writing " + directory.string());
}

}  // namespace

fs::path pool_file(const fs::path& directory) { return directory / "pool.db"; }

fs::path moved_pool_file(const fs::path& directory) { return directory / "pool.db.moved"; }

Result<void> make_hub_directory(const Options& options) {
  std::error_code error;
  fs::create_directories(options.directory, error);
  fs::permissions(options.directory, fs::perms::owner_all, error);
  if (!error) return {};
  return fail(Code::kPermissionDenied, fmt::format("making {}: {}", options.directory.string(), error.message()));
}

Result<void> finish_move(const Options& options, store::DatabaseStore& store, store::Meeting& meeting) {
  if (fs::exists(pool_file(options.directory))) {
    Result<std::unique_ptr<store::Store>> file = store::open_sqlite(pool_file(options.directory));
    if (!file) return std::unexpected(file.error());
    if (Result<void> begun = store.begin_filling(); !begun) return begun;
    const Result<store::Copied> copied = store::copy_pool(**file, store);
    if (!copied) return fail(copied, "moving the pool into the database");
    file->reset();
    log_info(fmt::format("the pool moved into the database devices={} jobs={} tasks={}", copied->devices, copied->jobs,
                         copied->tasks));
    if (Result<void> aside = set_aside(options.directory); !aside) return aside;
    meeting.filling = true;
  }
  if (!meeting.filling) return {};
  if (!fs::exists(moved_pool_file(options.directory))) {
    return fail(Code::kFailedPrecondition,
                "a move into this database was begun on another PC and is not complete: finish it there, or name an "
                "empty database");
  }
  meeting.filling = false;
  return store.end_filling();
}

Result<void> move_pool(const Options& options) {
  const Result<net::IdentityKey> identity = net::IdentityKey::load_or_create(options.directory / "identity.pem");
  if (!identity) return fail(identity, "the hub's identity");
  Result<std::unique_ptr<store::DatabaseStore>> store =
      store::open_postgres({.url = options.store, .pool_name = options.pool_name});
  if (!store) return std::unexpected(store.error());
  Result<store::Meeting> meeting = (*store)->meet({.identity = identity->public_key(), .name = options.pc_name});
  if (!meeting) return std::unexpected(meeting.error());
  if (!meeting->holding) {
    return fail(Code::kFailedPrecondition, "another hub holds a pool in this database: name another one");
  }
  if (Result<void> moved = finish_move(options, **store, *meeting); !moved) return moved;
  return (*store)->release();
}

Result<void> refuse_two_pools(const Options& options) {
  if (!fs::exists(pool_file(options.directory))) return {};
  return fail(
      Code::kFailedPrecondition,
      fmt::format("this PC has a pool of its own in {}, and the database is another hub's: name another database, "
                  "or move that file away",
                  pool_file(options.directory).string()));
}

}  // namespace hearth::hub
