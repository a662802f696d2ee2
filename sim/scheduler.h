// Virtual time: what is to happen when. Things of the same moment happen in the order in which they were planned.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "base/time.h"

namespace hearth::sim {

class Scheduler {
 public:
  Time now() const { return now_; }
  std::uint64_t steps() const { return steps_; }

  void at(Time time, std::function<void()> action) {
    queue_.push({time < now_ ? now_ : time, ++last_, std::move(action)});
  }
  void after(Duration span, std::function<void()> action) { at(now_ + span, std::move(action)); }

  // Does the next thing, if it is due by `end`; else moves to `end` and returns false.
  bool step(Time end) {
    if (queue_.empty() || queue_.top().time > end) {
      now_ = end;
      return false;
    }
    // Only the action is moved from, which the order does not depend on.
    auto action = std::move(const_cast<Entry&>(queue_.top()).action);
    now_ = queue_.top().time;
    queue_.pop();
    ++steps_;
    action();
    return true;
  }

 private:
  struct Entry {
    Time time;
    std::uint64_t order = 0;
    std::function<void()> action;
    bool operator>(const Entry& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  Time now_{3'600'000'000};  // so late that a clock which is slow does not show a time before its beginning
  std::uint64_t last_ = 0;
  std::uint64_t steps_ = 0;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

}  // namespace hearth::sim
