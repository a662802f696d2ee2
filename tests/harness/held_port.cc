#include "harness/held_port.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/check.h"

namespace hearth::e2e {

HeldPort::HeldPort(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  CHECK(socket_);
  const int yes = 1;
  CHECK(::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
  sockaddr_in name{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  CHECK(::inet_pton(AF_INET, address.c_str(), &name.sin_addr) == 1);
  socklen_t size = sizeof name;
  CHECK(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
  CHECK(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
  number_ = ntohs(name.sin_port);
}

}  // namespace hearth::e2e
