// The store of a hub that keeps its pool in a file of its own, and of the one that stands by with a copy of that file
// on another PC. Which of them holds the pool is decided by core/succession; this carries it out.
//
// The holder hands each commit to its partner before anybody hears of it. A partner that does not take one keeps nobody
// waiting for more than some seconds: it follows no more until it has been sent what it lacks, or the whole file. With
// a witness, nothing is said meanwhile until that has noted it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/succession/succession.h"
#include "hearth/v1/hubs.pb.h"
#include "hub/hub.h"
#include "hub/partner.h"
#include "store/journal.h"
#include "store/shared.h"

namespace hearth::hub {

// A person's word that the hub of this PC is to take over: a file with this name in the hub's directory.
inline constexpr const char* kTakeOverFile = "take-over";

class PairStore : public store::SharedStore {
 public:
  struct Start {
    std::filesystem::path directory;  // has pool.db
    std::string pool_name;            // given to a new pool
    store::HubRow self;
  };
  // Errors: those of store::open_sqlite().
  static Result<std::unique_ptr<PairStore>> open(Start start);

  // --- the store's thread, as all that a Store does
  Result<store::Meeting> meet(const store::HubRow& self) override;
  Result<void> release() override;
  void note_files(bool in_step) override { files_in_step_ = in_step; }
  Result<v1::Greeting> take_commits(const v1::PassOn& commits);
  Result<v1::Greeting> take_copy(const std::filesystem::path& file);
  Result<v1::AddStandbyReply> add_standby(const store::HubRow& hub);
  Result<std::string> remove_standby();  // its name
  Result<void> set_witness(DeviceId node);

  // --- any thread
  // What the partner said, and what it is answered. Errors: kPermissionDenied (it is not our partner).
  Result<v1::Greeting> greeted(const v1::Greeting& by);
  v1::Greeting greeting() const;
  std::string witness_secret() const;  // empty: there is no witness
  // Nobody can have taken over meanwhile: there is no other hub, or a person would have to say so; the witness has
  // noted that we are alone; or the partner has answered, within seconds of being asked, that it does not hold.
  bool is_surely_holder() const;
  // What the witness said, and what it is wanted to note.
  v1::WitnessAsk witnessed(const v1::WitnessWord& word);
  v1::WitnessAsk ask() const;
  void give_up();                              // the hub ends: waits for nobody any more
  void on_ask(std::function<void()> handler);  // called on the store's thread when the witness is wanted

  Result<void> commit(const store::Batch& batch) override;
  Result<bool> purge(std::uint32_t limit) override;
  Result<std::vector<store::DeviceRow>> load_devices() override { return journal_->load_devices(); }
  Result<std::vector<store::EnvironmentRow>> load_environments() override { return journal_->load_environments(); }
  Result<std::vector<store::WorkspaceRow>> load_workspaces() override { return journal_->load_workspaces(); }
  Result<std::vector<store::AccountRow>> load_accounts() override { return journal_->load_accounts(); }
  Result<std::vector<store::ScheduleRow>> load_schedules() override { return journal_->load_schedules(); }
  Result<std::vector<store::DutyRow>> load_duties() override { return journal_->load_duties(); }
  Result<std::vector<store::BookingRow>> load_bookings() override { return journal_->load_bookings(); }
  Result<std::vector<store::AudienceRow>> load_audiences() override { return journal_->load_audiences(); }
  Result<std::vector<store::WatchLinkRow>> load_watch_links() override { return journal_->load_watch_links(); }
  Result<std::vector<store::WebhookRow>> load_webhooks() override { return journal_->load_webhooks(); }
  Result<std::vector<store::DeliveryRow>> load_deliveries() override { return journal_->load_deliveries(); }
  Result<std::vector<store::UsageRow>> load_usage(std::optional<DeviceId> owner, std::int64_t first, std::int64_t last,
                                                  std::uint32_t limit) override {
    return journal_->load_usage(owner, first, last, limit);
  }
  Result<store::AuditRow> last_audit() override { return journal_->last_audit(); }
  Result<std::vector<store::AuditRow>> load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) override {
    return journal_->load_audit(after, since, limit);
  }
  Result<std::vector<store::LiveJob>> load_live_jobs() override { return journal_->load_live_jobs(); }
  Result<JobId> last_job_id() override { return journal_->last_job_id(); }
  Result<std::optional<store::JobRow>> load_job(JobId id) override { return journal_->load_job(id); }
  Result<std::optional<JobId>> find_request(DeviceId owner, const std::string& request_id) override {
    return journal_->find_request(owner, request_id);
  }
  Result<std::vector<store::JobRow>> load_jobs(std::optional<DeviceId> owner, JobId before,
                                               std::uint32_t limit) override {
    return journal_->load_jobs(owner, before, limit);
  }
  Result<std::vector<store::TaskRow>> load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                                 bool only_failed) override {
    return journal_->load_tasks(job, first, limit, only_failed);
  }
  Result<std::vector<store::RangeEnd>> load_range_ends(JobId job) override { return journal_->load_range_ends(job); }
  Result<std::array<std::uint32_t, 6>> count_tasks(JobId job) override { return journal_->count_tasks(job); }

 private:
  explicit PairStore(Start start) : directory_(std::move(start.directory)), self_(std::move(start.self)) {}

  Result<void> begin(const std::string& pool_name);
  Result<void> reopen();
  store::ChangeLog& log() { return journal_->changes(); }
  const store::Place& place() const { return journal_->changes().place(); }
  void set_partner(const store::HubRow& hub);
  succession::View view() const;
  Result<void> take_step();
  Result<void> take_over();
  Result<void> keep_up();
  Result<void> keep_addresses();
  Result<void> follow_up(const v1::CopyPlace& copy);
  Result<bool> pass_on(std::size_t count);  // of the backlog: whether the partner has it now
  Result<void> hand_over_changes();
  Result<void> speak(bool confirmed);
  bool await_noted_alone();  // by the witness that there is
  void fall_behind();
  void set_ask(const v1::WitnessAsk& ask);
  v1::WitnessAsk claim(bool alone) const;
  void tell();  // what is said of us to others
  store::Meeting meeting() const;

  // Of the store's thread.
  const std::filesystem::path directory_;
  store::HubRow self_;
  std::vector<std::string> kept_endpoints_;  // of both, as they are in the file
  std::unique_ptr<store::Journal> journal_;
  bool holding_ = false;
  bool follows_ = false;  // the partner has all that was committed
  bool files_in_step_ = false;
  bool fits_ = true;                   // the partner's version of Hearth
  std::deque<store::Change> backlog_;  // what it may lack
  std::uint64_t backlog_bytes_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<Partner> partner_;
  v1::Greeting greeting_;
  succession::Hearing hearing_;
  std::condition_variable heard_;
  std::string witness_secret_;
  v1::WitnessAsk ask_;
  bool ending_ = false;
  std::function<void()> on_ask_;
};

// By which other hubs call this one: 32 bytes in the hub's directory, made if they are not there.
Result<std::string> load_or_make_secret(const std::filesystem::path& directory);

// Prepares a hub that is to stand by: its key and secret, and a file with nothing but the two hubs in it. `introduce`
// gives its card to the hub that holds the pool, and gets that one's. Errors: kFailedPrecondition (this PC has a pool
// of its own), and those of `introduce`.
Result<void> begin_standby(const Options& options,
                           const std::function<Result<v1::HubCard>(const v1::HubCard&)>& introduce);

}  // namespace hearth::hub
