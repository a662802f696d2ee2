// PairingService: how a device becomes known and proves itself. The protocol is in proto/hearth/v1/pairing.proto.
#include <fmt/format.h>

#include "account/account.h"
#include "base/bytes.h"
#include "base/log.h"
#include "hearth/v1/pairing.pb.h"
#include "hub/basic_password.h"
#include "hub/parts.h"
#include "net/loopback.h"

namespace hearth::hub {
namespace {

constexpr Duration kLongPoll = seconds(25);
constexpr const char* kUnknownToken =
    "this token is not known here (any more), or it has run out; an owner makes another with: hearth token new NAME";

// One address' share of the doors that need no session.
struct Limits {
  RateLimiter nonces{30};
  RateLimiter wrong_pairings{5};
  RateLimiter challenges{600};
};

std::unexpected<Error> too_often(std::string_view what) {
  return fail(Code::kResourceExhausted, fmt::format("too many {} from this address; wait a minute", what));
}

net::KeyKind key_kind(v1::KeyKind kind) {
  return kind == v1::KEY_KIND_ED25519 ? net::KeyKind::kEd25519 : net::KeyKind::kEcdsaP256;
}

Result<void> check_request(const v1::PairRequest& request) {
  if (request.key_kind() != v1::KEY_KIND_ED25519 && request.key_kind() != v1::KEY_KIND_ECDSA_P256) {
    return fail(Code::kInvalidArgument, "key_kind: Ed25519 or ECDSA P-256");
  }
  if (!net::is_public_key(key_kind(request.key_kind()), request.device_key())) {
    return fail(Code::kInvalidArgument, "device_key: no public key of that kind (SubjectPublicKeyInfo, DER)");
  }
  if (Result<void> named = check_device_name(request.name()); !named) return named;
  if (request.device_nonce().size() != 16) return fail(Code::kInvalidArgument, "device_nonce: 16 bytes");
  if (request.mac().size() != 32) return fail(Code::kInvalidArgument, "mac: 32 bytes");
  return {};
}

Result<v1::PairReply> pair(Parts& parts, const v1::PairRequest& request, const std::string& address) {
  const Time now = parts.loop.now();
  if (Result<void> checked = check_request(request); !checked) return std::unexpected(checked.error());
  if (!parts.invitations.take_nonce(request.server_nonce(), now)) {
    return fail(Code::kPermissionDenied, "the nonce is unknown, used or older than 60 s; begin again");
  }
  const std::string transcript = account::pairing_transcript(parts.identity.public_key(), request.device_key(),
                                                             request.server_nonce(), request.device_nonce());
  if (!net::verify_signature(key_kind(request.key_kind()), request.device_key(), transcript, request.signature())) {
    return fail(Code::kInvalidArgument, "signature: not by device_key over the transcript");
  }
  const std::optional<Invitation> invitation = parts.invitations.take(
      request.mac(), [&](std::string_view secret) { return net::hmac_sha256(secret, transcript); }, now);
  if (!invitation) {
    return fail(Code::kPermissionDenied,
                "no living invitation fits: the link or code is wrong, used or older than two minutes; "
                "make a new one with: hearth invite");
  }
  WaitingDevice device{.pairing_id = net::random_bytes(16),
                       .name = request.name(),
                       .digits = account::pairing_digits(transcript),
                       .address = address,
                       .standing = invitation->standing,
                       .key_kind = request.key_kind(),
                       .key = request.device_key()};
  if (request.as_node()) device.standing.role = v1::ROLE_NODE;
  v1::PairReply reply;
  reply.set_pairing_id(device.pairing_id);
  reply.set_digits(device.digits);
  if (Result<void> added = parts.invitations.add_waiting(std::move(device), now); !added)
    return std::unexpected(added.error());
  parts.watchers.pending_changed();
  parts.pairing_answered.notify();
  log_info("a device asks to be paired", {{"name", request.name()}, {"address", address}});
  return reply;
}

net::Async<Result<v1::PairStatusReply>> pair_status(Parts& parts, const v1::PairStatusRequest& request) {
  const Time until = parts.loop.now() + kLongPoll;
  while (true) {
    const Time now = parts.loop.now();
    const WaitingDevice* device = parts.invitations.find_waiting(request.pairing_id(), now);
    if (device == nullptr) co_return fail(Code::kNotFound, "there is no such pairing, or it is over");
    v1::PairStatusReply reply;
    reply.set_state(device->state);
    reply.set_device_id(device->device.value);
    if (device->state != v1::PairStatusReply::STATE_WAITING || now >= until) co_return reply;
    co_await parts.pairing_answered.wait(std::min(until, device->expires) - now + milliseconds(1));
  }
}

bool is_secret_of(const store::DeviceRow& token, const std::string& secret) {
  return token.key_kind == v1::KEY_KIND_SECRET && equal_constant_time(net::sha256(secret), token.key);
}

// Whether the request proves that the device makes it; a challenge is used up by that.
bool is_proof(Parts& parts, const store::DeviceRow* device, const v1::ProveRequest& request, Time now) {
  const bool known_challenge = parts.sessions.take_challenge(request.challenge(), now);
  if (device == nullptr || has_run_out(*device, wall_now())) return false;
  if (device->key_kind == v1::KEY_KIND_SECRET) return is_secret_of(*device, request.secret());
  const std::string proved = "hearth-session/1" + parts.identity.public_key() + request.challenge();
  return known_challenge && net::verify_signature(key_kind(static_cast<v1::KeyKind>(device->key_kind)), device->key,
                                                  proved, request.signature());
}

Result<v1::ProveReply> prove(Parts& parts, const v1::ProveRequest& request, net::Caller& caller) {
  const Time now = parts.loop.now();
  const store::DeviceRow* device = parts.devices.find_active({request.device_id()});
  if (!is_proof(parts, device, request, now)) {
    return fail(Code::kUnauthenticated,
                request.secret().empty()
                    ? "this device is not known here (any more), or its proof is wrong; pair it again"
                    : kUnknownToken);
  }
  const std::string token = to_base64url(net::random_bytes(32));
  parts.sessions.open(device->id, token, now);
  parts.devices.seen(device->id, wall_now());
  parts.watchers.device_changed(device->id);
  v1::ProveReply reply;
  reply.set_token(token);
  reply.set_expires_in_seconds(Sessions::kLife.micros / 1'000'000);
  reply.set_role(static_cast<v1::Role>(device->role));
  reply.set_device_name(device->name);
  for (const account::HubAddress& hub : parts.circle->others()) {
    v1::HubAddress& told = *reply.add_other_hubs();
    told.set_endpoint(hub.endpoint.text());
    told.set_identity_key(hub.identity);
  }
  if (caller.reply_headers != nullptr) {
    caller.reply_headers->add("Set-Cookie",
                              fmt::format("__Host-hearth={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}", token,
                                          reply.expires_in_seconds()));
  }
  return reply;
}

// The token that stands in an Authorization header, as bearer or as a password; empty if there is none.
std::string machine_token(std::string_view authorization) {
  if (authorization.starts_with("Bearer https://")) return std::string(authorization.substr(7));
  return basic_password(authorization);
}

net::AccessLevel level_of(std::uint8_t role) {
  switch (role) {
    case v1::ROLE_OWNER:
      return net::AccessLevel::kOwner;
    case v1::ROLE_OPERATOR:
      return net::AccessLevel::kOperator;
    case v1::ROLE_MEMBER:
      return net::AccessLevel::kMember;
    default:
      return net::AccessLevel::kNode;
  }
}

// Without what its session says.
net::Caller caller_of(const store::DeviceRow& device, const std::string& address) {
  net::Caller caller;
  caller.level = level_of(device.role);
  caller.device = device.id;
  caller.device_name = device.name;
  caller.address = address;
  return caller;
}

}  // namespace

void add_pairing_methods(net::Dispatcher& dispatcher, Parts& parts) {
  const auto limits = std::make_shared<Limits>();
  dispatcher.unary<v1::NonceRequest, v1::NonceReply>(
      "hearth.v1.PairingService.Nonce",
      [&parts, limits](const v1::NonceRequest&, net::Caller& caller) -> net::Async<Result<v1::NonceReply>> {
        if (!net::is_loopback(caller.address) && !limits->nonces.take(caller.address, parts.loop.now()))
          co_return too_often("pairings");
        v1::NonceReply reply;
        reply.set_server_nonce(net::random_bytes(16));
        reply.set_identity_key(parts.identity.public_key());
        reply.set_signature(parts.identity.sign("hearth-nonce/1" + reply.server_nonce()));
        reply.set_pool_name(parts.options.pool_name);
        parts.invitations.add_nonce(reply.server_nonce(), parts.loop.now());
        co_return reply;
      });
  dispatcher.unary<v1::PairRequest, v1::PairReply>(
      "hearth.v1.PairingService.Pair",
      [&parts, limits](const v1::PairRequest& request, net::Caller& caller) -> net::Async<Result<v1::PairReply>> {
        if (!limits->wrong_pairings.take(caller.address, parts.loop.now())) co_return too_often("wrong pairings");
        Result<v1::PairReply> reply = pair(parts, request, caller.address);
        if (reply) limits->wrong_pairings.refund(caller.address);
        co_return reply;
      });
  dispatcher.unary<v1::PairStatusRequest, v1::PairStatusReply>(
      "hearth.v1.PairingService.PairStatus",
      [&parts](const v1::PairStatusRequest& request, net::Caller&) { return pair_status(parts, request); });
  dispatcher.unary<v1::ChallengeRequest, v1::ChallengeReply>(
      "hearth.v1.PairingService.Challenge",
      [&parts, limits](const v1::ChallengeRequest&, net::Caller& caller) -> net::Async<Result<v1::ChallengeReply>> {
        if (!net::is_loopback(caller.address) && !limits->challenges.take(caller.address, parts.loop.now()))
          co_return too_often("proofs");
        v1::ChallengeReply reply;
        reply.set_challenge(net::random_bytes(32));
        reply.set_identity_key(parts.identity.public_key());
        parts.sessions.add_challenge(reply.challenge(), parts.loop.now());
        co_return reply;
      });
  dispatcher.unary<v1::ProveRequest, v1::ProveReply>(
      "hearth.v1.PairingService.Prove",
      [&parts, limits](const v1::ProveRequest& request, net::Caller& caller) -> net::Async<Result<v1::ProveReply>> {
        // A proof by a key has paid for its challenge already.
        const bool counts = !request.secret().empty() && !net::is_loopback(caller.address);
        if (counts && !limits->challenges.take(caller.address, parts.loop.now())) co_return too_often("proofs");
        co_return prove(parts, request, caller);
      });
}

Result<net::Caller> authorize(Parts& parts, const net::RequestHead& head, const std::string& address) {
  const auto refuse = [] { return fail(Code::kUnauthenticated, "no session, or it ran out; prove the device's key"); };
  const std::string_view authorization = head.headers.get("authorization");
  std::string token;
  if (authorization.starts_with("Bearer ")) {
    token = authorization.substr(7);
  } else {
    if (net::is_asked_from_elsewhere(head)) return refuse();  // only our own page may use the cookie
    token = net::cookie_value(head.headers.get("cookie"), "__Host-hearth");
  }
  const std::optional<Session> session = parts.sessions.find(token, parts.loop.now());
  if (!session) return refuse();
  Result<net::Caller> caller = standing_of(parts, session->device, address);
  if (!caller) return refuse();
  caller->session = session->number;
  caller->freshly_proved = parts.loop.now() - session->proved <= Sessions::kFresh;
  return caller;
}

Result<net::Caller> standing_of(const Parts& parts, DeviceId id, const std::string& address) {
  const store::DeviceRow* device = parts.devices.find_active(id);
  if (device != nullptr && !has_run_out(*device, wall_now())) return caller_of(*device, address);
  return fail(Code::kUnauthenticated, "this device is not in the pool any more");
}

Result<net::Caller> authorize_machine(Parts& parts, const net::RequestHead& head, const std::string& address) {
  const std::string line = machine_token(head.headers.get("authorization"));
  if (line.empty()) return authorize(parts, head, address);
  if (net::is_asked_from_elsewhere(head)) return fail(Code::kUnauthenticated, "another site's page");
  const Result<account::Token> token = account::parse_token(line);
  if (!token) return fail(Code::kUnauthenticated, token.error().message);
  const store::DeviceRow* device = parts.devices.find_active(token->device);
  const bool is_known = device != nullptr && is_secret_of(*device, token->secret);
  if (!is_known || has_run_out(*device, wall_now())) return fail(Code::kUnauthenticated, kUnknownToken);
  parts.devices.seen(device->id, wall_now());
  return caller_of(*device, address);
}

}  // namespace hearth::hub
