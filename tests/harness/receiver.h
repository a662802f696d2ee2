// A receiver of webhooks: an HTTP server on 127.0.0.1 that keeps what it is sent and answers as it is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hearth::e2e {

class Receiver {
 public:
  Receiver();
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  std::string url() const;  // "http://127.0.0.1:PORT/hook"

  // The statuses of the next answers; afterwards all are 200.
  void answer(std::vector<unsigned> statuses);

  struct Request {
    std::string head;
    std::string body;
    unsigned status = 0;  // as it was answered

    std::string header(const std::string& name) const;  // empty: absent
  };
  std::vector<Request> received() const;

 private:
  void run();
  void serve(int connection);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::deque<unsigned> statuses_;
  std::vector<Request> received_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace hearth::e2e
