// For tests: stands where hearth-pictures stands, a thread that answers what the test says.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "drive/picture_reader.h"

namespace hearth::drive {

class FakePictureHelper {
 public:
  // Gives what is answered; nothing: the helper itself ends.
  using Answer = std::function<std::optional<std::string>(const pictures::Order&)>;

  explicit FakePictureHelper(Answer answer) : answer_(std::move(answer)) {}
  ~FakePictureHelper() {
    for (std::thread& one : threads_) one.join();
  }

  PictureHelpers helpers() {
    return {.start = [this]() -> Result<PictureHelper> { return start(); }, .end = [](pid_t) {}};
  }
  int orders() const { return orders_; }
  int starts() const { return starts_; }

 private:
  PictureHelper start() {
    std::array<int, 2> ends{};
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data());
    ++starts_;
    threads_.emplace_back([this, socket = ends[1]] {
      while (serve(socket)) continue;
      ::close(socket);
    });
    return {.process = 1, .socket = ends[0]};
  }

  bool serve(int socket) {
    pictures::Order order;
    iovec bytes{.iov_base = &order, .iov_len = sizeof order};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof order) return false;
    std::array<int, 2> files{};
    std::memcpy(files.data(), CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof files);
    ++orders_;
    const std::optional<std::string> answer = answer_(order);
    if (answer) (void)!::send(files[1], answer->data(), answer->size(), MSG_NOSIGNAL);
    if (!answer) ::shutdown(socket, SHUT_RDWR);
    ::close(files[0]);
    ::close(files[1]);
    return answer.has_value();
  }

  Answer answer_;
  std::atomic<int> orders_ = 0;
  std::atomic<int> starts_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace hearth::drive
