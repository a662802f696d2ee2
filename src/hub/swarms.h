// Blobs that travel as swarms: their names and keys, their pieces, and which node is told of which others. Decided by
// core/pool/swarms.h; nodes carry them, see node/swarm.h. The hub itself is in no swarm: what no node has yet, each
// node fetches a part of over HTTPS.
//
// Name and key are keyed hashes of the blob's SHA-256 under a secret that follows from the hub's identity: the same
// after a restart, so that the ciphertext on a node's disk stays of use, and nothing to whoever knows or guesses the
// content but has no lease.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blob/blob_store.h"
#include "core/pool/swarms.h"
#include "hearth/v1/swarm.pb.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "net/async.h"
#include "net/crypto.h"

namespace hearth::hub {

class Swarms : public Observer {
 public:
  // `hosts`: by which other PCs reach this one; for nodes whose session comes from here.
  Swarms(net::Loop& loop, net::Workers& workers, Engine& engine, const Devices& devices, blob::BlobStore& blobs,
         const net::IdentityKey& identity, std::vector<std::string> hosts);

  std::string name_of(const v1::Blob& blob) const;

  // The node's session; `port` 0: it cannot be dialled.
  void set_port(NodeId node, const std::string& address, std::uint32_t port);

  // What goes with a lease of the job's. Those that are in such a swarm already are told of the node.
  std::vector<v1::Swarm> swarms_for(NodeId node, const LiveJob& job);

  // The pieces of the blob's ciphertext, made when first asked for. Errors: kNotFound (it is not here, or too small for
  // a swarm), kDataLoss (damaged).
  net::Async<Result<v1::SwarmLayout>> layout(blob::Digest digest);

  void about_to_assign(NodeId node, const LiveJob& job) override;
  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId node) override;
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId, const v1::Outcome&) override {}
  void job_ended(JobId) override {}

 private:
  struct Place {
    std::string address;
    std::uint32_t port = 0;
  };
  struct Made {
    std::optional<Result<v1::SwarmLayout>> layout;
    net::Event done;
  };

  std::string key_of(const v1::Blob& blob) const;
  std::vector<NodeId> holders_of(const v1::Blob& blob) const;
  bool may_meet(NodeId a, NodeId b) const;
  std::vector<std::string> endpoints_of(NodeId node, NodeId seen_by) const;
  Result<v1::SwarmLayout> make_layout(const v1::Blob& blob) const;

  net::Loop& loop_;
  net::Workers& workers_;
  Engine& engine_;
  const Devices& devices_;
  blob::BlobStore& blobs_;
  const std::string secret_;
  const std::vector<std::string> hosts_;
  pool::SwarmTable table_;
  std::map<NodeId, Place> places_;
  std::map<blob::Digest, std::shared_ptr<Made>> layouts_;
};

}  // namespace hearth::hub
