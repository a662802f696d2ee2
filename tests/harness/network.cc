#include "harness/network.h"

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace hearth::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using Moment = Clock::time_point;

constexpr std::size_t kLongestPacket = 2048;  // Ethernet's 1514 and more
constexpr std::size_t kOverhead = 24;         // preamble, checksum and gap of a packet on the wire
constexpr int kAtOnce = 64;                   // packets of one PC before the next one's turn

std::string lan_address(int pc) { return fmt::format("10.77.0.{}", pc + 1); }

int own_network() { return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

void bring_up(ifreq& request) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK(socket >= 0);
  CHECK(::ioctl(socket, SIOCGIFFLAGS, &request) == 0);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  CHECK(::ioctl(socket, SIOCSIFFLAGS, &request) == 0);
  ::close(socket);
}

void set_address(ifreq& request, unsigned long what, const std::string& text) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  CHECK(::inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1);
  std::memcpy(&request.ifr_addr, &address, sizeof address);
  CHECK(::ioctl(socket, what, &request) == 0);
  ::close(socket);
}

// Of the calling thread's network, which has nothing yet.
int open_device(const std::string& address) {
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  bring_up(loopback);
  const int device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  CHECK(device >= 0);
  ifreq lan{};
  std::strcpy(lan.ifr_name, "lan");
  lan.ifr_flags = IFF_TAP | IFF_NO_PI;
  CHECK(::ioctl(device, TUNSETIFF, &lan) == 0);
  set_address(lan, SIOCSIFADDR, address);
  set_address(lan, SIOCSIFNETMASK, "255.255.255.0");
  bring_up(lan);
  return device;
}

// One direction of a line.
struct Pipe {
  Moment busy_until;
  Moment last_out;
};

using Packet = std::shared_ptr<std::string>;

}  // namespace

