// The files of the hubs that stand by: a pool whose database outlives its hub is worth little without them.
//
// The holder hands every new blob to each hub that follows before it answers whoever sent it, and sends a hub that has
// come along what it lacks; then that one is in step. A hub that cannot take a blob does not keep anybody waiting: it
// follows no more until it has been sent what it lacks. On the loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blob/blob_store.h"
#include "net/async.h"
#include "store/shared.h"

namespace hearth::hub {

// What a hub that stands by serves to the holder, which shows that it knows the secret of the hub's own row: POST of
// digests one after the other gives those that are not there; PUT of a blob by its digest in hexadecimal.
inline constexpr const char* kMissingPath = "/hub/missing";
inline constexpr const char* kBlobPath = "/hub/blob/";
inline constexpr std::size_t kMaxMissingAsked = 5'000;

class Replicas {
 public:
  struct Step {
    bool in_step = false;
    std::uint64_t behind = 0;
  };

  Replicas(net::Loop& loop, net::Workers& workers, blob::BlobStore& blobs);
  ~Replicas();

  // The hubs of the pool but this one; those that live are followed up.
  void meet(const std::vector<store::KnownHub>& others);

  // Returns when each hub that follows has the blob, or follows no more.
  net::Async<void> hand_over(blob::Digest digest);

  Step step_of(const std::string& identity) const;
  net::Async<void> stop();

 private:
  struct Replica;

  net::Async<void> follow_up(std::shared_ptr<Replica> replica);
  net::Async<Result<void>> send_missing(Replica& replica);
  net::Async<Result<void>> send(Replica& replica, const blob::Digest& digest);

  net::Loop& loop_;
  net::Workers& workers_;
  blob::BlobStore& blobs_;
  std::map<std::string, std::shared_ptr<Replica>> replicas_;  // by identity
  int running_ = 0;
  net::Event stopped_;
};

}  // namespace hearth::hub
