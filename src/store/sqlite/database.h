// The little of SQLite that the store needs: a connection, prepared statements and their rows, with errors as Results.
//
//   Result<Statement> insert = database.prepare("INSERT INTO seen VALUES (?1, ?2)");
//   Result<void> done = insert->run(7, std::string_view("bytes"));
//   Rows rows = select->rows(7);
//   for (Result<bool> more = rows.next(); ; more = rows.next()) { ... }
//
// Integers are bound as INTEGER, string_views as BLOB, Text as TEXT. One thread at a time.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hearth::store {

class Database;

struct Text {
  std::string_view value;
};

// The rows of one execution. The statement is reset when this goes, which ends SQLite's read transaction.
class Rows {
 public:
  Rows(Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  // Goes to the next row (at first: to the first one); false after the last.
  Result<bool> next();

  // Of the current row; an unsigned value above 2^63 comes back as it was bound.
  template <class T = std::int64_t>
  T integer(int column) const {
    return static_cast<T>(column_integer(column));
  }
  std::string bytes(int column) const;

 private:
  std::int64_t column_integer(int column) const;

  Database& database_;
  sqlite3_stmt* statement_;
};

// Calls read(rows) for each row.
template <class Read>
Result<void> each(Rows& rows, const Read& read) {
  while (true) {
    const Result<bool> more = rows.next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    read(rows);
  }
}

class Statement {
 public:
  Statement(Database& database, sqlite3_stmt* statement);

  // Runs a statement that gives no rows.
  template <class... Values>
  Result<void> run(const Values&... values) {
    Rows result = rows(values...);
    if (const Result<bool> done = result.next(); !done) return std::unexpected(done.error());
    return {};
  }

  // The strings must outlive the Rows, and the Rows must go before the statement is used again.
  template <class... Values>
  Rows rows(const Values&... values) {
    int position = 0;
    (bind(++position, values), ...);
    return Rows(database_, handle_.get());
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  void bind(int position, std::integral auto value) { bind_integer(position, static_cast<std::int64_t>(value)); }
  void bind(int position, std::string_view value);
  void bind(int position, Text value);
  void bind_integer(int position, std::int64_t value);

  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  // Opens or makes (mode 0600) the file and takes it for this process alone. Errors as open_sqlite()'s.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file);

  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One or several statements without parameters; rows are dropped.
  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> integer(std::string_view sql);  // the one value that a query gives
  std::int64_t changed_rows() const;                   // by the last statement that wrote

  // Ends a transaction that failed; SQLite may have ended it already.
  void roll_back();

  // What the connection's last call has failed with.
  Error last_error() const;
  Error damaged(std::string_view how) const;
  const std::filesystem::path& file() const { return file_; }
  sqlite3* connection() const { return connection_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };

  Database(std::filesystem::path file, sqlite3* connection);
  Result<void> configure();
  Result<void> verify();
  Result<void> empty_log();

  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace hearth::store
