// Jobs that are submitted by the clock: what is known of them, and what submits them.
//
// Which moment is the next is core/schedule's decision; it is kept, so that a hub that was down then knows that it
// missed one, and makes up for it once. A due job is submitted under a request id that its schedule and that moment
// give, so a hub that dies in between does not submit it twice.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "hub/engine.h"
#include "net/async.h"
#include "store/store.h"

namespace hearth::hub {

struct Parts;

using ScheduleKey = std::pair<DeviceId, std::string>;  // whose, and its name

class Schedules {
 public:
  static constexpr std::size_t kMost = 1'000;
  static constexpr std::size_t kMostOfDevice = 100;

  explicit Schedules(std::vector<store::ScheduleRow> rows);

  const store::ScheduleRow* find(const ScheduleKey& key) const;
  const std::map<ScheduleKey, store::ScheduleRow>& all() const { return rows_; }
  std::size_t count_of(DeviceId device) const;

  // What the store has committed, or is about to.
  void put(const store::ScheduleRow& row) { rows_[{row.owner, row.name}] = row; }
  void remove(const ScheduleKey& key) { rows_.erase(key); }

 private:
  std::map<ScheduleKey, store::ScheduleRow> rows_;
};

// The first moment after `after` by this PC's clock and time zone. Errors: kInvalidArgument.
Result<WallTime> next_due(const std::string& cron, WallTime after);

// Its job, submitted as its device's. Errors: those of JobService.Submit.
net::Async<Result<JobId>> submit_scheduled(Parts& parts, store::ScheduleRow row, std::string request_id);

// Looks at the calendar every second.
class Scheduler {
 public:
  explicit Scheduler(Parts& parts) : parts_(parts) {}

  void start();
  net::Async<void> stop();

 private:
  net::Async<void> run();
  net::Async<void> fire(store::ScheduleRow row);
  net::Async<void> keep(store::ScheduleRow row);

  Parts& parts_;
  bool running_ = false;
  bool stopping_ = false;
  net::Event woken_;
  net::Event stopped_;
};

}  // namespace hearth::hub
