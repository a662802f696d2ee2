// UsageService.
#include <fmt/format.h>

#include "base/sizes.h"
#include "hearth/v1/usage.pb.h"
#include "hub/parts.h"
#include "hub/usage.h"

namespace hearth::hub {
namespace {

constexpr std::int64_t kDefaultDays = 30;
constexpr std::int64_t kMaxDays = 3'660;
constexpr std::uint32_t kMaxRows = 100'000;

v1::Usage to_proto(const store::UsageRow& row, const Devices& devices) {
  v1::Usage usage;
  usage.set_owner_id(row.owner.value);
  usage.set_owner(devices.name(row.owner));
  usage.set_day(day_text(row.day));
  usage.set_tasks(static_cast<std::uint64_t>(row.tasks));
  usage.set_failed_tasks(static_cast<std::uint64_t>(row.failed_tasks));
  usage.set_attempts(static_cast<std::uint64_t>(row.attempts));
  usage.set_core_seconds(static_cast<double>(row.core_millis) / 1000);
  usage.set_gpu_seconds(static_cast<double>(row.gpu_millis) / 1000);
  usage.set_memory_byte_seconds(static_cast<double>(row.memory_mib_seconds) * kMiB);
  usage.set_net_bytes(static_cast<std::uint64_t>(row.net_bytes));
  usage.set_result_bytes(static_cast<std::uint64_t>(row.result_bytes));
  usage.set_energy_joules(static_cast<double>(row.energy_millijoules) / 1000);
  usage.set_unmetered_core_seconds(static_cast<double>(row.unmetered_core_millis) / 1000);
  usage.set_account(row.account);
  usage.set_firm(row.firm);
  return usage;
}

net::Async<Result<v1::ListUsageReply>> list(Parts& parts, const v1::ListUsageRequest& request,
                                            const net::Caller& caller) {
  const Visibility visible = parts.devices.visible_to(caller.device);
  const Result<std::int64_t> until = request.until().empty() ? day_of(wall_now()) : parse_day("until", request.until());
  if (!until) co_return std::unexpected(until.error());
  const Result<std::int64_t> since =
      request.since().empty() ? *until - kDefaultDays + 1 : parse_day("since", request.since());
  if (!since) co_return std::unexpected(since.error());
  if (*until - *since >= kMaxDays) co_return fail(Code::kInvalidArgument, "since: at most 3,660 days at once");
  const auto owner = visible.is_whole() ? std::nullopt : std::optional(visible.device());
  Result<std::vector<store::UsageRow>> rows = co_await parts.engine.ask(
      [&](store::Store& store) { return store.load_usage(owner, *since, *until, kMaxRows + 1); });
  if (!rows) co_return std::unexpected(rows.error());
  if (rows->size() > kMaxRows) {
    co_return fail(Code::kResourceExhausted, "there are more than 100,000 rows in that time: ask for fewer days");
  }
  v1::ListUsageReply reply;
  for (const store::UsageRow& row : *rows) *reply.add_rows() = to_proto(row, parts.devices);
  reply.set_own_only(!visible.is_whole());
  co_return reply;
}

}  // namespace

void add_usage_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListUsageRequest, v1::ListUsageReply>(
      "hearth.v1.UsageService.List",
      [&parts](const v1::ListUsageRequest& request, net::Caller& caller) { return list(parts, request, caller); });
}

}  // namespace hearth::hub
