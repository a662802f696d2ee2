// `hearth usage`: who used how much of the pool.
#include <map>

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

constexpr const char* kNoEnergy = "energy is unknown: no node tells what it draws";

void add(v1::Usage& sum, const v1::Usage& more) {
  sum.set_tasks(sum.tasks() + more.tasks());
  sum.set_failed_tasks(sum.failed_tasks() + more.failed_tasks());
  sum.set_attempts(sum.attempts() + more.attempts());
  sum.set_core_seconds(sum.core_seconds() + more.core_seconds());
  sum.set_gpu_seconds(sum.gpu_seconds() + more.gpu_seconds());
  sum.set_memory_byte_seconds(sum.memory_byte_seconds() + more.memory_byte_seconds());
  sum.set_net_bytes(sum.net_bytes() + more.net_bytes());
  sum.set_result_bytes(sum.result_bytes() + more.result_bytes());
}

// One row for each owner, or for each day; the other is left empty. As they are if neither is asked for.
v1::ListUsageReply grouped(const v1::ListUsageReply& reply, const std::string& by) {
  if (by.empty()) return reply;
  const bool by_owner = by == "owner";
  std::map<std::pair<std::string, std::uint64_t>, v1::Usage> groups;
  for (const v1::Usage& row : reply.rows()) {
    const bool is_new =
        !groups.contains(by_owner ? std::pair(std::string(), row.owner_id()) : std::pair(row.day(), std::uint64_t{0}));
    v1::Usage& sum =
        groups[by_owner ? std::pair(std::string(), row.owner_id()) : std::pair(row.day(), std::uint64_t{0})];
    if (is_new && by_owner) {
      sum.set_owner_id(row.owner_id());
      sum.set_owner(row.owner());
    } else if (is_new) {
      sum.set_day(row.day());
    }
    add(sum, row);
  }
  v1::ListUsageReply sums;
  sums.set_own_only(reply.own_only());
  for (auto& [key, sum] : groups) *sums.add_rows() = std::move(sum);
  return sums;
}

void print_csv(const v1::ListUsageReply& reply) {
  print(csv_line({"owner_id", "owner", "day", "tasks", "failed_tasks", "attempts", "core_seconds", "gpu_seconds",
                  "memory_byte_seconds", "net_bytes", "result_bytes", "energy_joules"}));
  for (const v1::Usage& row : reply.rows()) {
    print(csv_line({row.owner_id() == 0 ? "" : fmt::format("{}", row.owner_id()), row.owner(), row.day(),
                    fmt::format("{}", row.tasks()), fmt::format("{}", row.failed_tasks()),
                    fmt::format("{}", row.attempts()), fmt::format("{:.3f}", row.core_seconds()),
                    fmt::format("{:.3f}", row.gpu_seconds()), fmt::format("{:.0f}", row.memory_byte_seconds()),
                    fmt::format("{}", row.net_bytes()), fmt::format("{}", row.result_bytes()), "unknown"}));
  }
}

void print_table(const v1::ListUsageReply& reply) {
  Table table({{"OWNER"},
               {"DAY"},
               {"TASKS", true},
               {"FAILED", true},
               {"CORE-HOURS", true},
               {"GPU-HOURS", true},
               {"GIB-HOURS", true},
               {"NETWORK", true},
               {"RESULTS", true}});
  constexpr double kHour = 3600;
  constexpr double kGibibyte = 1024.0 * 1024 * 1024;
  for (const v1::Usage& row : reply.rows()) {
    table.add({row.owner_id() == 0 ? "everybody" : row.owner(), row.day().empty() ? "all" : row.day(),
               format_count(row.tasks()), format_count(row.failed_tasks()),
               fmt::format("{:.2f}", row.core_seconds() / kHour), fmt::format("{:.2f}", row.gpu_seconds() / kHour),
               fmt::format("{:.2f}", row.memory_byte_seconds() / kHour / kGibibyte), format_bytes(row.net_bytes()),
               format_bytes(row.result_bytes())});
  }
  if (table.empty()) return say("nothing was used in that time");
  print(table.text());
  say(kNoEnergy);
  if (reply.own_only()) say("these are this device's own: only devices of ring home are shown others'");
}

}  // namespace

Result<int> show_usage(const Context& context, const UsageOptions& options) {
  if (!options.by.empty() && options.by != "owner" && options.by != "day") {
    return fail(Code::kInvalidArgument, fmt::format("--by {}: owner or day", plain(options.by)));
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
