// The device's side of hearth-pair/1, see proto/hearth/v1/pairing.proto.
#include <algorithm>
#include <array>
#include <optional>

#include "account/account.h"
#include "account/identity.h"
#include "base/bytes.h"

namespace hearth::account {
namespace {

constexpr std::size_t kNonceBytes = 16;
constexpr std::size_t kFingerprintBytes = 10;
constexpr std::size_t kMaxPoolNameBytes = 256;
constexpr Duration kPatience = seconds(120);  // the life of an invitation
constexpr Duration kBetweenQuestions = seconds(1);

std::unexpected<Error> fail_impostor() {
  return fail(Code::kUnauthenticated,
              "what answers at this address is not the server of the link; do not go on, ask for a new link");
}

// The server is the link's if its key has the link's fingerprint, TLS showed that key, and it signed the nonce.
Result<void> check_server(const v1::NonceReply& reply, const PairingLink& link, const net::Client& client) {
  if (reply.server_nonce().size() != kNonceBytes || reply.identity_key().size() != kIdentityBytes) {
    return fail(Code::kInternal, "the server's answer is malformed; is it a Hearth server of this version?");
  }
  const std::string fingerprint = net::sha256(reply.identity_key()).substr(0, kFingerprintBytes);
  const bool right = fingerprint == link.identity_fingerprint && reply.identity_key() == client.server_identity() &&
                     verify_identity(reply.identity_key(), "hearth-nonce/1" + reply.server_nonce(), reply.signature());
  if (!right) return fail_impostor();
  return {};
}

v1::PairRequest make_request(const std::string& transcript, const std::string& secret, const net::IdentityKey& key) {
  v1::PairRequest request;
  request.set_key_kind(v1::KEY_KIND_ED25519);
  request.set_device_key(key.public_key_spki());
  request.set_mac(net::hmac_sha256(secret, transcript));
  request.set_signature(key.sign(transcript));
  return request;
}

// Asks until the owner has decided. The server answers late on purpose; one that answers at once is not asked more
// than once a second.
net::Async<Result<DeviceId>> wait_for_owner(net::Loop& loop, net::Client& client, const std::string& pairing_id) {
  v1::PairStatusRequest request;
  request.set_pairing_id(pairing_id);
  const Time deadline = loop.now() + kPatience;
  while (loop.now() < deadline) {
    const Time asked = loop.now();
    Result<v1::PairStatusReply> reply =
        co_await net::call<v1::PairStatusReply>(client, "hearth.v1.PairingService/PairStatus", "", request);
    const bool try_again =
        !reply && (reply.error().code == Code::kUnavailable || reply.error().code == Code::kDeadlineExceeded);
    if (!reply && !try_again) co_return std::unexpected(reply.error());
    if (reply && reply->state() == v1::PairStatusReply::STATE_ALLOWED && reply->device_id() != 0) {
      co_return DeviceId{reply->device_id()};
    }
    if (reply && reply->state() != v1::PairStatusReply::STATE_WAITING) {
      co_return fail(Code::kPermissionDenied, "the owner refused this device, or did not answer within two minutes");
    }
    if (loop.now() - asked < kBetweenQuestions) co_await net::sleep_for(kBetweenQuestions);
  }
  co_return fail(Code::kDeadlineExceeded, "the owner did not allow this device within two minutes; ask for a new link");
}

}  // namespace

bool verify_identity(const std::string& identity_key, std::string_view bytes, std::string_view signature) {
  // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): this, then the key's 32 bytes.
  constexpr std::array<char, 12> kPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  const std::string spki = std::string(kPrefix.begin(), kPrefix.end()) + identity_key;
  return net::verify_signature(net::KeyKind::kEd25519, spki, bytes, signature);
}

std::string pairing_transcript(std::string_view identity_key, std::string_view device_key_spki,
                               std::string_view server_nonce, std::string_view device_nonce) {
  std::string transcript = "hearth-pair/1";
  transcript += identity_key;
  transcript += static_cast<char>(device_key_spki.size() >> 8 & 0xFF);
  transcript += static_cast<char>(device_key_spki.size() & 0xFF);
  transcript += device_key_spki;
  transcript += server_nonce;
  transcript += device_nonce;
  return transcript;
}

std::string pairing_digits(std::string_view transcript) {
  constexpr std::uint32_t kModulus = 1'000'000;
  const std::string hash = net::sha256(transcript);
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(hash[i]);
  const std::string digits = std::to_string(number % kModulus);
  return std::string(6 - digits.size(), '0') + digits;
}

net::Async<Result<Account>> pair(net::Loop& loop, net::Workers& workers, const PairingLink& link,
                                 const net::IdentityKey& key, const std::string& name, bool as_node,
                                 std::function<void(const std::string& digits)> on_digits) {
  const std::unique_ptr<net::Client> client = net::Client::make(
      loop, link.endpoint, {.identity_key = "", .identity_fingerprint = link.identity_fingerprint}, workers);
  co_return co_await pair_over(loop, *client, link, key, name, as_node, std::move(on_digits));
}

net::Async<Result<Account>> pair_over(net::Loop& loop, net::Client& client, const PairingLink& link,
                                      const net::IdentityKey& key, const std::string& name, bool as_node,
                                      std::function<void(const std::string& digits)> on_digits) {
  const Result<v1::NonceReply> nonce =
      co_await net::call<v1::NonceReply>(client, "hearth.v1.PairingService/Nonce", "", v1::NonceRequest());
  if (!nonce) co_return fail(nonce, "pairing with " + link.endpoint.text());
  if (Result<void> checked = check_server(*nonce, link, client); !checked) co_return std::unexpected(checked.error());

  const std::string device_nonce = net::random_bytes(kNonceBytes);
  const std::string transcript =
      pairing_transcript(nonce->identity_key(), key.public_key_spki(), nonce->server_nonce(), device_nonce);
  v1::PairRequest request = make_request(transcript, link.secret, key);
  request.set_server_nonce(nonce->server_nonce());
  request.set_device_nonce(device_nonce);
  request.set_name(name);
  request.set_as_node(as_node);
  const Result<v1::PairReply> reply =
      co_await net::call<v1::PairReply>(client, "hearth.v1.PairingService/Pair", "", request);
  if (!reply) co_return fail(reply, "pairing with " + link.endpoint.text());
  const std::string digits = pairing_digits(transcript);
  if (reply->digits() != digits) co_return fail_impostor();
  on_digits(digits);

  const Result<DeviceId> device = co_await wait_for_owner(loop, client, reply->pairing_id());
  if (!device) co_return fail(device, "pairing with " + link.endpoint.text());
  const std::string& pool = nonce->pool_name();
  const bool readable = is_plain_utf8(pool) && !pool.empty() && pool.size() <= kMaxPoolNameBytes;
  co_return Account{.endpoint = link.endpoint,
                    .hub_identity = nonce->identity_key(),
                    .device = *device,
                    .pool_name = readable ? pool : link.endpoint.host};
}

}  // namespace hearth::account
