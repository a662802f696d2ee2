// HubService: the hub that stands by, and who bears witness.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hearth/v1/hubs.pb.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxEndpoints = 1'024;
constexpr std::size_t kMaxSpki = 128;

std::unexpected<Error> in_database() {
  return fail(Code::kFailedPrecondition,
              "this pool lies in a database, which its hubs share: another hub comes along by: hearth up --store URL");
}

Result<void> check_card(const v1::HubCard& card, const Parts& parts) {
  if (card.identity_key().size() != kKeyBytes || card.secret().size() != kKeyBytes ||
      card.endpoints().size() > kMaxEndpoints || card.command_line_key().size() > kMaxSpki ||
      card.node_key().size() > kMaxSpki || card.name().empty() || card.name().size() > kMaxName ||
      !is_plain_utf8(card.name())) {
    return fail(Code::kInvalidArgument, "hub: its two keys of 32 bytes and a name of 1 to 64 bytes are needed");
  }
  if (card.identity_key() == parts.identity.public_key()) {
    return fail(Code::kInvalidArgument, "hub: this hub cannot stand by for itself");
  }
  return {};
}

net::Async<Result<v1::AddStandbyReply>> add_standby(Parts& parts, const v1::AddStandbyRequest& request,
                                                    const net::Caller& caller) {
  if (parts.pair == nullptr) co_return in_database();
  if (Result<void> checked = check_card(request.hub(), parts); !checked) co_return std::unexpected(checked.error());
  parts.audit.note(caller, "hub.add", request.hub().name());
  Result<v1::AddStandbyReply> added =
      co_await parts.engine.ask([&](auto&) { return parts.pair->add_standby(row_of(request.hub())); });
  parts.circle->meet_soon();
  co_return added;
}

net::Async<Result<v1::RemoveStandbyReply>> remove_standby(Parts& parts, const net::Caller& caller) {
  if (parts.pair == nullptr) co_return in_database();
  const Result<std::string> removed = co_await parts.engine.ask([&](auto&) { return parts.pair->remove_standby(); });
  if (!removed) co_return std::unexpected(removed.error());
  parts.audit.note(caller, "hub.remove", *removed);
  parts.circle->meet_soon();
  v1::RemoveStandbyReply reply;
  reply.set_name(*removed);
  co_return reply;
}

// By the name of a node of a third PC.
Result<DeviceId> witness_of(const Parts& parts, const std::string& name) {
  if (name.empty()) return DeviceId{};
  std::string names;
  for (const store::DeviceRow* row : parts.devices.active()) {
    const bool is_third =
        row->role == v1::ROLE_NODE && std::ranges::none_of(parts.circle->hubs(), [row](const store::KnownHub& hub) {
          return hub.row.node_key == row->key;
        });
    if (!is_third) continue;
    if (row->name == name) return row->id;
    if (names.size() < 500) names += (names.empty() ? "" : ", ") + row->name;
  }
  return fail(Code::kNotFound,
              fmt::format("'{}' is no node of a third PC; {}", utf8_prefix(name, kMaxName),
                          names.empty() ? "there is none: hearth join LINK, on that PC" : "there are: " + names));
}

net::Async<Result<v1::SetWitnessReply>> set_witness(Parts& parts, const v1::SetWitnessRequest& request,
                                                    const net::Caller& caller) {
  if (parts.pair == nullptr) co_return in_database();
  const Result<DeviceId> node = witness_of(parts, request.node());
  if (!node) co_return std::unexpected(node.error());
  const Result<void> set = co_await parts.engine.ask([&](auto&) { return parts.pair->set_witness(*node); });
  if (!set) co_return std::unexpected(set.error());
  parts.audit.note(caller, "hub.witness", request.node());
  parts.circle->meet_soon();
  co_return v1::SetWitnessReply();
}

net::Async<Result<v1::HandOverReply>> hand_over(Parts& parts, const v1::HandOverRequest& request,
                                                const net::Caller& caller) {
  parts.audit.note(caller, "hub.hand-over", "");
  if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  const Result<std::string> successor = co_await parts.circle->hand_over(request.without_drive());
  if (!successor) co_return std::unexpected(successor.error());
  v1::HandOverReply reply;
  reply.set_name(*successor);
  co_return reply;
}

}  // namespace

void add_hub_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::AddStandbyRequest, v1::AddStandbyReply>(
      "hearth.v1.HubService.AddStandby", [&parts](const v1::AddStandbyRequest& request, net::Caller& caller) {
        return add_standby(parts, request, caller);
      });
  dispatcher.unary<v1::RemoveStandbyRequest, v1::RemoveStandbyReply>(
      "hearth.v1.HubService.RemoveStandby",
      [&parts](const v1::RemoveStandbyRequest&, net::Caller& caller) { return remove_standby(parts, caller); });
  dispatcher.unary<v1::SetWitnessRequest, v1::SetWitnessReply>(
      "hearth.v1.HubService.SetWitness", [&parts](const v1::SetWitnessRequest& request, net::Caller& caller) {
        return set_witness(parts, request, caller);
      });
  dispatcher.unary<v1::HandOverRequest, v1::HandOverReply>(
      "hearth.v1.HubService.HandOver",
      [&parts](const v1::HandOverRequest& request, net::Caller& caller) { return hand_over(parts, request, caller); });
}

}  // namespace hearth::hub
