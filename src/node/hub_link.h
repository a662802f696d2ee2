// The way to the hub of one account: calls, blobs, and the token for both.
#pragma once

#include <memory>

#include "account/account.h"
#include "blob/transfer.h"

namespace hearth::node {

struct HubLink {
  HubLink(net::Loop& loop, net::Workers& workers, account::Account account, const net::IdentityKey& key)
      : session(loop, workers, std::move(account), key),
        transfer(session.client(), workers, [this] { return session.last_token(); }) {}

  account::Session session;
  blob::Transfer transfer;
};

}  // namespace hearth::node
