#include "store/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace hearth::store {
namespace {

constexpr Oid kBytea = 17;
constexpr Oid kBigint = 20;
constexpr Oid kByteaArray = 1001;
constexpr Oid kBigintArray = 1016;
constexpr int kBinary = 1;

template <class Integer>
std::string big_endian(Integer value) {
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string first_line(const char* message) {
  std::string text = message == nullptr ? "" : message;
  text.resize(std::min(text.size(), text.find('\n')));
  return text.starts_with("ERROR:  ") ? text.substr(8) : text;
}

// What ours adds to what the URL says: a later keyword wins, and the URL comes later.
constexpr std::array kDefaults = {
    std::pair{"application_name", "hearth"}, std::pair{"target_session_attrs", "read-write"},
    std::pair{"connect_timeout", "3"},       std::pair{"keepalives_idle", "3"},
    std::pair{"keepalives_interval", "1"},   std::pair{"keepalives_count", "3"},
    std::pair{"tcp_user_timeout", "5000"},
};

// Of an error when connecting, which carries no SQLSTATE.
Code code_of_refusal(std::string_view message) {
  const auto says = [message](std::string_view words) { return message.find(words) != std::string_view::npos; };
  if (says("password") || says("authentication") || says("pg_hba.conf") || says("permission denied for")) {
    return Code::kPermissionDenied;
  }
  if (says("does not exist")) return Code::kFailedPrecondition;
  return Code::kUnavailable;
}

std::string remedy_of(Code code) {
  switch (code) {
    case Code::kPermissionDenied:
      return "check the user and the password in the URL, or in ~/.pgpass";
    case Code::kFailedPrecondition:
      return "make the role and the database first (createuser, createdb)";
    default:
      return "check that a server runs there and takes writes";
  }
}

// SQLSTATEs: https://www.postgresql.org/docs/15/errcodes-appendix.html
Code code_of_state(std::string_view state) {
  if (state == "23505") return Code::kAlreadyExists;
  if (state == "53100" || state == "53200") return Code::kResourceExhausted;
  if (state.starts_with("XX0") && state != "XX000") return Code::kDataLoss;
  if (state == "58030") return Code::kDataLoss;  // reading or writing failed
  if (state == "42501" || state.starts_with("28")) return Code::kPermissionDenied;
  if (state == "55P03" || state == "40001" || state == "40P01" || state == "57014") return Code::kAborted;
  if (state == "25006") return Code::kUnavailable;  // the server has become a standby
  if (state.starts_with("57P") || state.starts_with("08") || state == "25P03" || state == "53300") {
    return Code::kUnavailable;
  }
  return Code::kInternal;
}

std::string_view explanation_of(Code code) {
  switch (code) {
    case Code::kResourceExhausted:
      return "; the database server's disk or memory is full: make room there";
    case Code::kDataLoss:
      return "; the database is damaged or its disk fails: look at the server's log, and restore a backup";
    case Code::kPermissionDenied:
      return "; the database's role may not do that: let it own the database";
    default:
      return "";
  }
}

}  // namespace

Parameters& Parameters::add(std::int64_t value) {
  types_.push_back(kBigint);
  values_.push_back(big_endian(value));
  return *this;
}

Parameters& Parameters::add(std::string_view bytes) {
  types_.push_back(kBytea);
  values_.emplace_back(bytes);
  return *this;
}

// The binary form of an array: dimensions, whether it has nulls, the elements' type; the dimension's length and first
// index; the elements, each after its length.
void Parameters::add_array(std::uint32_t type, std::uint32_t element_type,
                           const std::vector<std::string_view>& elements) {
  std::string binary = big_endian<std::int32_t>(1) + big_endian<std::int32_t>(0) +
                       big_endian(static_cast<std::int32_t>(element_type)) +
                       big_endian(static_cast<std::int32_t>(elements.size())) + big_endian<std::int32_t>(1);
  for (const std::string_view element : elements) {
    binary += big_endian(static_cast<std::int32_t>(element.size()));
    binary += element;
  }
  types_.push_back(type);
  values_.push_back(std::move(binary));
}

Parameters& Parameters::add(const std::vector<std::int64_t>& values) {
  std::vector<std::string> elements;
  elements.reserve(values.size());
  for (const std::int64_t value : values) elements.push_back(big_endian(value));
  add_array(kBigintArray, kBigint, {elements.begin(), elements.end()});
  return *this;
}

Parameters& Parameters::add(const std::vector<std::string_view>& values) {
  add_array(kByteaArray, kBytea, values);
  return *this;
}

void Table::Clear::operator()(pg_result* result) const { PQclear(result); }

int Table::rows() const { return PQntuples(result_.get()); }

std::int64_t Table::changed_rows() const { return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10); }

