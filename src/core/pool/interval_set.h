// A set of 32-bit numbers kept as disjoint runs: a million consecutive ones cost one entry. Every operation takes time
// logarithmic in the number of runs.
#pragma once

#include <cstdint>
#include <map>

namespace hearth::pool {

class IntervalSet {
 public:
  // None of [first, first + count) may be in the set. Runs that touch are joined.
  void insert(std::uint32_t first, std::uint32_t count = 1);

  // Whether it was in the set.
  bool erase(std::uint32_t number);

  // Removes and returns the smallest; the set may not be empty.
  std::uint32_t pop_front();

  void clear();
  bool contains(std::uint32_t number) const;
  bool empty() const { return runs_.empty(); }
  std::uint32_t size() const { return size_; }

  // From each run's first number to the number after its last, in order.
  const std::map<std::uint32_t, std::uint32_t>& runs() const { return runs_; }

 private:
  std::map<std::uint32_t, std::uint32_t> runs_;
  std::uint32_t size_ = 0;
};

}  // namespace hearth::pool
