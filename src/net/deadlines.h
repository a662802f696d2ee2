// Deadlines of one loop, cheap for many thousand connections: a deadline that is moved later (the usual case, on every
// read) costs a store and no timer operation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include <asio/any_io_executor.hpp>

#include "base/time.h"

namespace hearth::net {

Time steady_now();

class DeadlineService;

// Calls its function on the loop's thread once the armed moment has passed. Lives on that thread.
class Deadline {
 public:
  Deadline(const asio::any_io_executor& executor, std::function<void()> expired);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(Time due);
  void disarm() { due_.reset(); }

 private:
  friend class DeadlineService;
  using Queue = std::multimap<Time, Deadline*>;

  DeadlineService& service_;
  std::function<void()> expired_;
  std::optional<Time> due_;
  std::optional<Queue::iterator> queued_;  // never later than due_
};

}  // namespace hearth::net
