// AccountService.
#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/accounts.pb.h"
#include "hub/audiences.h"
#include "hub/convert.h"
#include "hub/drive_scope.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kMaxWeight = 10'000;
constexpr std::uint32_t kUsualWeight = 100;

std::vector<const store::DeviceRow*> devices_in(const Parts& parts, AccountId account) {
  std::vector<const store::DeviceRow*> found;
  for (const store::DeviceRow* row : parts.devices.active()) {
    if (row->account == account) found.push_back(row);
  }
  return found;
}

std::vector<const store::AccountRow*> accounts_in(const Parts& parts, const store::AccountRow& firm) {
  std::vector<const store::AccountRow*> found;
  for (const auto& [name, row] : parts.accounts.all()) {
    if (firm.is_firm && row.firm == firm.id) found.push_back(&row);
  }
  return found;
}

void add_use(v1::Account& account, const pool::AccountView& view) {
  *account.mutable_used() = to_proto(view.used);
  account.set_share(view.share);
  account.set_recent_share(view.recent);
  account.set_waits(view.queues > 0);
}

using Views = std::map<AccountId, pool::AccountView>;

v1::Account view_of(const Parts& parts, const store::AccountRow& row, const Views& views) {
  v1::Account account;
  account.set_name(row.name);
  account.set_weight(row.weight);
  *account.mutable_most() = to_proto(row.most);
  account.set_is_firm(row.is_firm);
  account.set_firm(parts.accounts.name(row.firm));
  for (const store::AccountRow* of : accounts_in(parts, row)) account.add_accounts(of->name);
  for (const store::DeviceRow* device : devices_in(parts, row.id)) account.add_devices(device->name);
  if (const auto view = views.find(row.id); view != views.end()) add_use(account, view->second);
  return account;
}

v1::ListAccountsReply list(const Parts& parts, const net::Caller& caller) {
  const Visibility visible = parts.devices.visible_to(caller.device);
  const store::DeviceRow* asking = parts.devices.find_active(caller.device);
  Views views;
  for (const pool::AccountView& view : parts.engine.pool().accounts()) views.emplace(view.terms.id, view);
  v1::ListAccountsReply reply;
  reply.set_own_only(!visible.is_whole());
  for (const auto& [name, row] : parts.accounts.all()) {
    const bool is_own = asking != nullptr && asking->account == row.id;
    if (!visible.is_whole() && !is_own) continue;
    v1::Account& account = *reply.add_accounts();
    account = view_of(parts, row, views);
    if (!visible.is_whole()) account.clear_devices();
    if (!visible.is_whole()) account.clear_accounts();
  }
  for (const auto& [id, view] : views) {
    const store::DeviceRow* device = parts.devices.find(DeviceId{id.value});
    if (device == nullptr || !visible.covers(device->id)) continue;
    v1::Account& account = *reply.add_accounts();
    account.set_name(device->name);
    account.set_weight(view.terms.weight);
    account.add_devices(device->name);
    account.set_is_device(true);
    add_use(account, view);
  }
  return reply;
}

Result<void> check_firm(const v1::SetAccountRequest& request, const Accounts& known) {
  const store::AccountRow* before = known.find(request.name());
  if (before != nullptr && before->is_firm != request.is_firm()) {
    return fail(Code::kInvalidArgument, fmt::format("{} is {}: choose another name", request.name(),
                                                    before->is_firm ? "a firm (hearth firm)" : "an account"));
  }
  if (request.firm().empty()) return {};
  if (request.is_firm()) return fail(Code::kInvalidArgument, "firm: a firm is of no other firm");
  const store::AccountRow* firm = known.find(request.firm());
  if (firm != nullptr && firm->is_firm) return {};
  return fail(Code::kNotFound,
              fmt::format("there is no firm '{}': hearth firm set NAME makes one", request.firm().substr(0, 64)));
}

