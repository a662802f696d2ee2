#include "core/pool/preference_table.h"

#include "core/pool/nodes.h"

namespace hearth::pool {

void Ranking::update(Node& node, bool is_found) {
  const auto known = ranks_.find(node.id);
  if (is_found == (known != ranks_.end())) return;
  if (is_found) {
    const Preference::Rank rank = preference_.rank(node.attributes);
    ranks_.emplace(node.id, rank);
    nodes_.emplace(std::pair(rank, node.id), &node);
  } else {
    nodes_.erase({known->second, node.id});
    ranks_.erase(known);
  }
}

Result<void> PreferenceTable::check(const std::string& text) const {
  if (text.empty() || rankings_.contains(text)) return {};
  if (const Result<Preference> preference = Preference::parse(text); !preference) return fail(preference, "prefer");
  if (rankings_.size() < kMost) return {};
  return fail(Code::kResourceExhausted, "prefer: the pool's jobs have " + std::to_string(kMost) +
                                            " different preferences already, as many as it takes: wait, or write it as "
                                            "another job has it");
}

const Ranking* PreferenceTable::add(const std::string& text, bool& is_new) {
  is_new = false;
  if (text.empty()) return nullptr;
  auto entry = rankings_.find(text);
  if (entry == rankings_.end()) {
    Result<Preference> preference = Preference::parse(text);
    if (!preference) return nullptr;
    entry = rankings_.emplace(text, Ranking(std::move(*preference))).first;
    is_new = true;
  }
  ++entry->second.jobs_;
  return &entry->second;
}

void PreferenceTable::remove(const std::string& text) {
  const auto entry = rankings_.find(text);
  if (entry != rankings_.end() && --entry->second.jobs_ == 0) rankings_.erase(entry);
}

void PreferenceTable::update(Node& node, bool is_found) {
  for (auto& [text, ranking] : rankings_) ranking.update(node, is_found);
}

}  // namespace hearth::pool
