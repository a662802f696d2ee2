#include "hub/swarms.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include "base/bytes.h"
#include "hub/job_data.h"
#include "net/cipher.h"
#include "net/client.h"
#include "net/loopback.h"

namespace hearth::hub {
namespace {

constexpr std::size_t kMaxLayouts = 64;  // in memory; of 20 KiB for a GiB
constexpr std::uint64_t kLeastPiece = 256 << 10;
constexpr std::uint64_t kLargestPiece = 4 << 20;
constexpr std::uint64_t kFewPieces = 1'024;
constexpr std::size_t kMaxHolders = 64;

// About a thousand pieces, so that nodes soon have something for each other, and a layout stays small.
std::uint64_t piece_bytes_for(std::uint64_t size) {
  std::uint64_t bytes = kLeastPiece;
  while (bytes < kLargestPiece && size / bytes > kFewPieces) bytes *= 2;
  return bytes;
}

}  // namespace

// Nobody is ever given the hub's signature of that sentence.
Swarms::Swarms(net::Loop& loop, net::Workers& workers, Engine& engine, const Devices& devices, blob::BlobStore& blobs,
               const net::IdentityKey& identity, std::vector<std::string> hosts)
    : loop_(loop),
      workers_(workers),
      engine_(engine),
      devices_(devices),
      blobs_(blobs),
      secret_(net::sha256(identity.sign("hearth-swarm/1: the secret of this hub's swarms"))),
      hosts_(std::move(hosts)) {}

std::string Swarms::name_of(const v1::Blob& blob) const { return net::hmac_sha256(secret_, "name" + blob.sha256()); }
std::string Swarms::key_of(const v1::Blob& blob) const { return net::hmac_sha256(secret_, "key" + blob.sha256()); }

void Swarms::set_port(NodeId node, const std::string& address, std::uint32_t port) {
  if (port == 0 || port > 65'535) {
    places_.erase(node);
  } else {
    places_[node] = {address, port};
  }
}

void Swarms::node_changed(NodeId node) {
  if (!engine_.connected(node)) places_.erase(node);
  if (devices_.find_active(node) == nullptr) table_.forget(node);
}

void Swarms::about_to_assign(NodeId node, const LiveJob& job) {
  for (const v1::Blob& blob : job.data) {
    if (blob.size() >= pool::SwarmTable::kLeastBytes) table_.wanted(id_of(blob.sha256()), node, loop_.now());
  }
}

std::vector<NodeId> Swarms::holders_of(const v1::Blob& blob) const {
  return engine_.pool().holders(id_of(name_of(blob)), kMaxHolders);
}

// Addresses are told within a ring only: home alone is shown the pool.
bool Swarms::may_meet(NodeId a, NodeId b) const {
  const store::DeviceRow* one = devices_.find_active(a);
  const store::DeviceRow* other = devices_.find_active(b);
  return one != nullptr && other != nullptr && one->ring == other->ring;
}

std::vector<std::string> Swarms::endpoints_of(NodeId node, NodeId seen_by) const {
  const auto found = places_.find(node);
  if (found == places_.end()) return {};
  const auto viewer = places_.find(seen_by);
  const bool is_here = viewer == places_.end() || net::is_loopback(viewer->second.address);
  std::vector<std::string> hosts = {found->second.address};
  if (net::is_loopback(found->second.address) && !is_here) hosts = hosts_;
  std::vector<std::string> endpoints;
  for (const std::string& host : hosts) {
    endpoints.push_back(net::Endpoint{.host = host, .port = static_cast<std::uint16_t>(found->second.port)}.text());
  }
  return endpoints;
}

std::vector<v1::Swarm> Swarms::swarms_for(NodeId node, const LiveJob& job) {
  std::vector<v1::Swarm> swarms;
  for (const v1::Blob& blob : job.data) {
    const pool::DataId id = id_of(blob.sha256());
    const std::vector<NodeId> holders = holders_of(blob);
    if (!table_.is_swarm(id, node, blob.size(), holders, loop_.now())) continue;
    v1::Swarm& swarm = swarms.emplace_back();
    *swarm.mutable_blob() = blob;
    swarm.set_name(name_of(blob));
    swarm.set_key(key_of(blob));
    v1::SwarmPeers news;
    news.set_name(swarm.name());
    for (const NodeId other : table_.peers_of(id, node, holders, loop_.now())) {
      if (!may_meet(node, other)) continue;
      for (std::string& peer : endpoints_of(other, node)) swarm.add_peers(std::move(peer));
      news.clear_peers();
      for (std::string& peer : endpoints_of(node, other)) news.add_peers(std::move(peer));
      NodeLink* link = engine_.link(other);
      if (link != nullptr && news.peers_size() > 0) link->tell_swarm_peers(news);
    }
  }
  return swarms;
}

// Blocks.
Result<v1::SwarmLayout> Swarms::make_layout(const v1::Blob& blob) const {
  Result<blob::Reader> reader = blobs_.read(blob.sha256());
  if (!reader) return std::unexpected(reader.error());
  if (reader->size() < pool::SwarmTable::kLeastBytes) return fail(Code::kNotFound, "it is too small for a swarm");
  v1::SwarmLayout layout;
  layout.set_name(name_of(blob));
  layout.set_size(reader->size());
  layout.set_piece_bytes(static_cast<std::uint32_t>(piece_bytes_for(reader->size())));
  net::CounterCipher cipher(key_of(blob), 0);
  std::string piece;
  for (std::uint64_t offset = 0; offset < layout.size(); offset += piece.size()) {
    piece.resize(std::min<std::uint64_t>(layout.piece_bytes(), layout.size() - offset));
    const ssize_t count = ::pread(reader->file(), piece.data(), piece.size(), static_cast<off_t>(offset));
    if (count != static_cast<ssize_t>(piece.size())) return fail(Code::kDataLoss, "a blob cannot be read");
    cipher.apply(piece);
    layout.mutable_hashes()->append(net::sha1(piece));
  }
  return layout;
}

net::Async<Result<v1::SwarmLayout>> Swarms::layout(blob::Digest digest) {
  if (const auto known = layouts_.find(digest); known != layouts_.end()) {
    const std::shared_ptr<Made> made = known->second;
    while (!made->layout) co_await made->done.wait();
    co_return *made->layout;
  }
  if (layouts_.size() >= kMaxLayouts) {
    std::erase_if(layouts_, [](const auto& entry) { return entry.second->layout.has_value(); });
  }
  const auto made = std::make_shared<Made>();
  layouts_.emplace(digest, made);
  v1::Blob blob;
  blob.set_sha256(digest);
  made->layout = co_await workers_.run([&] { return make_layout(blob); });
  if (!*made->layout) layouts_.erase(digest);
  made->done.notify();
  co_return *made->layout;
}

}  // namespace hearth::hub
