// `hearth usage`: who used how much of the pool.
#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/usage.pb.h"

namespace hearth::cli {
namespace {

constexpr const char* kNoEnergy =
    "the energy of some of it is unknown: say what a PC draws with hearth limit --watts there";

void add(v1::Usage& sum, const v1::Usage& more) {
  sum.set_tasks(sum.tasks() + more.tasks());
  sum.set_failed_tasks(sum.failed_tasks() + more.failed_tasks());
  sum.set_attempts(sum.attempts() + more.attempts());
  sum.set_core_seconds(sum.core_seconds() + more.core_seconds());
  sum.set_gpu_seconds(sum.gpu_seconds() + more.gpu_seconds());
  sum.set_memory_byte_seconds(sum.memory_byte_seconds() + more.memory_byte_seconds());
  sum.set_net_bytes(sum.net_bytes() + more.net_bytes());
  sum.set_result_bytes(sum.result_bytes() + more.result_bytes());
  sum.set_energy_joules(sum.energy_joules() + more.energy_joules());
  sum.set_unmetered_core_seconds(sum.unmetered_core_seconds() + more.unmetered_core_seconds());
}

// The row without what is not asked for.
v1::Usage key_of(const v1::Usage& row, const std::string& by) {
  v1::Usage key;
  if (by == "day") key.set_day(row.day());
  if (by == "account") key.set_account(row.account());
  if (by == "account" || by == "firm") key.set_firm(row.firm());
  // What counts for no account counts for the device itself.
  if (by == "owner" || (by == "account" && row.account().empty())) {
    key.set_owner_id(row.owner_id());
    key.set_owner(row.owner());
  }
  return key;
}

// One row for each owner, account, firm or day; the rest is left empty. As they are if none is asked for.
v1::ListUsageReply grouped(const v1::ListUsageReply& reply, const std::string& by) {
  if (by.empty()) return reply;
  std::map<std::tuple<std::string, std::string, std::string, std::uint64_t>, v1::Usage> groups;
  for (const v1::Usage& row : reply.rows()) {
    const v1::Usage key = key_of(row, by);
    add(groups.try_emplace({key.day(), key.firm(), key.account(), key.owner_id()}, key).first->second, row);
  }
  v1::ListUsageReply sums;
  sums.set_own_only(reply.own_only());
  for (auto& [key, sum] : groups) *sums.add_rows() = std::move(sum);
  return sums;
}

// Energy is known of the part of the work that ran where it is said.
bool is_metered(const v1::Usage& row) { return row.unmetered_core_seconds() < row.core_seconds(); }

void print_csv(const v1::ListUsageReply& reply) {
  print(csv_line({"owner_id", "owner", "account", "firm", "day", "tasks", "failed_tasks", "attempts", "core_seconds",
                  "gpu_seconds", "memory_byte_seconds", "net_bytes", "result_bytes", "energy_joules",
                  "unmetered_core_seconds"}));
  for (const v1::Usage& row : reply.rows()) {
    print(csv_line({row.owner_id() == 0 ? "" : fmt::format("{}", row.owner_id()), row.owner(), row.account(),
                    row.firm(), row.day(), fmt::format("{}", row.tasks()), fmt::format("{}", row.failed_tasks()),
                    fmt::format("{}", row.attempts()), fmt::format("{:.3f}", row.core_seconds()),
                    fmt::format("{:.3f}", row.gpu_seconds()), fmt::format("{:.0f}", row.memory_byte_seconds()),
                    fmt::format("{}", row.net_bytes()), fmt::format("{}", row.result_bytes()),
                    is_metered(row) ? fmt::format("{:.3f}", row.energy_joules()) : "unknown",
                    fmt::format("{:.3f}", row.unmetered_core_seconds())}));
  }
}

std::string energy_of(const v1::Usage& row) {
  constexpr double kKilowattHour = 3'600'000;
  if (!is_metered(row)) return "?";
  return fmt::format("{:.3f}{}", row.energy_joules() / kKilowattHour, row.unmetered_core_seconds() > 0 ? " + ?" : "");
}

void print_table(const v1::ListUsageReply& reply) {
  Table table({{"OWNER"},
               {"ACCOUNT"},
               {"FIRM"},
               {"DAY"},
               {"TASKS", true},
               {"FAILED", true},
               {"CORE-HOURS", true},
               {"GPU-HOURS", true},
               {"GIB-HOURS", true},
               {"KWH", true},
               {"NETWORK", true},
               {"RESULTS", true}});
  constexpr double kHour = 3600;
  constexpr double kGibibyte = 1024.0 * 1024 * 1024;
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  bool is_unknown = false;
  for (const v1::Usage& row : reply.rows()) {
    is_unknown = is_unknown || row.unmetered_core_seconds() > 0;
    table.add({row.owner_id() == 0 ? "everybody" : row.owner(), or_dash(row.account()), or_dash(row.firm()),
               row.day().empty() ? "all" : row.day(), format_count(row.tasks()), format_count(row.failed_tasks()),
               fmt::format("{:.2f}", row.core_seconds() / kHour), fmt::format("{:.2f}", row.gpu_seconds() / kHour),
               fmt::format("{:.2f}", row.memory_byte_seconds() / kHour / kGibibyte), energy_of(row),
               format_bytes(row.net_bytes()), format_bytes(row.result_bytes())});
  }
  if (table.empty()) return say("nothing was used in that time");
  print(table.text());
  if (is_unknown) say(kNoEnergy);
  if (reply.own_only()) say("these are this device's own: only devices of ring home are shown others'");
}

}  // namespace

Result<int> show_usage(const Context& context, const UsageOptions& options) {
  constexpr std::array<std::string_view, 5> kGroups = {"", "owner", "account", "firm", "day"};
  if (std::ranges::find(kGroups, options.by) == kGroups.end()) {
    return fail(Code::kInvalidArgument, fmt::format("--by {}: owner, account, firm or day", plain(options.by)));
  }
  v1::ListUsageRequest request;
  if (!options.since.empty()) {
    if (const Result<WallTime> since = parse_day("--since", options.since); !since) {
      return std::unexpected(since.error());
    }
    request.set_since(options.since);
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListUsageReply> reply = (*client)->call<v1::ListUsageReply>("hearth.v1.UsageService/List", request);
  if (!reply) return std::unexpected(reply.error());
  const v1::ListUsageReply shown = grouped(*reply, options.by);
  if (context.json) {
    print(message_json(shown));
  } else if (options.csv) {
    print_csv(shown);
  } else {
    print_table(shown);
  }
  return 0;
}

}  // namespace hearth::cli
