#include "store/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace hearth::store {
namespace {

// WAL pages between checkpoints: 32 MiB, so that a busy hub does not sync its database file several times a second.
constexpr int kCheckpointPages = 8192;

// Makes the file with the right mode before SQLite would make it with the umask's. An existing file is not opened here:
// closing it would drop the locks that this process may hold on it (POSIX locks are the process's).
Result<void> make_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno != EEXIST) return fail_errno(errno, "cannot make the database " + file.string());
  if (descriptor >= 0) ::close(descriptor);
  return {};
}

// A failed fsync is none of these, whatever it says: the kernel may have dropped what it could not write, and the next
// fsync would not tell.
bool disk_is_full(int extended, int system_error) {
  const int result = extended & 0xff;
  if (result == SQLITE_FULL) return true;
  if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC) return false;
  return result == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT);
}

Error io_error(const std::filesystem::path& file, int system_error, std::string_view detail) {
  const std::string cause = system_error == 0 ? std::string(detail) : std::strerror(system_error);
  return {Code::kDataLoss,
          fmt::format("reading or writing the database {} failed ({}): check the disk", file.string(), cause)};
}

}  // namespace

Rows::~Rows() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<bool> Rows::next() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return std::unexpected(database_.last_error());
  }
}

std::int64_t Rows::column_integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Rows::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return size == 0 ? std::string() : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Statement::Statement(Database& database, sqlite3_stmt* statement) : database_(database), handle_(statement) {}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::bind_integer(int position, std::int64_t value) {
  CHECK(sqlite3_bind_int64(handle_.get(), position, value) == SQLITE_OK);
}

// A null pointer would bind NULL.
void Statement::bind(int position, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  CHECK(sqlite3_bind_blob64(handle_.get(), position, data, value.size(), SQLITE_STATIC) == SQLITE_OK);
}

void Statement::bind(int position, Text text) {
  const char* data = text.value.empty() ? "" : text.value.data();
  const int bound = sqlite3_bind_text64(handle_.get(), position, data, text.value.size(), SQLITE_STATIC, SQLITE_UTF8);
  CHECK(bound == SQLITE_OK);
}

Database::Database(std::filesystem::path file, sqlite3* connection) : file_(std::move(file)), connection_(connection) {}

Database::~Database() = default;

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file) {
  if (const Result<void> made = make_file(file); !made) return std::unexpected(made.error());
  sqlite3* connection = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int opened = sqlite3_open_v2(file.c_str(), &connection, flags, nullptr);
  std::unique_ptr<Database> database(new Database(file, connection));
  if (opened != SQLITE_OK) return std::unexpected(database->last_error());
  if (sqlite3_db_readonly(connection, "main") == 1) {
    return fail(Code::kPermissionDenied, fmt::format("the database {} may not be written by this user", file.string()));
  }
  if (const Result<void> ready = database->configure(); !ready) return std::unexpected(ready.error());
  if (const Result<void> sound = database->verify(); !sound) return std::unexpected(sound.error());
  if (const Result<void> done = database->empty_log(); !done) return std::unexpected(done.error());
  return database;
}

// The exclusive mode comes before WAL, so that the index of the WAL lies in this process's memory and a second process
// is refused at its first look. The empty transaction takes the lock of a database that is not in WAL mode yet.
Result<void> Database::configure() {
  sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return execute(
      fmt::format("PRAGMA locking_mode = EXCLUSIVE;"
                  "PRAGMA trusted_schema = OFF;"
                  "PRAGMA cell_size_check = ON;"
                  "PRAGMA journal_mode = WAL;"
                  "PRAGMA synchronous = FULL;"
                  "PRAGMA temp_store = MEMORY;"
                  "PRAGMA cache_size = -32768;"
                  "PRAGMA wal_autocheckpoint = {};"
                  "PRAGMA journal_size_limit = {};"
                  "BEGIN EXCLUSIVE; COMMIT;",
                  kCheckpointPages, kCheckpointPages * 4096));
}

// If an earlier process met a failed fsync, the end of its WAL may be in the page cache and not on the disk, and no
// fsync of the WAL would tell. A checkpoint writes it afresh, into the database, and its fsync is of what it wrote. A
// full disk is no reason to stay down.
Result<void> Database::empty_log() {
  const Result<void> done = execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!done && done.error().code == Code::kResourceExhausted) return {};
  return done;
}

Result<void> Database::verify() {
  Result<Statement> check = prepare("PRAGMA quick_check(1)");
  if (!check) return std::unexpected(check.error());
  Rows rows = check->rows();
  const Result<bool> row = rows.next();
  if (!row) return std::unexpected(row.error());
  const std::string verdict = *row ? rows.bytes(0) : "no verdict";
  if (verdict != "ok") return std::unexpected(damaged(verdict));
  return {};
}

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(last_error());
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int prepared = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (prepared != SQLITE_OK) return std::unexpected(last_error());
  return Statement(*this, statement);
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  Result<Statement> query = prepare(sql);
  if (!query) return std::unexpected(query.error());
  Rows rows = query->rows();
  const Result<bool> row = rows.next();
  if (!row) return std::unexpected(row.error());
  CHECK(*row);
  return rows.integer(0);
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(connection_.get()); }

void Database::roll_back() {
  if (sqlite3_get_autocommit(connection_.get()) == 0) {
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Error Database::damaged(std::string_view how) const {
  return {Code::kDataLoss,
          fmt::format("the database {0} is damaged ({1}): stop Hearth, keep a copy of {0} and {0}-wal, then save what "
                      "can be read with `sqlite3 {0} .recover | sqlite3 mended.db` and put mended.db in its place",
                      file_.string(), how)};
}

Error Database::last_error() const {
  const int extended = sqlite3_extended_errcode(connection_.get());
  const int system_error = sqlite3_system_errno(connection_.get());
  const char* detail = sqlite3_errmsg(connection_.get());
  const std::string name = file_.string();
  if (extended == SQLITE_CONSTRAINT_UNIQUE) return {Code::kAlreadyExists, fmt::format("{} ({})", detail, name)};
  const int result = extended & 0xff;
  if (disk_is_full(extended, system_error)) {
    return {Code::kResourceExhausted, fmt::format("the disk that holds the database {} is full: make room", name)};
  }
  switch (result) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kFailedPrecondition,
              fmt::format("the database {} is open in another process: stop it first", name)};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(detail);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return {Code::kPermissionDenied, fmt::format("the database {} may not be written by this user", name)};
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return {Code::kResourceExhausted, fmt::format("not enough memory for the database {}", name)};
    case SQLITE_CANTOPEN:
      return fail_errno(system_error == 0 ? EIO : system_error, "cannot open the database " + name).error();
    case SQLITE_IOERR:
      return io_error(file_, system_error, detail);
    default:
      return {Code::kInternal, fmt::format("the database {} failed: {}", name, detail)};
  }
}

}  // namespace hearth::store
