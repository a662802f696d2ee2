// A device's standing with a hub: the key it is known by, which hub it is paired with, and its session there. What the
// command line and a node share.
//
// On disk, in a directory of the device's own (mode 0700):
//   identity.pem   its Ed25519 key (mode 0600)
//   account.json   {"endpoint": "host:port", "hub_identity": hex, "device_id": n, "pool": name,
//                   "other_hubs": [{"endpoint": "host:port", "hub_identity": hex}]}; absent until paired
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "hearth/v1/pairing.pb.h"
#include "net/client.h"
#include "net/connect.h"
#include "net/crypto.h"

namespace hearth::account {

// A hub and the key by which it is known there.
struct HubAddress {
  net::Endpoint endpoint;
  std::string identity;  // 32 bytes
  bool operator==(const HubAddress&) const = default;
};

inline constexpr std::size_t kMaxOtherHubs = 32;

struct Account {
  net::Endpoint endpoint;
  std::string hub_identity;  // 32 bytes
  DeviceId device;
  std::string pool_name;
  std::vector<HubAddress> other_hubs;  // of the pool, as the hub told: tried in turn when it does not answer
  bool operator==(const Account&) const = default;
};

// Errors: kNotFound (not paired: the message says how to pair), kDataLoss (malformed).
Result<Account> load_account(const std::filesystem::path& directory);
// Appears whole or not at all.
Result<void> save_account(const std::filesystem::path& directory, const Account& account);
void remove_account(const std::filesystem::path& directory);

// A pairing link, see proto/hearth/v1/pairing.proto. Errors: kInvalidArgument (which part is wrong).
struct PairingLink {
  net::Endpoint endpoint;
  std::string secret;
  std::string identity_fingerprint;  // 10 bytes
};
Result<PairingLink> parse_link(std::string_view text);
std::string format_link(const PairingLink& link);

// What a machine comes in by, see pairing.proto.
struct Token {
  net::Endpoint endpoint;
  DeviceId device;
  std::string secret;        // 32 bytes
  std::string hub_identity;  // 32 bytes
};
// Errors: kInvalidArgument (which part is wrong; never the secret).
Result<Token> parse_token(std::string_view text);
std::string format_token(const Token& token);

// The transcript that both sides sign and hash, and the six digits that people compare.
std::string pairing_transcript(std::string_view identity_key, std::string_view device_key_spki,
                               std::string_view server_nonce, std::string_view device_nonce);
std::string pairing_digits(std::string_view transcript);

// Pairs: presents the secret, reports the digits through `on_digits`, waits for the owner (at most 120 s).
// Errors: kPermissionDenied (wrong or used link, refused), kUnauthenticated (the server's key is not the link's),
// kDeadlineExceeded, kUnavailable.
net::Async<Result<Account>> pair(net::Loop& loop, net::Workers& workers, const PairingLink& link,
                                 const net::IdentityKey& key, const std::string& name, bool as_node,
                                 std::function<void(const std::string& digits)> on_digits);

// A session that proves its key when it must; if its hub does not answer, at the pool's next one.
class Session {
 public:
  Session(net::Loop& loop, net::Workers& workers, Account account, const net::IdentityKey& key);
  // Over a client that exists (a test's).
  Session(net::Loop& loop, std::unique_ptr<net::Client> client, Account account, const net::IdentityKey& key);
  ~Session();

  net::Client& client();  // of whichever hub is in use
  const Account& account() const;

  // Called on the loop when another hub is in use, or when the pool has other hubs than the account said: to be saved.
  void on_change(std::function<void(const Account&)> handler);

  bool has_other_hubs() const;
  // What the hub says of the pool's other hubs.
  void learn_hubs(const google::protobuf::RepeatedPtrField<v1::HubAddress>& others);
  // The key that the hub in use showed last; empty before.
  std::string server_identity() const;
  // Whether the hub is there and holds its pool. Asked soon to be answered if there are others.
  net::Async<bool> hub_answers();

  // A token good for another minute at least; proves anew if `fresh` or if the old one runs out. Errors:
  // kUnauthenticated (revoked), kUnavailable.
  net::Async<Result<std::string>> token(bool fresh = false);
  std::string last_token() const;

  // A unary call. Proves its key first if need be, and once more (then repeating the call) when the answer is
  // unauthenticated.
  net::Async<Result<void>> call(std::string_view method, const google::protobuf::Message& request,
                                google::protobuf::Message& reply);
  template <class Reply>
  net::Async<Result<Reply>> call(std::string_view method, const google::protobuf::Message& request) {
    Reply reply;
    Result<void> done = co_await call(method, request, reply);
    if (!done) co_return std::unexpected(done.error());
    co_return std::move(reply);
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::account
