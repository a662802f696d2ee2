// The nodes that have free room, in the order of each preference that jobs have now.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/ids.h"
#include "core/pool/preference.h"

namespace hearth::pool {

struct Node;

class Ranking {
 public:
  explicit Ranking(Preference preference) : preference_(std::move(preference)) {}

  // Whether the node is to be found. What it says of itself is looked at when it begins to be, see PreferenceTable.
  void update(Node& node, bool is_found);

  // Of the first that `suit`, and of those that are preferred alike, the one that none is_better than; so many are
  // looked at. Null: none of them is preferred to `usual`.
  template <class Suits, class IsBetter>
  Node* find(NodeId usual, int looks, Suits suits, IsBetter is_better) const {
    const auto at = ranks_.find(usual);
    const Preference::Rank* rank = nullptr;
    Node* best = nullptr;
    for (auto entry = nodes_.begin(); entry != nodes_.end() && looks > 0; ++entry, --looks) {
      const auto& [place, node] = *entry;
      if (best != nullptr && place.first != *rank) break;
      if (best == nullptr && at != ranks_.end() && place.first >= at->second) break;
      if (!suits(*node) || (best != nullptr && !is_better(*node, *best))) continue;
      rank = &place.first;
      best = node;
    }
    return best;
  }

 private:
  friend class PreferenceTable;

  Preference preference_;
  std::uint32_t jobs_ = 0;
  std::map<NodeId, Preference::Rank> ranks_;
  std::map<std::pair<Preference::Rank, NodeId>, Node*> nodes_;
};

class PreferenceTable {
 public:
  static constexpr std::size_t kMost = 32;  // different ones at once

  // Whether add() would take it. Errors: those of Preference::parse(); kResourceExhausted.
  Result<void> check(const std::string& text) const;

  // One job more has it; null: none, or what cannot be read. `is_new`: no other job had, so that all nodes are to be
  // updated. The pointer is good until the last such job is removed.
  const Ranking* add(const std::string& text, bool& is_new);
  void remove(const std::string& text);

  // To be called whenever it may have become full, or no more; after forget() if its attributes changed.
  void update(Node& node, bool is_found);
  void forget(Node& node) { update(node, false); }

 private:
  std::map<std::string, Ranking> rankings_;
};

}  // namespace hearth::pool
