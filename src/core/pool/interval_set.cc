#include "core/pool/interval_set.h"

#include <iterator>

#include "base/check.h"

namespace hearth::pool {

void IntervalSet::insert(std::uint32_t first, std::uint32_t count) {
  if (count == 0) return;
  std::uint32_t end = first + count;
  CHECK(end > first);
  const std::uint32_t added = count;
  auto next = runs_.lower_bound(first);
  CHECK(next == runs_.end() || next->first >= end);
  if (next != runs_.end() && next->first == end) {
    end = next->second;
    next = runs_.erase(next);
  }
  if (next != runs_.begin()) {
    const auto before = std::prev(next);
    CHECK(before->second <= first);
    if (before->second == first) {
      before->second = end;
      size_ += added;
      return;
    }
  }
  runs_.emplace_hint(next, first, end);
  size_ += added;
}

bool IntervalSet::erase(std::uint32_t number) {
  auto run = runs_.upper_bound(number);
  if (run == runs_.begin()) return false;
  --run;
  const auto [first, end] = *run;
  if (number >= end) return false;
  if (number + 1 < end) runs_.emplace_hint(std::next(run), number + 1, end);
  if (first == number) {
    runs_.erase(run);
  } else {
    run->second = number;
  }
  --size_;
  return true;
}

std::uint32_t IntervalSet::pop_front() {
  CHECK(!runs_.empty());
  const auto run = runs_.begin();
  const std::uint32_t number = run->first;
  // The node is kept and only its key changes: no allocation for the commonest operation.
  auto node = runs_.extract(run);
  if (number + 1 < node.mapped()) {
    node.key() = number + 1;
    runs_.insert(runs_.begin(), std::move(node));
  }
  --size_;
  return number;
}

void IntervalSet::clear() {
  runs_.clear();
  size_ = 0;
}

bool IntervalSet::contains(std::uint32_t number) const {
  const auto run = runs_.upper_bound(number);
  return run != runs_.begin() && number < std::prev(run)->second;
}

}  // namespace hearth::pool
