// One running program: bubblewrap and what it started, from launch to the last process's end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sandbox/cgroup.h"
#include "sandbox/guest_network.h"
#include "sandbox/launch.h"
#include "sandbox/listener.h"
#include "sandbox/reactor.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

class Guest : public std::enable_shared_from_this<Guest> {
 public:
  struct Plan {
    Launch launch;
    // Our ends of its pipes.
    Fd output;
    Fd errors;
    Fd status;  // bubblewrap's --json-status-fd
    Fd gate;    // bubblewrap's --block-fd
    std::unique_ptr<Listener> listener;
    const Cgroup* cgroup = nullptr;
    std::shared_ptr<GuestNetwork> network;  // nullptr: none. The program waits for it too
    std::function<void(Stream, std::string_view)> on_output;
    std::function<void(const Exit&)> on_exit;
  };

  // Starts bubblewrap on the reactor's thread, which makes everything ready and waits for open_gate(). What goes wrong
  // there is told by on_exit. Any thread.
  static std::shared_ptr<Guest> start(Reactor& reactor, Plan plan);

  Guest(Reactor& reactor, Plan plan);

  void open_gate();  // lets the program run; any thread
  void kill();       // any thread
  // Holds all its processes still by signals. Errors: kDeadlineExceeded if they do not within 2 s. Not on the reactor's
  // thread, which learns of the program's start and end meanwhile.
  Result<void> stop();
  void go_on();
  // Of the program's own loopback, see Sandbox::open_socket().
  Result<int> open_socket(int family);
  void wait();            // until on_exit has returned; not on the reactor's thread
  bool finished() const;  // on_exit has been called

 private:
  void begin();
  void read_output(Stream stream);
  enum class Read : std::uint8_t { kMore, kNothingNow, kEnd };
  Read read_piece(Stream stream);
  void read_status();
  void adopt_init(pid_t pid);
  void open_network(pid_t init);
  void on_network(const Result<void>& made);
  void pass_gate();
  void on_outer_end();
  void on_init_end();
  void kill_now();
  void finish();
  void close_watch(std::uint64_t& watch, Fd& fd);
  void count_usage(int pidfd, int& how, int& value);
  std::uint64_t peak_memory_bytes() const;  // 0: unknown

  Reactor& reactor_;
  Plan plan_;

  // The reactor's thread only.
  Fd outer_;  // bubblewrap itself
  Fd init_;   // process 1 of the sandbox
  pid_t outer_pid_ = 0;
  bool released_ = false;
  bool has_network_ = false;
  std::uint64_t output_watch_ = 0;
  std::uint64_t errors_watch_ = 0;
  std::uint64_t status_watch_ = 0;
  std::uint64_t outer_watch_ = 0;
  std::uint64_t init_watch_ = 0;
  std::string status_text_;
  bool kill_wanted_ = false;
  bool outer_killed_ = false;
  int exit_code_ = -1;
  std::uint64_t start_micros_ = 0;
  std::uint64_t most_resident_bytes_ = 0;  // of one of its processes, as far as they were waited for
  Exit exit_;

  std::mutex init_mutex_;
  // The first is the reactor's thread's to change, and has not ended while the second is not 0.
  pid_t init_pid_ = 0;  // guarded by init_mutex_; while it is not waited for, the number is its own

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool finished_ = false;  // guarded by mutex_
  bool told_ = false;      // guarded by mutex_
};

}  // namespace hearth::sandbox
