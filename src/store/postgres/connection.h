// The little of libpq that the store needs: one connection, statements that are prepared when they are first run,
// values in binary, errors as Results, and an end to all waiting.
//
//   Result<std::unique_ptr<Connection>> server = Connection::open("postgresql://db1,db2/hearth");
//   Result<Table> jobs = (*server)->run("SELECT id FROM jobs WHERE owner = $1", Parameters().add(7));
//
// Integers are bigint, strings bytea, vectors arrays of these. A server that says nothing for kSilence counts as lost.
// One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

struct pg_conn;
struct pg_result;

namespace hearth::store {

// How long a server may be silent; also how long its side lets a transaction of ours lie idle, so that a hub which
// stands still in the midst of one does not keep the next hub from taking over for longer.
inline constexpr Duration kSilence = seconds(15);
inline constexpr Duration kIdleInTransaction = seconds(3);

// Of a statement, in the order of $1, $2, ...
class Parameters {
 public:
  Parameters& add(std::int64_t value);
  Parameters& add(std::uint64_t value) { return add(static_cast<std::int64_t>(value)); }
  Parameters& add(std::string_view bytes);
  Parameters& add(const std::vector<std::int64_t>& values);
  Parameters& add(const std::vector<std::string_view>& values);

 private:
  friend class Connection;
  void add_array(std::uint32_t type, std::uint32_t element_type, const std::vector<std::string_view>& elements);

  std::vector<std::uint32_t> types_;
  std::vector<std::string> values_;
};

// What a statement gave.
class Table {
 public:
  explicit Table(pg_result* result) : result_(result) {}

  int rows() const;
  std::int64_t changed_rows() const;
  template <class T = std::int64_t>
  T integer(int row, int column) const {
    return static_cast<T>(integer_at(row, column));
  }
  std::string bytes(int row, int column) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::int64_t integer_at(int row, int column) const;

  std::unique_ptr<pg_result, Clear> result_;
};

class Connection {
 public:
  // The URL is libpq's (postgresql://...), with as many hosts as there are servers; of these the one that takes writes
  // is chosen, unless the URL says otherwise. Errors: kInvalidArgument (no such URL), kUnavailable (nobody answers),
  // kPermissionDenied, kFailedPrecondition (no such database, or one that may lose what it confirmed). No error shows a
  // password.
  static Result<std::unique_ptr<Connection>> open(const std::string& url);
  // Whether it is such a URL: nothing is dialled.
  static Result<void> check_url(const std::string& url);

  // Errors: kUnavailable (the connection is lost: open another), kResourceExhausted (disk full), kAlreadyExists (a
  // unique index), kPermissionDenied, kDataLoss, kAborted (a lock was not given in time), kInternal.
  Result<Table> run(const std::string& sql, const Parameters& parameters = {});
  // Several statements without parameters, outside of a transaction one of their own.
  Result<void> script(const std::string& sql);

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  explicit Connection(pg_conn* connection) : connection_(connection) {}
  Result<void> configure();
  Result<std::string> prepared(const std::string& sql, const Parameters& parameters);
  Result<Table> finish(bool sent);
  Result<void> wait_until_read();
  Error error_of(const pg_result* result) const;
  Error lost(std::string_view how) const;

  std::unique_ptr<pg_conn, Finish> connection_;
  std::map<std::string, std::string> prepared_;  // SQL to the statement's name
};

}  // namespace hearth::store
