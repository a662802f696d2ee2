// A pool's store that several hubs have: a database that they share, or a file each (hub/pair_store.h). One of them
// *holds* the pool: it alone decides and writes. The others stand by and take over; with a database, once the holder
// has not renewed its hold for kHoldSpan.
//
// A hold has an epoch. Every commit is conditional, in its own transaction, on the epoch still being the newest: a hub
// that stood still while another took over can write nothing any more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "store/store.h"

namespace hearth::store {

inline constexpr Duration kHoldSpan = seconds(5);
inline constexpr Duration kFirstHoldSpan = seconds(30);  // until the first renewal: the pool has to be read meanwhile
inline constexpr Duration kMeetInterval = seconds(1);

// A hub as it makes itself known to the others of its pool.
struct HubRow {
  std::string identity;          // its public key, 32 bytes; unique
  std::string name;              // of its PC
  std::string endpoints;         // "host:port host:port": where it can be reached
  std::string secret;            // by which the other hubs call it
  std::string command_line_key;  // SubjectPublicKeyInfo of its PC's own command line: an owner's device of the pool
  std::string node_key;          // and of its PC's own node
};

struct KnownHub {
  HubRow row;
  bool holds = false;
  bool alive = false;           // it has met within kHoldSpan
  bool records_behind = false;  // it keeps a copy of its own, which lacks something
};

struct Meeting {
  bool holding = false;  // we are the holder
  bool filling = false;  // a copy was begun and is not complete
  std::string pool_name;
  DeviceId witness;            // the node by whose word another hub takes over; 0: none
  std::vector<KnownHub> hubs;  // by name
};

class SharedStore : public Store {
 public:
  // Makes `self` known, renews our hold, or takes the hold if it has run out or was this very hub's in an earlier life.
  // Every kMeetInterval, by holders and others. Errors: those of commit(); kFailedPrecondition: another hub has taken
  // over, and this store never commits again.
  virtual Result<Meeting> meet(const HubRow& self) = 0;

  // Gives up the hold, if we have it, so that another hub need not wait.
  virtual Result<void> release() = 0;

  // Whether the hubs that stand by have the holder's files, too. Before each meet().
  virtual void note_files(bool /*in_step*/) {}
};

class DatabaseStore : public SharedStore {
 public:
  // For the copy of another store into this one, which is more than one commit: begin_filling() takes away what an
  // earlier try left; until end_filling() no other hub can hold the pool. Errors: kFailedPrecondition (the database
  // holds a pool already).
  virtual Result<void> begin_filling() = 0;
  virtual Result<void> end_filling() = 0;
};

struct PostgresOptions {
  std::string url;
  std::string pool_name;            // given to a new pool
  std::int64_t pool = 1;            // databases can hold several; a hub's is the first
  Duration patience = seconds(10);  // how long a lost server is dialled again before an error is given
};

// Opens the database, and makes or renews its tables. Until it holds the pool (meet()) the store can only read. A
// commit whose connection breaks is looked for on the next connection: it is never applied twice and never lost.
// Errors: kInvalidArgument (no such URL), kUnavailable, kPermissionDenied, kFailedPrecondition (no such database, one
// of another program, or one that a newer version of Hearth wrote). kUnavailable, from any function: no server took
// part for `patience`; as after kDataLoss nothing is known then, so end the process and open the store again.
Result<std::unique_ptr<DatabaseStore>> open_postgres(const PostgresOptions& options);

// What a person wants to know of a database before trusting it with a pool.
struct StoreReport {
  struct Pool {
    std::string name;
    std::uint64_t jobs = 0;
    bool filling = false;
    std::string holder;  // the hub's name; empty: none
  };
  std::string server_version;
  std::string confirmed_by;  // synchronous_standby_names: which other servers confirm a commit; empty: none
  std::optional<Pool> pool;  // none: no hub has opened it yet
};

// Changes nothing. Errors: those of open_postgres().
Result<StoreReport> examine_postgres(const PostgresOptions& options);

// Whether the text is such a URL; nothing is dialled. Errors: kInvalidArgument.
Result<void> check_postgres_url(const std::string& url);

}  // namespace hearth::store
