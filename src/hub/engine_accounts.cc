// Accounts: what is said of them reaches the pool and the store together. And whose use it is, by name, when an attempt
// ends.
#include <map>

#include "hub/engine.h"

namespace hearth::hub {
namespace {

pool::AccountTerms account_terms(const store::AccountRow& row) {
  return {.id = row.id, .weight = row.weight, .most = row.most, .firm = row.firm};
}

double number_of(const pool::Attributes& attributes, std::string_view name) {
  const auto found = attributes.find(name);
  const auto* number = found == attributes.end() ? nullptr : std::get_if<double>(&found->second);
  return number == nullptr ? 0 : *number;
}

}  // namespace

// A job counts for the account that its device is in now.
Result<void> Engine::restore_accounts(std::vector<store::LiveJob>& jobs) {
  Result<std::vector<store::AccountRow>> accounts = store_.load_accounts();
  if (!accounts) return std::unexpected(accounts.error());
  for (const store::AccountRow& row : *accounts) {
    pool_.set_account(account_terms(row));
    accounts_[row.id] = row;
  }
  Result<std::vector<store::DeviceRow>> devices = store_.load_devices();
  if (!devices) return std::unexpected(devices.error());
  for (const store::DeviceRow& row : *devices) {
    if (row.account != AccountId{}) account_of_[row.id] = row.account;
  }
  for (store::LiveJob& job : jobs) {
    const auto account = account_of_.find(job.row.request.owner);
    if (account != account_of_.end()) job.row.request.account = account->second;
  }
  return {};
}

void Engine::take_account(const store::AccountRow& row) {
  pending_.batch.accounts.push_back(row);
  if (row.removed) {
    pool_.forget_account(row.id);
    accounts_.erase(row.id);
  } else {
    pool_.set_account(account_terms(row));
    accounts_[row.id] = row;
  }
}

void Engine::take_assignment(const store::DeviceRow& row) {
  pending_.batch.devices.push_back(row);
  pool_.move_jobs(row.id, row.account, now());
  account_of_.erase(row.id);
  if (row.account != AccountId{}) account_of_[row.id] = row.account;
}

net::Async<Result<void>> Engine::save_accounts(const std::vector<store::AccountRow>& rows,
                                               const std::vector<store::DeviceRow>& devices) {
  for (const store::AccountRow& row : rows) take_account(row);
  for (const store::DeviceRow& device : devices) take_assignment(device);
  drain();
  co_return co_await committed();
}

net::Async<Result<void>> Engine::assign_device(const store::DeviceRow& row) {
  take_assignment(row);
  drain();
  co_return co_await committed();
}

Engine::Counted Engine::counted_for(DeviceId owner) const {
  const auto id = account_of_.find(owner);
  const auto account = id == account_of_.end() ? accounts_.end() : accounts_.find(id->second);
  if (account == accounts_.end()) return {};
  const auto firm = accounts_.find(account->second.firm);
  return {account->second.name, firm == accounts_.end() ? std::string() : firm->second.name};
}

void Engine::note_power(NodeId node, const pool::Attributes& attributes) {
  power_[node] = {number_of(attributes, "watts"), number_of(attributes, "cores")};
}

Engine::Power Engine::power_of(NodeId node) const {
  const auto found = power_.find(node);
  return found == power_.end() ? Power{} : found->second;
}

}  // namespace hearth::hub
