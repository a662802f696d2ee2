// The store in PostgreSQL: every batch is one transaction of a few statements that carry many rows each. The sources
// that share it: postgres_store.cc (connections, the hold, transactions), postgres_rows.cc (what is written and read).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/postgres/columns.h"
#include "store/postgres/connection.h"
#include "store/shared.h"

namespace hearth::store {

class PostgresStore : public DatabaseStore {
 public:
  PostgresStore(PostgresOptions options, std::unique_ptr<Connection> server)
      : options_(std::move(options)), server_(std::move(server)) {}

  Result<Meeting> meet(const HubRow& self) override;
  Result<void> release() override;
  Result<void> begin_filling() override;
  Result<void> end_filling() override;
  Result<void> commit(const Batch& batch) override;
  Result<bool> purge(std::uint32_t limit) override;
  Result<std::vector<DeviceRow>> load_devices() override;
  Result<std::vector<EnvironmentRow>> load_environments() override;
  Result<std::vector<WorkspaceRow>> load_workspaces() override;
  Result<std::vector<AccountRow>> load_accounts() override;
  Result<std::vector<ScheduleRow>> load_schedules() override;
  Result<std::vector<DutyRow>> load_duties() override;
  Result<std::vector<BookingRow>> load_bookings() override;
  Result<std::vector<AudienceRow>> load_audiences() override;
  Result<std::vector<WatchLinkRow>> load_watch_links() override;
  Result<std::vector<WebhookRow>> load_webhooks() override;
  Result<std::vector<DeliveryRow>> load_deliveries() override;
  Result<std::vector<UsageRow>> load_usage(std::optional<DeviceId> owner, std::int64_t first, std::int64_t last,
                                           std::uint32_t limit) override;
  Result<AuditRow> last_audit() override;
  Result<std::vector<AuditRow>> load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) override;
  Result<std::vector<LiveJob>> load_live_jobs() override;
  Result<JobId> last_job_id() override;
  Result<std::optional<JobRow>> load_job(JobId id) override;
  Result<std::optional<JobId>> find_request(DeviceId owner, const std::string& request_id) override;
  Result<std::vector<JobRow>> load_jobs(std::optional<DeviceId> owner, JobId before, std::uint32_t limit) override;
  Result<std::vector<TaskRow>> load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                          bool only_failed) override;
  Result<std::vector<RangeEnd>> load_range_ends(JobId job) override;
  Result<std::array<std::uint32_t, 6>> count_tasks(JobId job) override;

 private:
  enum class Fate : std::uint8_t { kCommitted, kNot };

  Parameters of_pool() const { return Parameters().add(options_.pool); }
  Result<void> reconnect();
  Result<Table> read(const std::string& sql, const Parameters& parameters);
  Result<void> in_transaction(const std::function<Result<void>()>& work);
  Result<void> attempt(std::int64_t serial, const std::function<Result<void>()>& work);
  Result<Fate> fate_of(std::int64_t serial);
  Result<void> settle(std::int64_t serial);
  Result<void> make_known(const HubRow& self);
  Result<bool> take_hold(const HubRow& self);
  Result<bool> renew_hold();

  Result<void> write(const Batch& batch);
  Result<void> put_devices(const std::vector<DeviceRow>& devices);
  Result<void> insert_jobs(const std::vector<JobRow>& jobs);
  Result<void> apply(const std::vector<JobChange>& changes);
  Result<void> remove_jobs(const std::vector<JobId>& jobs);
  Result<void> put_accounts(const std::vector<AccountRow>& rows);
  Result<void> put_environments(const std::vector<EnvironmentRow>& rows);
  Result<void> put_workspaces(const std::vector<WorkspaceRow>& rows);
  Result<void> put_schedules(const std::vector<ScheduleRow>& rows);
  Result<void> put_duties(const std::vector<DutyRow>& rows);
  Result<void> put_bookings(const std::vector<BookingRow>& rows);
  Result<void> put_audiences(const std::vector<AudienceRow>& rows);
  Result<void> put_watch_links(const std::vector<WatchLinkRow>& rows);
  Result<void> put_webhooks(const std::vector<WebhookRow>& rows);
  Result<void> put_deliveries(const std::vector<DeliveryRow>& rows);
  Result<void> add_usage(const std::vector<UsageRow>& rows);
  Result<void> remove_named(std::string_view table, const std::vector<std::int64_t>& owners,
                            const std::vector<std::string_view>& names);
  template <class Row>
  Result<void> insert(const std::vector<Row>& rows, Conflict conflict);

  template <class Row>
  Result<std::vector<Row>> load(const std::string& rest, const Parameters& parameters);
  Result<std::vector<JobRow>> load_jobs_where(const std::string& rest, const Parameters& parameters);

  PostgresOptions options_;
  std::unique_ptr<Connection> server_;  // none: lost
  std::optional<std::int64_t> epoch_;   // of our hold
  std::int64_t last_serial_ = 0;        // of the last commit under it
  std::int64_t next_serial_ = 0;        // never given twice
  std::optional<Error> failure_;        // nothing is written any more
};

}  // namespace hearth::store
