// A hub, which may have others beside it: with a database that they share, or with one that keeps a copy of this one's
// file. It stands by until it holds the pool, and is the hub from then on.
//
// While it stands by it answers every call with "unavailable", so that whoever asks goes on to the next hub, and takes
// the holder's files (replicas.h).
#pragma once

#include <memory>

#include "blob/blob_store.h"
#include "hub/hub.h"
#include "hub/pair_routes.h"
#include "store/shared.h"

namespace hearth::hub {

Result<std::unique_ptr<Hub>> start_shared_hub(net::Loop& loop, const Options& options);

// What a hub has in hand that holds its pool.
struct Held {
  std::unique_ptr<store::SharedStore> store;
  store::HubRow self;
  store::Meeting meeting;
  std::unique_ptr<blob::BlobStore> blobs;  // none: yet to be opened
  std::shared_ptr<net::Workers> store_worker;
  PairStore* pair = nullptr;  // the store, if it lies in a file
  PairRoutes* routes = nullptr;
  bool takes_over = false;  // it stood by until now
};

// hub.cc
Result<std::unique_ptr<Hub>> start_holder(net::Loop& loop, const Options& options, Held held);

// HOME/hub/endpoint.json
Result<void> write_endpoint(const Options& options, std::uint16_t port, const std::string& identity, bool stands_by);
// The port of an earlier start, so that links and pinned addresses go on working. 0: none.
std::uint16_t earlier_port(const Options& options);

}  // namespace hearth::hub
