// The process hearth-swarm, in bubblewrap: it sees the programs of /usr, one directory of ciphertext and the network,
// has no privileges and ends with this process. Two threads move the frames; everything else is on the loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <sys/types.h>

#include "base/result.h"
#include "hearth/v1/swarm.pb.h"
#include "net/async.h"

namespace hearth::node {

class SwarmHelper {
 public:
  struct Events {
    std::function<void(const v1::SwarmNews&)> news;
    std::function<void()> end;  // it died, or said what it may not; once
  };
  // Errors: kFailedPrecondition (it cannot be started).
  static Result<std::unique_ptr<SwarmHelper>> start(net::Loop& loop, const std::filesystem::path& program,
                                                    const std::string& bwrap, const std::filesystem::path& directory,
                                                    Events events);
  SwarmHelper(net::Loop& loop, pid_t process, int socket, Events events);
  ~SwarmHelper();  // ends it
  SwarmHelper(const SwarmHelper&) = delete;
  SwarmHelper& operator=(const SwarmHelper&) = delete;

  void send(const v1::SwarmOrder& order);
  pid_t process() const { return process_; }

 private:
  struct Shared;
  void read_for_ever();
  void write_for_ever();

  net::Loop& loop_;
  pid_t process_;
  int socket_;
  std::shared_ptr<Shared> shared_;  // with what was posted to the loop and not run yet
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::string> frames_;  // under mutex_
  std::size_t queued_bytes_ = 0;    // under mutex_
  bool ending_ = false;             // under mutex_
  std::thread reader_;
  std::thread writer_;
};

}  // namespace hearth::node
