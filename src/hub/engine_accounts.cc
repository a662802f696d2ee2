// Accounts: what is said of them reaches the pool and the store together.
#include <map>

#include "hub/engine.h"

namespace hearth::hub {

// A job counts for the account that its device is in now.
Result<void> Engine::restore_accounts(std::vector<store::LiveJob>& jobs) {
  Result<std::vector<store::AccountRow>> accounts = store_.load_accounts();
  if (!accounts) return std::unexpected(accounts.error());
  for (const store::AccountRow& row : *accounts) {
    pool_.set_account({.id = row.id, .weight = row.weight, .most = row.most});
  }
  Result<std::vector<store::DeviceRow>> devices = store_.load_devices();
  if (!devices) return std::unexpected(devices.error());
  std::map<DeviceId, AccountId> account_of;
  for (const store::DeviceRow& row : *devices) account_of[row.id] = row.account;
  for (store::LiveJob& job : jobs) job.row.request.account = account_of[job.row.request.owner];
  return {};
}

net::Async<Result<void>> Engine::save_account(const store::AccountRow& row,
                                              const std::vector<store::DeviceRow>& devices) {
  pending_.batch.accounts.push_back(row);
  if (row.removed) {
    pool_.forget_account(row.id);
  } else {
    pool_.set_account({.id = row.id, .weight = row.weight, .most = row.most});
  }
  for (const store::DeviceRow& device : devices) {
    pending_.batch.devices.push_back(device);
    pool_.move_jobs(device.id, device.account, now());
  }
  drain();
  co_return co_await committed();
}

net::Async<Result<void>> Engine::assign_device(const store::DeviceRow& row) {
  pending_.batch.devices.push_back(row);
  pool_.move_jobs(row.id, row.account, now());
  drain();
  co_return co_await committed();
}

}  // namespace hearth::hub