std::int64_t Table::integer_at(int row, int column) const {
  CHECK(PQgetlength(result_.get(), row, column) == sizeof(std::int64_t));
  std::int64_t value = 0;
  std::memcpy(&value, PQgetvalue(result_.get(), row, column), sizeof value);
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

std::string Table::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

void Connection::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

// libpq's own words may repeat the URL, and with it a password.
Result<void> Connection::check_url(const std::string& url) {
  const bool scheme = url.starts_with("postgresql://") || url.starts_with("postgres://");
  PQconninfoOption* parsed = scheme ? PQconninfoParse(url.c_str(), nullptr) : nullptr;
  const bool good = parsed != nullptr;
  PQconninfoFree(parsed);
  if (good) return {};
  return fail(Code::kInvalidArgument,
              "this is no PostgreSQL URL: it is written postgresql://USER@HOST,HOST/DATABASE, with %XX for what has a "
              "meaning in URLs; the password belongs in ~/.pgpass");
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& url) {
  if (const Result<void> good = check_url(url); !good) return std::unexpected(good.error());
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : kDefaults) {
    keywords.push_back(keyword);
    values.push_back(value);
  }
  keywords.insert(keywords.end(), {"dbname", nullptr});
  values.insert(values.end(), {url.c_str(), nullptr});
  std::unique_ptr<Connection> opened(new Connection(PQconnectdbParams(keywords.data(), values.data(), 1)));
  pg_conn* connection = opened->connection_.get();
  if (connection == nullptr) return fail(Code::kResourceExhausted, "not enough memory for a connection");
  if (PQstatus(connection) != CONNECTION_OK) {
    const std::string said = first_line(PQerrorMessage(connection));
    const Code code = code_of_refusal(said);
    return fail(code, fmt::format("cannot open the pool's database: {}; {}", said, remedy_of(code)));
  }
  PQsetnonblocking(connection, 1);
  PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);  // else they are printed
  if (const Result<void> ready = opened->configure(); !ready) return std::unexpected(ready.error());
  return opened;
}

// What the server confirms must stay, whatever its configuration says for others.
Result<void> Connection::configure() {
  constexpr std::int64_t kMicrosPerMilli = 1000;
  const Result<void> set =
      script(fmt::format("SET client_min_messages = warning; SET lock_timeout = '{0}ms'; "
                         "SET idle_in_transaction_session_timeout = '{0}ms'",
                         kIdleInTransaction.micros / kMicrosPerMilli));
  if (!set) return set;
  const Result<Table> durable = run("SELECT current_setting('synchronous_commit'), current_setting('fsync')");
  if (!durable) return std::unexpected(durable.error());
  if (durable->bytes(0, 1) == "off") {
    return fail(Code::kFailedPrecondition,
                "the database server runs with fsync = off and may lose what it confirmed: set it to on");
  }
  const std::string commits = durable->bytes(0, 0);
  return commits == "off" || commits == "local" ? script("SET synchronous_commit = on") : Result<void>();
}

Error Connection::lost(std::string_view how) const {
  return {Code::kUnavailable, fmt::format("the connection to the pool's database is lost: {}", how)};
}

Error Connection::error_of(const pg_result* result) const {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr || PQstatus(connection_.get()) != CONNECTION_OK) {
    return lost(first_line(PQerrorMessage(connection_.get())));
  }
  Code code = code_of_state(state);
  const char* constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
  // A number that is given twice is our own mistake.
  if (code == Code::kAlreadyExists && constraint != nullptr && std::string_view(constraint).ends_with("_pkey")) {
    code = Code::kInternal;
  }
  return {code, fmt::format("the pool's database says: {} ({}){}", first_line(primary), state, explanation_of(code))};
}

Result<void> Connection::wait_until_read() {
  pg_conn* connection = connection_.get();
  while (true) {
    const int unsent = PQflush(connection);
    if (unsent < 0) return std::unexpected(lost(first_line(PQerrorMessage(connection))));
    if (unsent == 0 && PQisBusy(connection) == 0) return {};
    pollfd ready{.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
    if (unsent > 0) ready.events |= POLLOUT;
    const int count = ::poll(&ready, 1, static_cast<int>(kSilence.micros / 1000));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) {
      return std::unexpected(lost(fmt::format("the server said nothing for {} s", kSilence.micros / 1'000'000)));
    }
    if (PQconsumeInput(connection) == 0) return std::unexpected(lost(first_line(PQerrorMessage(connection))));
  }
}

// All results of what was sent; the last one, or the first error.
Result<Table> Connection::finish(bool sent) {
  if (!sent) return std::unexpected(lost(first_line(PQerrorMessage(connection_.get()))));
  Result<Table> last = fail(Code::kInternal, "the database gave no result");
  std::optional<Error> failure;
  while (true) {
    if (const Result<void> read = wait_until_read(); !read) return std::unexpected(read.error());
    pg_result* result = PQgetResult(connection_.get());
    if (result == nullptr) break;
    Table table(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !failure) failure = error_of(result);
    last = std::move(table);
  }
  if (failure) return std::unexpected(*failure);
  return last;
}

Result<std::string> Connection::prepared(const std::string& sql, const Parameters& parameters) {
  if (const auto known = prepared_.find(sql); known != prepared_.end()) return known->second;
  std::string name = fmt::format("q{}", prepared_.size());
  const int count = static_cast<int>(parameters.types_.size());
  const bool sent = PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), count, parameters.types_.data()) == 1;
  if (const Result<Table> done = finish(sent); !done) return std::unexpected(done.error());
  prepared_.emplace(sql, name);
  return name;
}

Result<Table> Connection::run(const std::string& sql, const Parameters& parameters) {
  const Result<std::string> name = prepared(sql, parameters);
  if (!name) return std::unexpected(name.error());
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const std::string& value : parameters.values_) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
  }
  const std::vector<int> formats(values.size(), kBinary);
  return finish(PQsendQueryPrepared(connection_.get(), name->c_str(), static_cast<int>(values.size()), values.data(),
                                    lengths.data(), formats.data(), kBinary) == 1);
}

Result<void> Connection::script(const std::string& sql) {
  const Result<Table> done = finish(PQsendQuery(connection_.get(), sql.c_str()) == 1);
  return done ? Result<void>() : std::unexpected(done.error());
}

}  // namespace hearth::store