class Network::Fabric {
 public:
  explicit Fabric(int pcs) : ports_(static_cast<std::size_t>(pcs)) {
    for (int pc = 0; pc < pcs; ++pc) open(pc);
    CHECK(::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) == 0);
    thread_ = std::thread([this] { run(); });
  }
  ~Fabric() {
    leave_ = true;
    static_cast<void>(::write(wake_[1], "", 1));
    thread_.join();
    for (const int end : wake_) ::close(end);
    for (const Port& port : ports_) {
      ::close(port.device);
      ::close(port.space);
    }
  }

  int space(int pc) const { return ports_[static_cast<std::size_t>(pc)].space; }
  void set_line(int pc, const Line& line) {
    const std::lock_guard lock(mutex_);
    ports_[static_cast<std::size_t>(pc)].line = line;
  }
  void set_cut(int pc, bool cut) {
    const std::lock_guard lock(mutex_);
    ports_[static_cast<std::size_t>(pc)].cut = cut;
  }

 private:
  struct Port {
    int space = -1;
    int device = -1;
    Line line;
    bool cut = false;
    Pipe up;
    Pipe down;
  };
  // A packet at the switch, or before its device.
  struct Arrival {
    Moment when;
    std::uint64_t number;
    std::size_t from;
    std::optional<std::size_t> to;  // none: at the switch
    Packet packet;
    bool operator>(const Arrival& other) const { return std::tie(when, number) > std::tie(other.when, other.number); }
  };

  void open(int pc) {
    Port& port = ports_[static_cast<std::size_t>(pc)];
    std::thread([&port, pc] {
      CHECK(::unshare(CLONE_NEWNET) == 0);
      port.space = own_network();
      port.device = open_device(lan_address(pc));
    }).join();
    CHECK(port.space >= 0);
  }

  // When the packet is through; nothing: it is lost.
  std::optional<Moment> pass(const Line& line, Pipe& pipe, Moment now, std::size_t bytes) {
    if (line.loss > 0 && std::uniform_real_distribution<>(0, 1)(random_) < line.loss) return std::nullopt;
    Moment out = now;
    if (line.megabits_per_second > 0) {
      const Moment start = std::max(now, pipe.busy_until);
      if (start - now > line.queue) return std::nullopt;
      const double micros = static_cast<double>(bytes + kOverhead) * 8 / line.megabits_per_second;
      out = pipe.busy_until = start + std::chrono::microseconds(static_cast<std::int64_t>(micros));
    }
    return pipe.last_out = std::max(out + line.delay, pipe.last_out);
  }

  void read_from(std::size_t from) {
    Port& port = ports_[from];
    std::string buffer(kLongestPacket, '\0');
    for (int i = 0; i < kAtOnce; ++i) {
      const ssize_t count = ::read(port.device, buffer.data(), buffer.size());
      if (count < 14) return;  // an Ethernet header
      if (port.cut) continue;
      const auto packet = std::make_shared<std::string>(buffer.substr(0, static_cast<std::size_t>(count)));
      known_[packet->substr(6, 6)] = from;
      if (const auto when = pass(port.line, port.up, Clock::now(), packet->size()))
        arrivals_.push({*when, ++number_, from, std::nullopt, packet});
    }
  }

  void send(const Arrival& arrival, std::size_t to) {
    if (to == arrival.from) return;
    if (const auto when = pass(ports_[to].line, ports_[to].down, arrival.when, arrival.packet->size()))
      arrivals_.push({*when, ++number_, arrival.from, to, arrival.packet});
  }

  void deliver_due() {
    while (!arrivals_.empty() && arrivals_.top().when <= Clock::now()) {
      const Arrival arrival = arrivals_.top();
      arrivals_.pop();
      if (arrival.to) {
        if (!ports_[*arrival.to].cut)
          static_cast<void>(::write(ports_[*arrival.to].device, arrival.packet->data(), arrival.packet->size()));
        continue;
      }
      const auto found = known_.find(arrival.packet->substr(0, 6));
      for (std::size_t to = 0; to < ports_.size(); ++to) {
        if (found == known_.end() || found->second == to) send(arrival, to);
      }
    }
  }

  void run() {
    std::vector<pollfd> waits;
    for (const Port& port : ports_) waits.push_back({port.device, POLLIN, 0});
    waits.push_back({wake_[0], POLLIN, 0});
    while (!leave_) {
      timespec limit{.tv_sec = 1, .tv_nsec = 0};
      if (!arrivals_.empty()) {
        const auto left = std::max(arrivals_.top().when - Clock::now(), Clock::duration::zero());
        limit = {.tv_sec = 0, .tv_nsec = std::min<std::int64_t>(left.count(), 999'999'999)};
      }
      ::ppoll(waits.data(), waits.size(), &limit, nullptr);
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < ports_.size(); ++i) {
        if ((waits[i].revents & POLLIN) != 0) read_from(i);
      }
      deliver_due();
    }
  }

  std::mutex mutex_;  // lines and cuts; held by the thread but while it waits
  std::vector<Port> ports_;
  std::map<std::string, std::size_t> known_;  // by the device's address
  std::priority_queue<Arrival, std::vector<Arrival>, std::greater<>> arrivals_;
  std::uint64_t number_ = 0;
  std::mt19937_64 random_{1};
  std::atomic<bool> leave_ = false;
  int wake_[2] = {-1, -1};
  std::thread thread_;
};

std::string Network::lack() {
  if (::geteuid() != 0) return "only root can make networks";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "there is no /dev/net/tun";
  bool allowed = false;
  std::thread([&allowed] { allowed = ::unshare(CLONE_NEWNET) == 0; }).join();
  return allowed ? "" : "no network namespace can be made";
}

Network::Network(int pcs) {
  CHECK(pcs <= 50);
  if (lack().empty()) fabric_ = std::make_unique<Fabric>(pcs);
}

Network::~Network() {
  if (home_ < 0) return;
  CHECK(::setns(home_, CLONE_NEWNET) == 0);
  ::close(home_);
}

std::string Network::address(int pc) const { return real() ? lan_address(pc) : fmt::format("127.0.0.{}", 21 + pc); }

int Network::space(int pc) const { return real() ? fabric_->space(pc) : -1; }

HeldPort Network::hold_port(int pc) const {
  std::optional<HeldPort> port;
  std::thread([this, pc, &port] {
    if (real()) CHECK(::setns(space(pc), CLONE_NEWNET) == 0);
    port.emplace(address(pc));
  }).join();
  return std::move(*port);
}

void Network::enter(int pc) {
  if (!real()) return;
  if (home_ < 0) home_ = own_network();
  CHECK(::setns(space(pc), CLONE_NEWNET) == 0);
}

void Network::set_line(int pc, const Line& line) {
  CHECK(real());
  fabric_->set_line(pc, line);
}

void Network::cut(int pc) {
  CHECK(real());
  fabric_->set_cut(pc, true);
}

void Network::mend(int pc) {
  if (real()) fabric_->set_cut(pc, false);
}

}  // namespace hearth::e2e
