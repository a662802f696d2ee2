// `hearth account`: whose use counts together, and what each may have.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/accounts.pb.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::cli {
namespace {

constexpr Range kWeight = {1, 10'000};
constexpr Range kCores = {0, 1'000'000};
constexpr Range kMemory = {0, 1024 * kTiB};
constexpr Range kGpus = {0, 1'000'000};

// "4 of 16", or "4" without a limit.
std::string part(std::uint64_t used, std::uint64_t most) {
  return most == 0 ? fmt::format("{}", used) : fmt::format("{} of {}", used, most);
}

std::string memory_part(std::uint64_t used, std::uint64_t most) {
  return most == 0 ? format_bytes(used) : fmt::format("{} of {}", format_bytes(used), format_bytes(most));
}

std::string names_of(const v1::Account& account) {
  constexpr int kMostNamed = 4;
  if (account.is_device()) return "itself";
  const auto& members = account.is_firm() ? account.accounts() : account.devices();
  std::string names;
  for (int i = 0; i < std::min(members.size(), kMostNamed); ++i) {
    names += (i == 0 ? "" : ", ") + plain(members.Get(i));
  }
  if (members.size() > kMostNamed) names += fmt::format(" and {} more", members.size() - kMostNamed);
  return names.empty() ? "none" : names;
}

// What the API calls limits is all or nothing: one that is not named stays as it is.
Result<v1::SetAccountRequest> request_of(const AccountOptions& options, bool is_firm, const v1::Resources& before) {
  v1::SetAccountRequest request;
  request.set_name(options.name);
  request.set_is_firm(is_firm);
  if (!options.firm.empty()) request.set_firm(options.firm == "none" ? "" : options.firm);
  if (!options.weight.empty()) {
    const Result<std::uint64_t> weight = parse_count("--weight", options.weight, kWeight);
    if (!weight) return std::unexpected(weight.error());
    request.set_weight(static_cast<std::uint32_t>(*weight));
  }
  *request.mutable_most() = before;
  if (!options.cores.empty()) {
    const Result<std::uint64_t> cores = parse_count("--cores", options.cores, kCores);
    if (!cores) return std::unexpected(cores.error());
    request.mutable_most()->set_cores(static_cast<std::uint32_t>(*cores));
  }
  if (!options.memory.empty()) {
    const Result<std::uint64_t> memory = parse_size("--memory", options.memory, kMemory);
    if (!memory) return std::unexpected(memory.error());
    request.mutable_most()->set_memory_bytes(*memory);
  }
  if (!options.gpus.empty()) {
    const Result<std::uint64_t> gpus = parse_count("--gpus", options.gpus, kGpus);
    if (!gpus) return std::unexpected(gpus.error());
    request.mutable_most()->set_gpus(static_cast<std::uint32_t>(*gpus));
  }
  return request;
}

Result<v1::ListAccountsReply> fetch_accounts(Client& client) {
  return client.call<v1::ListAccountsReply>("hearth.v1.AccountService/List", v1::ListAccountsRequest());
}

}  // namespace

Result<int> list_accounts(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListAccountsReply> reply = fetch_accounts(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"},
               {"FIRM"},
               {"WEIGHT", true},
               {"SHARE", true},
               {"LATELY", true},
               {"CORES", true},
               {"MEMORY", true},
               {"GPUS", true},
               {"WAITS"},
               {"DEVICES OR ACCOUNTS"}});
  for (const v1::Account& account : reply->accounts()) {
    const v1::Resources& most = account.most();
    table.add({account.name(),
               account.is_firm()        ? "is one"
               : account.firm().empty() ? "-"
                                        : account.firm(),
               fmt::format("{}", account.weight()), fmt::format("{:.0f} %", account.share() * 100),
               fmt::format("{:.0f} %", account.recent_share() * 100), part(account.used().cores(), most.cores()),
               memory_part(account.used().memory_bytes(), most.memory_bytes()),
               part(account.used().gpus(), most.gpus()), account.waits() ? "yes" : "no", names_of(account)});
  }
  if (table.empty()) {
    say("no accounts, and nothing runs; make one with: hearth account set NAME, and let devices count for it: hearth "
        "account assign DEVICE NAME");
  } else {
    print(table.text());
  }
  return 0;
}

Result<int> set_account(const Context& context, const AccountOptions& options, bool is_firm) {
  const Result<v1::SetAccountRequest> checked = request_of(options, is_firm, {});
  if (!checked) return std::unexpected(checked.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListAccountsReply> accounts = fetch_accounts(**client);
  if (!accounts) return std::unexpected(accounts.error());
  v1::Resources before;
  for (const v1::Account& account : accounts->accounts()) {
    if (!account.is_device() && account.name() == options.name) before = account.most();
  }
  const Result<v1::SetAccountRequest> request = request_of(options, is_firm, before);
  if (!request) return std::unexpected(request.error());
  const Result<v1::SetAccountReply> reply =
      (*client)->call<v1::SetAccountReply>("hearth.v1.AccountService/Set", *request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  const v1::Account& account = reply->account();
  say(fmt::format("{} {} has weight {}{}.", is_firm ? "Firm" : "Account", plain(account.name()), account.weight(),
                  account.firm().empty() ? "" : " within the firm " + plain(account.firm())));
  if (is_firm && account.accounts_size() == 0) {
    say(fmt::format("No account is of it yet: hearth account set ACCOUNT --firm {}", plain(options.name)));
  } else if (!is_firm && account.devices_size() == 0) {
    say(fmt::format("No device counts for it yet: hearth account assign DEVICE {}", plain(options.name)));
  }
  return 0;
}

Result<int> remove_account(const Context& context, const AccountOptions& options) {
  v1::RemoveAccountRequest request;
  request.set_name(options.name);
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::RemoveAccountReply> reply =
      (*client)->call<v1::RemoveAccountReply>("hearth.v1.AccountService/Remove", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  return 0;
}

Result<int> assign_device(const Context& context, const AccountOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListDevicesReply> devices =
      (*client)->call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  if (!devices) return std::unexpected(devices.error());
  const auto device = std::ranges::find(devices->devices(), options.device, &v1::Device::name);
  if (device == devices->devices().end()) {
    return fail(Code::kNotFound,
                fmt::format("there is no device {}; those that there are: hearth devices", plain(options.device)));
  }
  v1::AssignDeviceRequest request;
  request.set_device_id(device->id());
  if (options.name != "none") request.set_account(options.name);
  const Result<v1::AssignDeviceReply> reply =
      (*client)->call<v1::AssignDeviceReply>("hearth.v1.AccountService/Assign", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  return 0;
}

}  // namespace hearth::cli
