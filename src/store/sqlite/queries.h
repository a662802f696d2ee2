// Every query of the store, prepared once.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "store/sqlite/database.h"

namespace hearth::store {

enum class Query : std::uint8_t {
  kPutDevice,
  kInsertJob,
  kInsertAfter,
  kChangeJob,
  kPutTask,
  kPutRangeEnd,
  kRemoveJob,
  kRemoveAfter,
  kRemoveRangeEnds,
  kNoteRemoved,
  kPurgeTasks,
  kForgetRemoved,
  kPutEnvironment,
  kRemoveEnvironment,
  kPutWorkspace,
  kRemoveWorkspace,
  kPutAccount,
  kRemoveAccount,
  kPutSchedule,
  kRemoveSchedule,
  kPutDuty,
  kRemoveDuty,
  kPutBooking,
  kRemoveBooking,
  kPutAudience,
  kRemoveAudience,
  kPutWatchLink,
  kRemoveWatchLink,
  kPutWebhook,
  kRemoveWebhook,
  kRemoveDeliveriesOf,
  kPutDelivery,
  kRemoveDelivery,
  kAddAudit,
  kAddUsage,
  kDevices,
  kEnvironments,
  kWorkspaces,
  kAccounts,
  kSchedules,
  kDuties,
  kBookings,
  kAudiences,
  kWatchLinks,
  kWebhooks,
  kDeliveries,
  kUsage,
  kLastAudit,
  kAuditAfter,
  kLiveJobs,
  kLastJobId,
  kJob,
  kJobsBefore,
  kJobsOfOwner,
  kAfter,
  kRequest,
  kTasksOfLiveJob,
  kTasks,
  kFailedTasks,
  kRangeEnds,
  kCountTasks,
  kCountRangeEnds,
};

class Queries {
 public:
  static Result<Queries> prepare(Database& database);

  Statement& operator[](Query query) { return statements_[static_cast<std::size_t>(query)]; }

 private:
  std::vector<Statement> statements_;
};

}  // namespace hearth::store
