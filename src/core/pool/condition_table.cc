#include "core/pool/condition_table.h"

#include <utility>
#include <vector>

namespace hearth::pool {

Result<void> ConditionTable::check(const std::string& text) const {
  if (text.empty() || asked_.contains(text)) return {};
  if (const Result<Condition> condition = Condition::parse(text); !condition) return fail(condition, "where");
  if (asked_.size() < kMost) return {};
  return fail(Code::kResourceExhausted, "where: the pool's jobs ask " + std::to_string(kMost) +
                                            " different conditions of nodes already, as many as it takes: wait, or "
                                            "write it as another job has it");
}

std::size_t ConditionTable::free_bit() const {
  std::vector<bool> taken(kMost);
  for (const auto& [text, asked] : asked_) taken[asked.bit] = true;
  std::size_t bit = 0;
  while (taken[bit]) ++bit;
  return bit;
}

Conditions ConditionTable::add(const std::string& text, bool& is_new) {
  is_new = false;
  Conditions needed;
  if (text.empty()) return needed;
  auto entry = asked_.find(text);
  if (entry == asked_.end()) {
    Result<Condition> condition = Condition::parse(text);
    if (!condition || asked_.size() >= kMost) {
      needed.set(kMost);
      return needed;
    }
    const std::size_t bit = free_bit();
    entry = asked_.emplace(text, Asked{std::move(*condition), bit, 0}).first;
    is_new = true;
  }
  ++entry->second.jobs;
  needed.set(entry->second.bit);
  return needed;
}

bool ConditionTable::remove(const std::string& text) {
  const auto entry = asked_.find(text);
  if (entry == asked_.end() || --entry->second.jobs > 0) return false;
  asked_.erase(entry);
  return true;
}

Conditions ConditionTable::met_by(const Attributes& node) const {
  Conditions met;
  for (const auto& [text, asked] : asked_) met.set(asked.bit, asked.condition.holds(node));
  return met;
}

const Condition* ConditionTable::find(const std::string& text) const {
  const auto entry = asked_.find(text);
  return entry == asked_.end() ? nullptr : &entry->second.condition;
}

}  // namespace hearth::pool
