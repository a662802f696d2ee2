#include "screen/ports.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::screen {

int listen_on_loopback(std::uint16_t port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool listens = ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(listener, static_cast<int>(kMaxViewers)) == 0;
  if (listens) return listener;
  ::close(listener);
  return -1;
}

}  // namespace hearth::screen
