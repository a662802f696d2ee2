#include "core/pool/data_table.h"

#include <algorithm>
#include <utility>

#include "core/pool/nodes.h"

namespace hearth::pool {
namespace {

constexpr auto kById = [](const Node* node) { return node->id; };

}  // namespace

void DataTable::set(Node& node, const std::vector<DataId>& data) {
  std::vector<DataId> wanted(data.begin(), data.begin() + std::ptrdiff_t(std::min(data.size(), kMaxDataPerNode)));
  std::ranges::sort(wanted);
  for (const DataId id : std::vector(node.data)) {
    if (!std::ranges::binary_search(wanted, id)) remove(node, id);
  }
  for (const DataId id : wanted) add(node, id);
}

void DataTable::add(Node& node, DataId data) {
  const auto place = std::ranges::lower_bound(node.data, data);
  const bool is_known = place != node.data.end() && *place == data;
  if (is_known || node.data.size() >= kMaxDataPerNode) return;
  node.data.insert(place, data);
  std::vector<Node*>& nodes = holders_[data].nodes;
  nodes.insert(std::ranges::lower_bound(nodes, node.id, {}, kById), &node);
}

void DataTable::remove(Node& node, DataId data) {
  const auto place = std::ranges::lower_bound(node.data, data);
  if (place == node.data.end() || *place != data) return;
  node.data.erase(place);
  const auto entry = holders_.find(data);
  std::erase(entry->second.nodes, &node);
  entry->second.next = 0;
  if (entry->second.nodes.empty()) holders_.erase(entry);
}

void DataTable::forget(Node& node) {
  for (const DataId id : std::vector(node.data)) remove(node, id);
}

std::vector<NodeId> DataTable::holders(DataId data, std::size_t most) const {
  std::vector<NodeId> found;
  const auto entry = holders_.find(data);
  if (entry == holders_.end()) return found;
  for (const Node* node : entry->second.nodes) {
    if (node->connected && found.size() < most) found.push_back(node->id);
  }
  return found;
}

bool DataTable::holds(const Node& node, DataId data) const { return std::ranges::binary_search(node.data, data); }

}  // namespace hearth::pool
