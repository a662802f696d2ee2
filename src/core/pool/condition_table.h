// The conditions that jobs ask, each a bit while some job asks it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/admission.h"
#include "core/pool/condition.h"

namespace hearth::pool {

class ConditionTable {
 public:
  // So many different ones at once; one bit more is never met, and stands for what cannot be read.
  static constexpr std::size_t kMost = Conditions::kMost - 1;

  // Whether add() could give it a bit. Errors: those of Condition::parse(); kResourceExhausted.
  Result<void> check(const std::string& text) const;

  // One job, or booking, more asks it; what cannot be asked is never met. `is_new`: no other one did, so nodes are to
  // be asked.
  Conditions add(const std::string& text, bool& is_new);
  // One fewer; true: the last one.
  bool remove(const std::string& text);

  // All that the node meets of what is asked now.
  Conditions met_by(const Attributes& node) const;

  // Null if no job asks it.
  const Condition* find(const std::string& text) const;

 private:
  struct Asked {
    Condition condition;
    std::size_t bit = 0;
    std::uint32_t jobs = 0;
  };
  std::size_t free_bit() const;

  std::map<std::string, Asked> asked_;
};

}  // namespace hearth::pool
