#include "core/pool/room_index.h"

#include <tuple>

#include "core/pool/nodes.h"

namespace hearth::pool {
namespace {

template <class Nodes>
const Nodes* nodes_of(const Nodes& nodes) {
  return &nodes;
}

template <class Nodes>
const Nodes* nodes_of(const Nodes* nodes) {
  return nodes;
}

}  // namespace

bool RoomIndex::ByShare::operator()(const Bucket& a, const Bucket& b) const {
  if (a.kept_for != b.kept_for) return a.kept_for > b.kept_for;
  const std::uint64_t share_a = std::uint64_t{a.free_cores} * b.cores;
  const std::uint64_t share_b = std::uint64_t{b.free_cores} * a.cores;
  if (share_a != share_b) return share_a > share_b;
  // Nodes with GPUs last, and those that admit more: they are to be free for those who need that.
  return std::tie(a.free_gpus, a.gpu_memory, a.admits, a.meets, b.free_cores, b.cores) <
         std::tie(b.free_gpus, b.gpu_memory, b.admits, b.meets, a.free_cores, a.cores);
}

bool RoomIndex::ByCores::operator()(const Bucket& a, const Bucket& b) const {
  return std::tie(b.kept_for, a.free_gpus, a.gpu_memory, a.admits, a.meets, a.free_cores, a.cores) <
         std::tie(a.kept_for, b.free_gpus, b.gpu_memory, b.admits, b.meets, b.free_cores, b.cores);
}

void RoomIndex::insert(Node& node, const Place& place) {
  const auto bucket = by_share_.try_emplace(place.bucket).first;
  if (bucket->second.empty()) by_cores_.emplace(place.bucket, &bucket->second);
  bucket->second.emplace(std::pair(place.memory, node.id), &node);
  ++sizes_[place.bucket.cores];
}

void RoomIndex::erase(const Node& node, const Place& place) {
  const auto bucket = by_share_.find(place.bucket);
  bucket->second.erase({place.memory, node.id});
  if (bucket->second.empty()) {
    by_cores_.erase(place.bucket);
    by_share_.erase(bucket);
  }
  const auto size = sizes_.find(place.bucket.cores);
  if (--size->second == 0) sizes_.erase(size);
}

void RoomIndex::update(Node& node, bool is_found) {
  const Resources room = node.room(reach_);
  std::optional<Place> place;
  if (is_found && room.cores > 0) {
    place = Place{
        {room.cores, node.offered.cores, room.gpus, room.gpu_memory_bytes, node.admits, node.meets, node.kept_for},
        room.memory_bytes};
  }
  std::optional<Place>& known = node.places[reach_];
  if (known == place) return;
  if (known) erase(node, *known);
  known = place;
  if (place) insert(node, *place);
}

template <class Buckets>
Node* RoomIndex::find_in(const Buckets& buckets, const Terms& needs, const Node* except) const {
  for (const auto& [bucket, entry] : buckets) {
    const bool suits = bucket.free_cores >= needs.resources.cores && bucket.free_gpus >= needs.resources.gpus &&
                       needs.resources.gpu_memory_bytes <= bucket.gpu_memory &&
                       needs.admission.is_granted_by(bucket.admits) && needs.conditions.are_met_by(bucket.meets) &&
                       needs.may_use(bucket.kept_for);
    if (!suits) continue;
    const Nodes* nodes = nodes_of(entry);
    for (auto node = nodes->lower_bound({needs.resources.memory_bytes, NodeId{}}); node != nodes->end(); ++node) {
      if (node->second == except) continue;
      if (needs.resources.disk_bytes <= node->second->room(reach_).disk_bytes) return node->second;
    }
  }
  return nullptr;
}

Node* RoomIndex::find_emptiest(const Terms& needs, const Node* except) const {
  return find_in(by_share_, needs, except);
}

Node* RoomIndex::find_tightest(const Terms& needs, const Node* except) const {
  return find_in(by_cores_, needs, except);
}

bool RoomIndex::is_large(const Resources& needs) const {
  if (needs.gpus > 0) return true;
  return !sizes_.empty() && std::uint64_t{needs.cores} * 2 > sizes_.rbegin()->first && needs.cores > 1;
}

}  // namespace hearth::pool
