#include <fmt/format.h>

#include "store/postgres/columns.h"
#include "store/postgres/connection.h"
#include "store/postgres/schema.h"
#include "store/shared.h"

namespace hearth::store {
namespace {

Result<bool> has_tables(Connection& server) {
  const Result<std::int64_t> version = schema_version(server);
  if (!version) return std::unexpected(version.error());
  return *version > 0;
}

Result<void> read_pool(Connection& server, std::int64_t number, StoreReport& report) {
  const Parameters pool = Parameters().add(number);
  const Result<Table> row = server.run("SELECT name, filling, holder FROM pools WHERE pool = $1", pool);
  if (!row) return std::unexpected(row.error());
  if (row->rows() == 0) return {};
  const Result<Table> jobs = server.run("SELECT count(*) FROM jobs WHERE pool = $1", pool);
  if (!jobs) return std::unexpected(jobs.error());
  const Result<Table> holder =
      server.run("SELECT name FROM hubs WHERE pool = $1 AND identity = $2", Parameters(pool).add(row->bytes(0, 2)));
  if (!holder) return std::unexpected(holder.error());
  report.pool = StoreReport::Pool{.name = row->bytes(0, 0),
                                  .jobs = jobs->integer<std::uint64_t>(0, 0),
                                  .filling = row->integer(0, 1) != 0,
                                  .holder = holder->rows() > 0 ? holder->bytes(0, 0) : ""};
  return {};
}

}  // namespace

Result<StoreReport> examine_postgres(const PostgresOptions& options) {
  Result<std::unique_ptr<Connection>> server = Connection::open(options.url);
  if (!server) return std::unexpected(server.error());
  const Result<Table> settings =
      (*server)->run("SELECT current_setting('server_version'), current_setting('synchronous_standby_names')");
  if (!settings) return std::unexpected(settings.error());
  StoreReport report{.server_version = settings->bytes(0, 0), .confirmed_by = settings->bytes(0, 1), .pool = {}};
  const Result<bool> ours = has_tables(**server);
  if (!ours) return std::unexpected(ours.error());
  if (*ours) {
    if (Result<void> read = read_pool(**server, options.pool, report); !read) return std::unexpected(read.error());
  }
  return report;
}

}  // namespace hearth::store
