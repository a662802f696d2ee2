// The columns of every kind of row, each named once: what is written, what is read and the statements themselves follow
// from these lists. To add a column, add its line here and a migration in schema.cc.
//
// A list is a function that visits the members of a row in the table's order. Integers, enumerations, ids and moments
// are bigint; strings are bytea, so that nothing a person may call a thing is refused by a database's encoding.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "store/postgres/connection.h"
#include "store/shared.h"
#include "store/store.h"

namespace hearth::store {

// Each row type's table, the columns that name a row within its pool, and the list.
template <class Row>
struct TableOf;

template <>
struct TableOf<DeviceRow> {
  static constexpr std::string_view kName = "devices";
  static constexpr std::string_view kKey = "id";
  static void visit(auto& row, auto&& column) {
    column("id", row.id.value);
    column("name", row.name);
    column("role", row.role);
    column("key_kind", row.key_kind);
    column("key", row.key);
    column("paired", row.paired.unix_millis);
    column("last_seen", row.last_seen.unix_millis);
    column("revoked", row.revoked);
    column("ring", row.ring);
    column("expires", row.expires.unix_millis);
    column("account", row.account.value);
  }
};

template <>
struct TableOf<JobRow> {
  static constexpr std::string_view kName = "jobs";
  static constexpr std::string_view kKey = "id";
  static void visit(auto& row, auto&& column) {
    column("id", row.request.id.value);
    column("state", row.state);
    column("owner", row.request.owner.value);
    column("tasks", row.request.tasks);
    column("cores", row.request.per_task.cores);
    column("memory_bytes", row.request.per_task.memory_bytes);
    column("gpus", row.request.per_task.gpus);
    column("retries", row.request.retries);
    column("submitted", row.submitted.unix_millis);
    column("started", row.started.unix_millis);
    column("ended", row.ended.unix_millis);
    column("request_id", row.request_id);
    column("spec", row.spec);
    column("environment", row.environment);
    column("ring", row.ring);
  }
};

// That a job runs after another, in the order given.
struct AfterRow {
  JobId job;
  std::uint32_t position = 0;
  JobId after;
};

template <>
struct TableOf<AfterRow> {
  static constexpr std::string_view kName = "job_after";
  static constexpr std::string_view kKey = "job, position";
  static void visit(auto& row, auto&& column) {
    column("job", row.job.value);
    column("position", row.position);
    column("after", row.after.value);
  }
};

template <>
struct TableOf<TaskRow> {
  static constexpr std::string_view kName = "tasks";
  static constexpr std::string_view kKey = "job, task";
  static void visit(auto& row, auto&& column) {
    column("job", row.task.job.value);
    column("task", row.task.index);
    column("state", row.state);
    column("epoch", row.epoch);
    column("attempts", row.attempts);
    column("failures", row.failures);
    column("node", row.node.value);
    column("started", row.started.unix_millis);
    column("ended", row.ended.unix_millis);
    column("copy_epoch", row.copy_epoch);
    column("copy_node", row.copy_node.value);
    column("copy_started", row.copy_started.unix_millis);
    column("outcome", row.outcome);
  }
};

template <>
struct TableOf<RangeEnd> {
  static constexpr std::string_view kName = "range_ends";
  static constexpr std::string_view kKey = "job, first";
  static void visit(auto& row, auto&& column) {
    column("job", row.job.value);
    column("first", row.first);
    column("count", row.count);
    column("state", row.state);
    column("why", row.why);
  }
};

template <>
struct TableOf<EnvironmentRow> {
  static constexpr std::string_view kName = "environments";
  static constexpr std::string_view kKey = "name";
  static void visit(auto& row, auto&& column) {
    column("name", row.name);
    column("sha256", row.sha256);
    column("size", row.size);
    column("description", row.description);
    column("made", row.made.unix_millis);
  }
};

template <>
struct TableOf<AccountRow> {
  static constexpr std::string_view kName = "accounts";
  static constexpr std::string_view kKey = "id";
  static void visit(auto& row, auto&& column) {
    column("id", row.id.value);
    column("name", row.name);
    column("weight", row.weight);
    column("cores", row.most.cores);
    column("memory_bytes", row.most.memory_bytes);
    column("gpus", row.most.gpus);
    column("firm", row.firm.value);
    column("is_firm", row.is_firm);
  }
};

template <>
struct TableOf<WorkspaceRow> {
  static constexpr std::string_view kName = "workspaces";
  static constexpr std::string_view kKey = "owner, name";
  static void visit(auto& row, auto&& column) {
    column("owner", row.id.owner.value);
    column("name", row.id.name);
    column("node", row.node.value);
    column("bytes", row.bytes);
    column("leaving", row.leaving);
    column("used_bytes", row.used_bytes);
    column("made", row.made.unix_millis);
    column("last_used", row.last_used.unix_millis);
  }
};

template <>
struct TableOf<ScheduleRow> {
  static constexpr std::string_view kName = "schedules";
  static constexpr std::string_view kKey = "owner, name";
  static void visit(auto& row, auto&& column) {
    column("owner", row.owner.value);
    column("name", row.name);
    column("cron", row.cron);
    column("overlap", row.overlap);
    column("made", row.made.unix_millis);
    column("next", row.next.unix_millis);
    column("last_due", row.last_due.unix_millis);
    column("last_job", row.last_job.value);
    column("last_trouble", row.last_trouble);
    column("spec", row.spec);
  }
};

template <>
struct TableOf<DutyRow> {
  static constexpr std::string_view kName = "duties";
  static constexpr std::string_view kKey = "node";
  static void visit(auto& row, auto&& column) {
    column("node", row.node.value);
    column("duty", row.duty);
    column("grace_ends", row.grace_ends.unix_millis);
  }
};

template <>
struct TableOf<BookingRow> {
  static constexpr std::string_view kName = "bookings";
  static constexpr std::string_view kKey = "id";
  static void visit(auto& row, auto&& column) {
    column("id", row.id.value);
    column("account", row.account.value);
    column("nodes", row.nodes);
    column("condition", row.where);
    column("begins", row.from.unix_millis);
    column("ends", row.until.unix_millis);
    column("notice", row.notice_millis);
    column("made_by", row.made_by.value);
  }
};

template <>
struct TableOf<AudienceRow> {
  static constexpr std::string_view kName = "audiences";
  static constexpr std::string_view kKey = "job, person";
  static void visit(auto& row, auto&& column) {
    column("job", row.job.value);
    column("person", row.person.value);
    column("may_control", row.may_control);
    column("controls", row.controls);
  }
};

template <>
struct TableOf<WatchLinkRow> {
  static constexpr std::string_view kName = "watch_links";
  static constexpr std::string_view kKey = "job, number";
  static void visit(auto& row, auto&& column) {
    column("job", row.job.value);
    column("number", row.number);
    column("secret_hash", row.secret_hash);
    column("label", row.label);
    column("maker", row.maker.value);
    column("made", row.made.unix_millis);
    column("expires", row.expires.unix_millis);
    column("most_players", row.most_players);
  }
};

template <>
struct TableOf<WebhookRow> {
  static constexpr std::string_view kName = "webhooks";
  static constexpr std::string_view kKey = "id";
  static void visit(auto& row, auto&& column) {
    column("id", row.id);
    column("owner", row.owner.value);
    column("url", row.url);
    column("secret", row.secret);
    column("kinds", row.kinds);
    column("job", row.job.value);
    column("name_pattern", row.name_pattern);
    column("may_be_private", row.may_be_private);
    column("made", row.made.unix_millis);
    column("delivered", row.delivered);
    column("given_up", row.given_up);
    column("last_delivered", row.last_delivered.unix_millis);
    column("last_failed", row.last_failed.unix_millis);
    column("last_trouble", row.last_trouble);
  }
};

template <>
struct TableOf<DeliveryRow> {
  static constexpr std::string_view kName = "deliveries";
  static constexpr std::string_view kKey = "id";
  static void visit(auto& row, auto&& column) {
    column("id", row.id);
    column("webhook", row.webhook);
    column("kind", row.kind);
    column("made", row.made.unix_millis);
    column("next", row.next.unix_millis);
    column("tries", row.tries);
    column("body", row.body);
  }
};

template <>
struct TableOf<UsageRow> {
  static constexpr std::string_view kName = "usage";
  static constexpr std::string_view kKey = "day, owner, account, firm";
  static void visit(auto& row, auto&& column) {
    column("day", row.day);
    column("owner", row.owner.value);
    column("account", row.account);
    column("firm", row.firm);
    column("tasks", row.tasks);
    column("failed_tasks", row.failed_tasks);
    column("attempts", row.attempts);
    column("core_millis", row.core_millis);
    column("gpu_millis", row.gpu_millis);
    column("memory_mib_seconds", row.memory_mib_seconds);
    column("net_bytes", row.net_bytes);
    column("result_bytes", row.result_bytes);
    column("energy_millijoules", row.energy_millijoules);
    column("unmetered_core_millis", row.unmetered_core_millis);
  }
};

template <>
struct TableOf<AuditRow> {
  static constexpr std::string_view kName = "audit";
  static constexpr std::string_view kKey = "number";
  static void visit(auto& row, auto&& column) {
    column("number", row.number);
    column("at", row.at.unix_millis);
    column("hash", row.hash);
    column("statement", row.statement);
  }
};

template <>
struct TableOf<HubRow> {
  static constexpr std::string_view kName = "hubs";
  static constexpr std::string_view kKey = "identity";
  static void visit(auto& row, auto&& column) {
    column("identity", row.identity);
    column("name", row.name);
    column("endpoints", row.endpoints);
    column("secret", row.secret);
    column("command_line_key", row.command_line_key);
    column("node_key", row.node_key);
  }
};

// --- what follows from the lists ------------------------------------------------------------------------------------

// The rows' columns as one array parameter each, to be added to a statement that begins with the pool.
class ArraysOf {
 public:
  template <class Row>
  explicit ArraysOf(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      std::size_t number = 0;
      TableOf<Row>::visit(row, [&](const char*, const auto& value) { put(number++, value); });
    }
  }
  void add_to(Parameters& parameters) const {
    for (const Array& array : arrays_) {
      array.strings.empty() ? parameters.add(array.integers) : parameters.add(array.strings);
    }
  }

