// What pairing and sessions share, and what tests drive over a client of their own.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "account/account.h"

namespace hearth::account {

inline constexpr std::size_t kIdentityBytes = 32;

// Whether a server's raw Ed25519 key signed the bytes.
bool verify_identity(const std::string& identity_key, std::string_view bytes, std::string_view signature);

// pair() over a client that exists.
net::Async<Result<Account>> pair_over(net::Loop& loop, net::Client& client, const PairingLink& link,
                                      const net::IdentityKey& key, const std::string& name, bool as_node,
                                      std::function<void(const std::string& digits)> on_digits);

}  // namespace hearth::account
