// hearth-swarm: carries swarms of ciphertext for a node (src/torrent/carrier.h). The node starts it, confined; orders
// come and news go through its standard input, a socket. It ends with the node.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "swarm/frames.h"
#include "torrent/carrier.h"

namespace hearth::torrent {
namespace {

constexpr int kLookMillis = 20;

bool send_all(const std::string& frame) {
  for (std::size_t done = 0; done < frame.size();) {
    const ssize_t count = ::send(STDIN_FILENO, frame.data() + done, frame.size() - done, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

// False: the node is gone, or says what it may not.
bool take_orders(swarm::FrameReader& reader, std::unique_ptr<Carrier>& carrier) {
  static std::string buffer(1 << 20, '\0');
  const ssize_t count = ::recv(STDIN_FILENO, buffer.data(), buffer.size(), 0);
  if (count < 0) return errno == EINTR;
  if (count == 0 || !reader.push({buffer.data(), static_cast<std::size_t>(count)})) return false;
  while (std::optional<std::string> frame = reader.next()) {
    const Result<v1::SwarmOrder> order = swarm::parse_order(*frame);
    if (!order) return false;
    if (order->has_begin() && !carrier) {
      carrier = std::make_unique<Carrier>(order->begin(), [](const v1::SwarmNews& news) {
        if (!send_all(swarm::frame_of(news))) ::_exit(0);
      });
    }
    if (!carrier) return false;
    carrier->carry_out(*order);
  }
  return true;
}

int run() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  swarm::FrameReader reader;
  std::unique_ptr<Carrier> carrier;
  for (auto looked = std::chrono::steady_clock::now();;) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, kLookMillis);
    if (ready < 0 && errno != EINTR) return 1;
    if (ready > 0 && !take_orders(reader, carrier)) return 0;
    const auto now = std::chrono::steady_clock::now();
    if (!carrier || now - looked < std::chrono::milliseconds(kLookMillis)) continue;
    looked = now;
    carrier->look();
  }
}

}  // namespace
}  // namespace hearth::torrent

int main() {
  try {
    const int code = hearth::torrent::run();
    ::_exit(code);  // what is written is written; libtorrent would say goodbye to each peer
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hearth-swarm: %s\n", error.what());
    return 1;
  }
}
