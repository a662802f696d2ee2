// DeviceService: invitations, the owner's word, tokens, and revocation.
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

#include <fmt/format.h>

#include "account/account.h"
#include "base/log.h"
#include "hearth/v1/devices.pb.h"
#include "hub/addresses.h"
#include "hub/audiences.h"
#include "hub/parts.h"

namespace hearth::hub {
namespace {

constexpr const char* kTheirsAreHome = "ring: a device that owns or runs the pool is shown all of it, so it is home";
constexpr const char* kRoles = "role: ROLE_MEMBER, ROLE_OPERATOR or ROLE_OWNER";
constexpr std::uint32_t kTokenDays = 90;
constexpr std::uint32_t kMaxTokenDays = 3'650;
constexpr std::size_t kTokenSecretBytes = 32;

Result<Ring> ring_of_newcomer(v1::Ring wanted) {
  const std::optional<Ring> ring = from_proto(wanted == v1::RING_UNSPECIFIED ? v1::RING_HOME : wanted);
  if (!ring) return fail(Code::kInvalidArgument, "ring: home, friend, member or stranger");
  return *ring;
}

std::string_view role_name(int role) {
  switch (role) {
    case v1::ROLE_OWNER:
      return "owner";
    case v1::ROLE_OPERATOR:
      return "operator";
    case v1::ROLE_MEMBER:
      return "member";
    default:
      return "node";
  }
}

bool is_a_persons(int role) { return role == v1::ROLE_MEMBER || role == v1::ROLE_OPERATOR || role == v1::ROLE_OWNER; }

// Those that a device of another ring cannot have.
bool is_for_home(int role) { return role == v1::ROLE_OPERATOR || role == v1::ROLE_OWNER; }

std::string in_words(const Standing& standing) {
  return fmt::format("role={} ring={}", role_name(standing.role), name_of(standing.ring));
}

v1::InviteReply invite(Parts& parts, Standing standing) {
  const Time now = parts.loop.now();
  const Invitation& made = parts.invitations.invite(standing, net::random_bytes(16), net::random_bytes(8), now);
  v1::InviteReply reply;
  account::PairingLink link{.endpoint = {},
                            .secret = made.secret,
                            .identity_fingerprint = net::sha256(parts.identity.public_key()).substr(0, 10)};
  for (const std::string& host : link_hosts(parts.options)) {
    link.endpoint = {.host = host, .port = parts.port};
    reply.add_links(account::format_link(link));
  }
  reply.set_typed_code(made.typed_code);
  reply.set_expires_in_seconds((made.expires - now).micros / 1'000'000);
  return reply;
}

// Whether somebody owns the pool once the device has this role.
Result<void> check_owner_left(const store::DeviceRow& device, v1::Role role, const Devices& devices) {
  if (device.role != v1::ROLE_OWNER || role == v1::ROLE_OWNER || devices.owners() > 1) return {};
  return fail(Code::kFailedPrecondition, "this is the owner's last device: make another an owner's first");
}

net::Async<Result<v1::AllowReply>> allow(Parts& parts, const v1::AllowRequest& request, const net::Caller& caller) {
  WaitingDevice* waiting = parts.invitations.find_waiting(request.pairing_id(), parts.loop.now());
  if (waiting == nullptr || waiting->state != v1::PairStatusReply::STATE_WAITING) {
    co_return fail(Code::kNotFound, "there is no such device waiting; a pairing is over after two minutes");
  }
  if (!request.allow()) {
    waiting->state = v1::PairStatusReply::STATE_DENIED;
    parts.audit.note(caller, "device.refuse", waiting->name);
    parts.pairing_answered.notify();
    parts.watchers.pending_changed();
    if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
    co_return v1::AllowReply();
  }
  const store::DeviceRow* known = parts.devices.find_by_key(waiting->key);
  if (known != nullptr) {
    if (Result<void> one = check_owner_left(*known, waiting->standing.role, parts.devices); !one) {
      co_return std::unexpected(one.error());
    }
  }
  store::DeviceRow row = known != nullptr ? *known
                                          : parts.devices.make(waiting->name, waiting->standing.role, waiting->key_kind,
                                                               waiting->key, wall_now());
  const std::pair stood(row.role, row.ring);
  row.role = static_cast<std::uint8_t>(waiting->standing.role);
  row.ring = waiting->standing.ring;
  parts.devices.put(row);
  // As with a new role or ring: what is open was judged when it began.
  if (known != nullptr && stood != std::pair(row.role, row.ring)) parts.sessions.cut(row.id);
  parts.audit.note(caller, "device.allow", row.name,
                   fmt::format("{} from={}", in_words(waiting->standing), waiting->address));
  Result<void> saved = co_await parts.engine.save_device(row);
  if (!saved) co_return std::unexpected(saved.error());
  if (WaitingDevice* still = parts.invitations.find_waiting(request.pairing_id(), parts.loop.now())) {
    still->state = v1::PairStatusReply::STATE_ALLOWED;
    still->device = row.id;
  }
  parts.pairing_answered.notify();
  parts.watchers.pending_changed();
  parts.watchers.device_changed(row.id);
  log_info("device paired", {{"name", row.name}, {"role", row.role}, {"ring", name_of(row.ring)}});
  co_return v1::AllowReply();
}

net::Async<Result<v1::NewTokenReply>> new_token(Parts& parts, const v1::NewTokenRequest& request,
                                                const net::Caller& caller) {
  if (Result<void> named = check_device_name(request.name()); !named) co_return std::unexpected(named.error());
  const Result<Ring> ring = ring_of_newcomer(request.ring());
  if (!ring) co_return std::unexpected(ring.error());
  if (request.days() > kMaxTokenDays) {
    co_return fail(Code::kInvalidArgument, fmt::format("days: {}: 1 to {}", request.days(), kMaxTokenDays));
  }
  const std::int64_t days = request.days() == 0 ? kTokenDays : request.days();
  account::Token token{.endpoint = {},
                       .device = {},
                       .secret = net::random_bytes(kTokenSecretBytes),
                       .hub_identity = parts.identity.public_key()};
  const WallTime now = wall_now();
  store::DeviceRow row =
      parts.devices.make(request.name(), v1::ROLE_MEMBER, v1::KEY_KIND_SECRET, net::sha256(token.secret), now);
  row.ring = *ring;
  row.last_seen = {};  // until it is used
  row.expires = {now.unix_millis + days * 24 * 60 * 60 * 1000};
  parts.devices.put(row);
  parts.audit.note(caller, "token.new", row.name, fmt::format("ring={} days={}", name_of(row.ring), days));
  if (Result<void> saved = co_await parts.engine.save_device(row); !saved) co_return std::unexpected(saved.error());
  parts.watchers.device_changed(row.id);
  log_info("token made", {{"name", row.name}, {"ring", name_of(row.ring)}, {"days", days}});
  v1::NewTokenReply reply;
  token.device = row.id;
  for (const std::string& host : link_hosts(parts.options)) {
    token.endpoint = {.host = host, .port = parts.port};
    reply.add_tokens(account::format_token(token));
  }
  *reply.mutable_device() = parts.views.device(row, {});
  co_return reply;
}

net::Async<Result<void>> remove_device(Parts& parts, DeviceId id, const net::Caller& caller) {
  const store::DeviceRow* device = parts.devices.find_active(id);
  if (device == nullptr) co_return fail(Code::kNotFound, "there is no such device");
  if (device->role == v1::ROLE_OWNER && parts.devices.owners() == 1) {
    co_return fail(Code::kFailedPrecondition,
                   "this is the owner's last device: nobody could pair another; pair one first");
  }
  store::DeviceRow row = *device;
  row.revoked = true;
  row.last_seen = wall_now();
  parts.devices.put(row);
  // Shut out first, then remember: a crash in between leaves a device in that the caller was not told is out.
  parts.sessions.revoke(id);
  parts.access.forget(id);
  parts.audiences->forget({id.value});
  parts.engine.node_removed(id);
  parts.audit.note(caller, caller.device == id ? "device.leave" : "device.revoke", row.name);
  Result<void> saved = co_await parts.engine.save_device(row);
  co_await parts.drive.release(id);
  parts.watchers.device_changed(id);
  log_info("device removed", {{"name", row.name}});
  co_return saved;
}

net::Async<Result<v1::SetRingReply>> set_ring(Parts& parts, const v1::SetRingRequest& request,
                                              const net::Caller& caller) {
  const std::optional<Ring> ring = from_proto(request.ring());
  if (!ring) co_return fail(Code::kInvalidArgument, "ring: home, friend, member or stranger");
  const store::DeviceRow* device = parts.devices.find_active({request.device_id()});
  if (device == nullptr) co_return fail(Code::kNotFound, "there is no such device");
  if (is_for_home(device->role) && *ring != Ring::kHome) {
    co_return fail(Code::kFailedPrecondition, kTheirsAreHome);
  }
  store::DeviceRow row = *device;
  const bool changes = row.ring != *ring;
  const Ring before = std::exchange(row.ring, *ring);
  parts.devices.put(row);
  parts.audit.note(caller, "device.ring", row.name,
                   fmt::format("ring={} before={}", name_of(row.ring), name_of(before)));
  // It is shown more or less from now on: its open pages begin anew.
  if (changes) parts.sessions.cut(row.id);
  if (Result<void> saved = co_await parts.engine.save_device(row); !saved) co_return std::unexpected(saved.error());
  parts.watchers.device_changed(row.id);
  log_info("device trusted", {{"name", row.name}, {"ring", name_of(row.ring)}});
  co_return v1::SetRingReply();
}

Result<void> check_role(const store::DeviceRow& device, v1::Role role, const Devices& devices) {
  if (!is_a_persons(role)) return fail(Code::kInvalidArgument, kRoles);
  if (!is_a_persons(device.role)) {
    return fail(Code::kFailedPrecondition, device.name + " is a PC that lends resources: what it may do is fixed");
  }
  if (is_for_home(role) && device.ring != Ring::kHome) {
    return fail(Code::kFailedPrecondition,
                fmt::format("{0} is of ring {1}, and a device that owns or runs the pool is shown all of it: first say "
                            "hearth devices ring {0} home",
                            device.name, name_of(device.ring)));
  }
  if (role == v1::ROLE_OWNER && device.key_kind == v1::KEY_KIND_SECRET) {
    return fail(Code::kFailedPrecondition, device.name + " is a token, and no token owns a pool");
  }
  return check_owner_left(device, role, devices);
}

net::Async<Result<v1::SetRoleReply>> set_role(Parts& parts, const v1::SetRoleRequest& request,
                                              const net::Caller& caller) {
  const store::DeviceRow* device = parts.devices.find_active({request.device_id()});
  if (device == nullptr) co_return fail(Code::kNotFound, "there is no such device");
  if (Result<void> good = check_role(*device, request.role(), parts.devices); !good) {
    co_return std::unexpected(good.error());
  }
  store::DeviceRow row = *device;
  const auto before = std::exchange(row.role, static_cast<std::uint8_t>(request.role()));
  parts.devices.put(row);
  parts.audit.note(caller, "device.role", row.name,
                   fmt::format("role={} before={}", role_name(row.role), role_name(before)));
  // Calls are judged by the row each time; what is open was judged when it began.
  if (row.role != before) parts.sessions.cut(row.id);
  if (Result<void> saved = co_await parts.engine.save_device(row); !saved) co_return std::unexpected(saved.error());
  parts.watchers.device_changed(row.id);
  log_info("device has another role", {{"name", row.name}, {"role", role_name(row.role)}});
  co_return v1::SetRoleReply();
}

v1::ListDevicesReply list(Parts& parts, const net::Caller& caller) {
  const Visibility visible = parts.devices.visible_to(caller.device);
  v1::ListDevicesReply reply;
  for (v1::Device& device : parts.views.devices(visible)) *reply.add_devices() = std::move(device);
  reply.set_own_only(!visible.is_whole());
  if (caller.level == net::AccessLevel::kOwner) {
    for (const WaitingDevice* device : parts.invitations.waiting(parts.loop.now())) {
      *reply.add_pending() = pending_view(*device, parts.loop.now());
    }
  }
  return reply;
}

}  // namespace

void add_device_methods(net::Dispatcher& dispatcher, Parts& parts) {
  dispatcher.unary<v1::InviteRequest, v1::InviteReply>(
      "hearth.v1.DeviceService.Invite",
      [&parts](const v1::InviteRequest& request, net::Caller& caller) -> net::Async<Result<v1::InviteReply>> {
        if (!is_a_persons(request.role())) {
          co_return fail(Code::kInvalidArgument, kRoles);
        }
        const Result<Ring> ring = ring_of_newcomer(request.ring());
        if (!ring) co_return std::unexpected(ring.error());
        if (is_for_home(request.role()) && *ring != Ring::kHome) {
          co_return fail(Code::kInvalidArgument, kTheirsAreHome);
        }
        const Standing standing{request.role(), *ring};
        parts.audit.note(caller, "device.invite", "", in_words(standing));
        if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
        co_return invite(parts, standing);
      });
  dispatcher.unary<v1::AllowRequest, v1::AllowReply>(
      "hearth.v1.DeviceService.Allow",
      [&parts](const v1::AllowRequest& request, net::Caller& caller) { return allow(parts, request, caller); });
  dispatcher.unary<v1::NewTokenRequest, v1::NewTokenReply>(
      "hearth.v1.DeviceService.NewToken",
      [&parts](const v1::NewTokenRequest& request, net::Caller& caller) { return new_token(parts, request, caller); });
  dispatcher.unary<v1::ListDevicesRequest, v1::ListDevicesReply>(
      "hearth.v1.DeviceService.List",
      [&parts](const v1::ListDevicesRequest&, net::Caller& caller) -> net::Async<Result<v1::ListDevicesReply>> {
        co_return list(parts, caller);
      });
  dispatcher.unary<v1::SetRingRequest, v1::SetRingReply>(
      "hearth.v1.DeviceService.SetRing",
      [&parts](const v1::SetRingRequest& request, net::Caller& caller) { return set_ring(parts, request, caller); });
  dispatcher.unary<v1::SetRoleRequest, v1::SetRoleReply>(
      "hearth.v1.DeviceService.SetRole",
      [&parts](const v1::SetRoleRequest& request, net::Caller& caller) { return set_role(parts, request, caller); });
  dispatcher.unary<v1::RevokeRequest, v1::RevokeReply>(
      "hearth.v1.DeviceService.Revoke",
      [&parts](const v1::RevokeRequest& request, net::Caller& caller) -> net::Async<Result<v1::RevokeReply>> {
        Result<void> done = co_await remove_device(parts, {request.device_id()}, caller);
        if (!done) co_return std::unexpected(done.error());
        co_return v1::RevokeReply();
      });
  dispatcher.unary<v1::LeaveRequest, v1::LeaveReply>(
      "hearth.v1.DeviceService.Leave",
      [&parts](const v1::LeaveRequest&, net::Caller& caller) -> net::Async<Result<v1::LeaveReply>> {
        Result<void> done = co_await remove_device(parts, caller.device, caller);
        if (!done) co_return std::unexpected(done.error());
        co_return v1::LeaveReply();
      });
}

}  // namespace hearth::hub
