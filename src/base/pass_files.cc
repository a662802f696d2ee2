#include "base/pass_files.h"

#include <array>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

namespace hearth {
namespace {

using Room = std::array<char, CMSG_SPACE(kMostPassedFiles * sizeof(int))>;

}  // namespace

bool send_files(int socket, std::span<const char> message, std::span<const int> files, int flags) {
  if (files.size() > kMostPassedFiles) return false;
  alignas(cmsghdr) Room room{};
  iovec bytes{.iov_base = const_cast<char*>(message.data()), .iov_len = message.size()};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = room.data();
  header.msg_controllen = CMSG_SPACE(files.size_bytes());
  cmsghdr* head = CMSG_FIRSTHDR(&header);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(files.size_bytes());
  std::memcpy(CMSG_DATA(head), files.data(), files.size_bytes());
  return ::sendmsg(socket, &header, flags | MSG_NOSIGNAL) == static_cast<ssize_t>(message.size());
}

Passed receive_files(int socket, std::span<char> message, std::span<int> files, int flags) {
  alignas(cmsghdr) Room room{};
  iovec bytes{.iov_base = message.data(), .iov_len = message.size()};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = room.data();
  header.msg_controllen = room.size();
  Passed passed{.bytes = ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC)};
  if (passed.bytes <= 0) return passed;
  const cmsghdr* head = CMSG_FIRSTHDR(&header);
  if (head == nullptr || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return passed;
  std::array<int, kMostPassedFiles> came{};
  const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  std::memcpy(came.data(), CMSG_DATA(head), count * sizeof(int));
  const bool fits = count <= files.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (fits) {
      files[i] = came[i];
    } else {
      ::close(came[i]);
    }
  }
  passed.files = fits ? count : 0;
  return passed;
}

}  // namespace hearth