 private:
  struct Array {
    std::vector<std::int64_t> integers;
    std::vector<std::string_view> strings;
  };

  template <class Value>
  void put(std::size_t number, const Value& value) {
    if (number == arrays_.size()) arrays_.emplace_back();
    if constexpr (std::same_as<Value, std::string>) {
      arrays_[number].strings.emplace_back(value);
    } else {
      arrays_[number].integers.push_back(static_cast<std::int64_t>(value));
    }
  }

  std::vector<Array> arrays_;
};

// "id, name, role"
template <class Row>
std::string column_names() {
  std::string names;
  const Row row{};
  TableOf<Row>::visit(row,
                      [&](const char* name, const auto&) { names += (names.empty() ? "" : ", ") + std::string(name); });
  return names;
}

// The row whose columns begin at `column`, in the list's order.
template <class Row>
Row read_row(const Table& table, int row_number, int column = 0) {
  Row row{};
  TableOf<Row>::visit(row, [&]<class Value>(const char*, Value& value) {
    if constexpr (std::same_as<Value, std::string>) {
      value = table.bytes(row_number, column++);
    } else {
      value = static_cast<Value>(table.integer(row_number, column++));
    }
  });
  return row;
}

enum class Conflict : std::uint8_t { kRefuse, kReplace };

// Inserts rows that come as arrays after $1, the pool, in their order.
template <class Row>
std::string insert_sql(Conflict conflict) {
  std::string arrays;
  std::string replaced;
  int number = 1;
  const Row row{};
  TableOf<Row>::visit(row, [&]<class Value>(const char* name, const Value&) {
    const char* type = std::same_as<std::remove_const_t<Value>, std::string> ? "bytea" : "bigint";
    arrays += fmt::format("{}${}::{}[]", arrays.empty() ? "" : ", ", ++number, type);
    replaced += fmt::format("{0}{1} = excluded.{1}", replaced.empty() ? "" : ", ", name);
  });
  const std::string names = column_names<Row>();
  std::string sql = fmt::format(
      "INSERT INTO {0} (pool, {1}) SELECT $1, {1} FROM unnest({2}) WITH ORDINALITY AS given ({1}, n) ORDER BY n",
      TableOf<Row>::kName, names, arrays);
  if (conflict == Conflict::kReplace) {
    sql += fmt::format(" ON CONFLICT (pool, {}) DO UPDATE SET {}", TableOf<Row>::kKey, replaced);
  }
  return sql;
}

}  // namespace hearth::store