Result<void> check_set(const v1::SetAccountRequest& request, const Accounts& known) {
  if (!is_short_name(request.name())) {
    return fail(Code::kInvalidArgument, "name: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
  }
  if (request.name() == "none") {
    return fail(Code::kInvalidArgument, "name: 'none' is what says that a device is of no account");
  }
  if (request.weight() > kMaxWeight) {
    return fail(Code::kInvalidArgument, fmt::format("weight: {}: 1 to {}", request.weight(), kMaxWeight));
  }
  if (request.most().disk_bytes() > 0 || request.most().gpu_memory_bytes() > 0) {
    return fail(Code::kInvalidArgument, "most: an account is limited in cores, memory and GPUs");
  }
  if (known.find(request.name()) == nullptr && known.all().size() >= Accounts::kMost) {
    return fail(
        Code::kResourceExhausted,
        fmt::format("the pool has {} accounts, as many as it takes: remove one (hearth account rm)", Accounts::kMost));
  }
  return {};
}

net::Async<Result<v1::SetAccountReply>> set(Parts& parts, const v1::SetAccountRequest& request,
                                            const net::Caller& caller) {
  if (Result<void> checked = check_set(request, parts.accounts); !checked) co_return std::unexpected(checked.error());
  if (Result<void> checked = check_firm(request, parts.accounts); !checked) co_return std::unexpected(checked.error());
  const store::AccountRow* known = parts.accounts.find(request.name());
  store::AccountRow row = known != nullptr ? *known : parts.accounts.make(request.name());
  if (known == nullptr) row.weight = kUsualWeight;
  if (request.weight() > 0) row.weight = request.weight();
  if (request.has_most()) row.most = from_proto(request.most());
  row.is_firm = request.is_firm();
  if (request.has_firm()) row.firm = request.firm().empty() ? AccountId{} : parts.accounts.find(request.firm())->id;
  parts.accounts.put(row);
  const std::string firm = row.firm == AccountId{} ? "" : " firm=" + parts.accounts.name(row.firm);
  parts.audit.note(caller, row.is_firm ? "firm.set" : "account.set", row.name,
                   fmt::format("weight={} cores={} memory={} gpus={}{}", row.weight, row.most.cores,
                               row.most.memory_bytes, row.most.gpus, firm));
  if (Result<void> saved = co_await parts.engine.save_accounts({row}, {}); !saved) {
    co_return std::unexpected(saved.error());
  }
  v1::SetAccountReply reply;
  *reply.mutable_account() = view_of(parts, row, {});
  co_return reply;
}

net::Async<Result<v1::RemoveAccountReply>> remove(Parts& parts, const std::string& name, const net::Caller& caller) {
  const store::AccountRow* known = parts.accounts.find(name);
  if (known == nullptr) co_return no_account(parts.accounts, name);
  for (const auto& [id, booking] : parts.engine.bookings()) {
    if (booking.account != known->id) continue;
    co_return fail(
        Code::kFailedPrecondition,
        fmt::format("nodes are booked for {}: take that back first (hearth unbook {})", known->name, id.value));
  }
  store::AccountRow row = *known;
  row.removed = true;
  std::vector<store::DeviceRow> devices;
  for (const store::DeviceRow* device : devices_in(parts, row.id)) {
    devices.push_back(*device);
    devices.back().account = {};
  }
  std::vector<store::AccountRow> accounts;
  for (const store::AccountRow* of : accounts_in(parts, row)) {
    accounts.push_back(*of);
    accounts.back().firm = {};
  }
  accounts.push_back(row);
  const auto closed = closed_folders(parts);
  for (const store::DeviceRow& device : devices) parts.devices.put(device);
  for (const store::AccountRow& account : accounts) parts.accounts.put(account);
  cut_shut_out(parts, closed, caller.device);
  parts.audiences->forget(row.id);
  parts.audiences->recheck();
  parts.audit.note(caller, row.is_firm ? "firm.remove" : "account.remove", row.name);
  if (Result<void> saved = co_await parts.engine.save_accounts(accounts, devices); !saved) {
    co_return std::unexpected(saved.error());
  }
  for (const store::DeviceRow& device : devices) parts.watchers.device_changed(device.id);
  co_return v1::RemoveAccountReply();
}

net::Async<Result<v1::AssignDeviceReply>> assign(Parts& parts, const v1::AssignDeviceRequest& request,
                                                 const net::Caller& caller) {
  const store::DeviceRow* device = parts.devices.find_active({request.device_id()});
  if (device == nullptr) co_return fail(Code::kNotFound, "there is no such device");
  store::DeviceRow row = *device;
  row.account = {};
  if (!request.account().empty()) {
    const store::AccountRow* account = parts.accounts.find(request.account());
    if (account == nullptr) co_return no_account(parts.accounts, request.account());
    if (account->is_firm) {
      co_return fail(
          Code::kInvalidArgument,
          fmt::format("{0} is a firm: devices count for accounts that are of it (hearth account set NAME --firm {0})",
                      account->name));
    }
    row.account = account->id;
  }
  const auto closed = closed_folders(parts);
  parts.devices.put(row);
  cut_shut_out(parts, closed, caller.device);
  parts.audiences->recheck();
  parts.audit.note(caller, "account.assign", row.name, "account=" + request.account());
  if (Result<void> saved = co_await parts.engine.assign_device(row); !saved) co_return std::unexpected(saved.error());
  parts.watchers.device_changed(row.id);
  co_return v1::AssignDeviceReply();
}

}  // namespace

void add_account_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::ListAccountsRequest, v1::ListAccountsReply>(
      "hearth.v1.AccountService.List",
      [&parts](const v1::ListAccountsRequest&, net::Caller& caller) -> net::Async<Result<v1::ListAccountsReply>> {
        co_return list(parts, caller);
      });
  dispatcher.unary<v1::SetAccountRequest, v1::SetAccountReply>(
      "hearth.v1.AccountService.Set",
      [&parts](const v1::SetAccountRequest& request, net::Caller& caller) { return set(parts, request, caller); });
  dispatcher.unary<v1::RemoveAccountRequest, v1::RemoveAccountReply>(
      "hearth.v1.AccountService.Remove", [&parts](const v1::RemoveAccountRequest& request, net::Caller& caller) {
        return remove(parts, request.name(), caller);
      });
  dispatcher.unary<v1::AssignDeviceRequest, v1::AssignDeviceReply>(
      "hearth.v1.AccountService.Assign",
      [&parts](const v1::AssignDeviceRequest& request, net::Caller& caller) { return assign(parts, request, caller); });
}

}  // namespace hearth::hub
