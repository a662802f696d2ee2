// The one thread of a Host: it starts every guest, watches their pipes and ends, and calls back. Guests die with the
// thread that started them (PR_SET_PDEATHSIG), so it lives as long as the Host.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "sandbox/fd.h"

namespace hearth::sandbox {

class Reactor {
 public:
  Reactor();
  ~Reactor();  // runs what was posted, then ends the thread
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Runs the function on the thread, soon and in order. Any thread.
  void post(std::function<void()> function);

  // Calls `on_readable` whenever the descriptor is readable or at its end, until unwatch(). On the thread only.
  std::uint64_t watch(int fd, std::function<void()> on_readable);
  void unwatch(std::uint64_t watch, int fd);

  bool on_thread() const;

 private:
  void run();
  void run_posted();

  Fd epoll_;
  Fd wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  bool stopping_ = false;                      // guarded by mutex_
  std::unordered_map<std::uint64_t, std::shared_ptr<std::function<void()>>> watches_;
  std::uint64_t last_watch_ = 0;
  std::thread thread_;
};

}  // namespace hearth::sandbox
