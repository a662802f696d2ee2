#include "store/sqlite/change_log.h"

// Debian's library has both; the header shows them to whoever asks.
#define SQLITE_ENABLE_SESSION
#define SQLITE_ENABLE_PREUPDATE_HOOK
#include <sqlite3.h>

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace hearth::store {

Result<std::unique_ptr<SqliteChangeLog>> SqliteChangeLog::open(Database& database) {
  std::unique_ptr<SqliteChangeLog> log(new SqliteChangeLog(database));
  const Result<std::int64_t> schema = database.integer("PRAGMA user_version");
  if (!schema) return std::unexpected(schema.error());
  log->schema_ = *schema;
  if (Result<void> read = log->read_place(); !read) return std::unexpected(read.error());
  return log;
}

SqliteChangeLog::~SqliteChangeLog() = default;

void SqliteChangeLog::EndSession::operator()(sqlite3_session* session) const { sqlite3session_delete(session); }

Result<void> SqliteChangeLog::read_place() {
  Result<Statement> query =
      database_.prepare("SELECT epoch, position, holder, released, pool_name, witness, witness_secret FROM standing");
  if (!query) return std::unexpected(query.error());
  Rows rows = query->rows();
  const Result<bool> row = rows.next();
  if (!row) return std::unexpected(row.error());
  place_ = {};
  if (!*row) return {};
  place_ = {.epoch = rows.integer<std::uint64_t>(0),
            .position = rows.integer<std::uint64_t>(1),
            .holder = rows.bytes(2),
            .released = rows.integer(3) != 0,
            .pool_name = rows.bytes(4),
            .witness = {rows.integer<std::uint64_t>(5)},
            .witness_secret = rows.bytes(6)};
  return {};
}

Result<std::vector<HubRow>> SqliteChangeLog::hubs() {
  Result<Statement> query = database_.prepare(
      "SELECT identity, name, endpoints, secret, command_line_key, node_key FROM hubs ORDER BY name, identity");
  if (!query) return std::unexpected(query.error());
  std::vector<HubRow> hubs;
  Rows rows = query->rows();
  while (true) {
    const Result<bool> row = rows.next();
    if (!row) return std::unexpected(row.error());
    if (!*row) return hubs;
    hubs.push_back({rows.bytes(0), rows.bytes(1), rows.bytes(2), rows.bytes(3), rows.bytes(4), rows.bytes(5)});
  }
}

// --- transactions ---------------------------------------------------------------------------------------------------

Result<void> SqliteChangeLog::in_transaction(const std::function<Result<void>()>& work) {
  if (failure_) return std::unexpected(*failure_);
  Result<void> done = run(work);
  if (done) return done;
  if (done.error().code == Code::kDataLoss) failure_ = done.error();
  database_.roll_back();
  return done;
}

Result<void> SqliteChangeLog::run(const std::function<Result<void>()>& work) {
  if (Result<void> begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  if (!recording_) {
    if (Result<void> done = work(); !done) return done;
    return database_.execute("COMMIT");
  }
  Result<Session> session = begin_session();
  if (!session) return std::unexpected(session.error());
  if (Result<void> done = work(); !done) return done;
  if (Result<void> counted = database_.execute("UPDATE standing SET position = position + 1"); !counted) return counted;
  Result<std::string> bytes = end_session(std::move(*session));
  if (!bytes) return std::unexpected(bytes.error());
  if (Result<void> done = database_.execute("COMMIT"); !done) return done;
  taken_.push_back({++place_.position, std::move(*bytes)});
  return {};
}

Result<SqliteChangeLog::Session> SqliteChangeLog::begin_session() {
  sqlite3_session* session = nullptr;
  const int made = sqlite3session_create(database_.connection(), "main", &session);
  Session owned(session);
  if (made != SQLITE_OK || sqlite3session_attach(session, nullptr) != SQLITE_OK) {
    return fail(Code::kResourceExhausted, "not enough memory to record what changes in the database");
  }
  return owned;
}

Result<std::string> SqliteChangeLog::end_session(Session session) {
  int size = 0;
  void* bytes = nullptr;
  const int told = sqlite3session_changeset(session.get(), &size, &bytes);
  const std::unique_ptr<void, decltype(&sqlite3_free)> owned(bytes, &sqlite3_free);
  if (told != SQLITE_OK) {
    return fail(Code::kResourceExhausted,
                fmt::format("recording what changes in the database: {}", sqlite3_errstr(told)));
  }
  return std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

Result<void> SqliteChangeLog::write(const Place& place) {
  Result<Statement> statement = database_.prepare(
      "INSERT INTO standing VALUES (1, ?1, 0, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET epoch = ?1, holder = "
      "?2, released = ?3, pool_name = ?4, witness = ?5, witness_secret = ?6");
  if (!statement) return std::unexpected(statement.error());
  return statement->run(place.epoch, place.holder, place.released, Text{place.pool_name}, place.witness.value,
                        place.witness_secret);
}

Result<void> SqliteChangeLog::save(const Place& place) {
  if (Result<void> done = in_transaction([&] { return write(place); }); !done) return done;
  return read_place();
}

Result<void> SqliteChangeLog::save(const Place& place, const HubRow& hub, bool remove) {
  Result<Statement> statement = remove ? database_.prepare("DELETE FROM hubs WHERE identity = ?1")
                                       : database_.prepare("REPLACE INTO hubs VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  if (!statement) return std::unexpected(statement.error());
  const Result<void> done = in_transaction([&]() -> Result<void> {
    if (Result<void> placed = write(place); !placed) return placed;
    if (remove) return statement->run(hub.identity);
    return statement->run(hub.identity, Text{hub.name}, Text{hub.endpoints}, hub.secret, hub.command_line_key,
                          hub.node_key);
  });
  if (!done) return done;
  return read_place();
}

// --- the other's changes --------------------------------------------------------------------------------------------

Result<void> SqliteChangeLog::apply(const Change& change) {
  if (change.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return fail(Code::kAborted, "a commit of more than 2 GiB");
  }
  if (change.position != place_.position + 1) {
    return fail(Code::kAborted,
                fmt::format("commit {} was sent, but the copy stands at {}", change.position, place_.position));
  }
  const auto on_conflict = [](void*, int, sqlite3_changeset_iter*) { return SQLITE_CHANGESET_ABORT; };
  Result<void> done = in_transaction([&]() -> Result<void> {
    // It wants memory that it may write, and does not write.
    const int applied = sqlite3changeset_apply(database_.connection(), static_cast<int>(change.bytes.size()),
                                               const_cast<char*>(change.bytes.data()), nullptr, on_conflict, nullptr);
    if (applied == SQLITE_OK) return {};
    if (applied == SQLITE_ABORT || applied == SQLITE_CORRUPT || applied == SQLITE_CONSTRAINT) {
      return fail(Code::kAborted, fmt::format("commit {} does not fit the copy", change.position));
    }
    return std::unexpected(database_.last_error());
  });
  if (!done) return done;
  if (Result<void> read = read_place(); !read) return read;
  if (place_.position == change.position) return {};
  return fail(Code::kAborted, fmt::format("commit {} says of itself that it is {}", change.position, place_.position));
}

Result<void> SqliteChangeLog::copy_to(const std::filesystem::path& file) {
  Result<Statement> statement = database_.prepare("VACUUM INTO ?1");
  if (!statement) return std::unexpected(statement.error());
  const std::string name = file.string();
  return statement->run(Text{name});
}

}  // namespace hearth::store
