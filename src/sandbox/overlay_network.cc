#include "sandbox/overlay_network.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/bwrap.h"

namespace hearth::sandbox {
namespace {

constexpr int kConfigFd = 4;
constexpr int kPatienceSeconds = 30;  // until the lighthouse answers
constexpr int kMtu = 1300;            // nebula's own choice, which passes everywhere
constexpr std::size_t kMaxSaid = 8192;
constexpr const char* kCarrierAddress = "169.254.77.2";

// Nebula says so of each tunnel; its first is the one to the lighthouse. By then its device is all that it will be.
constexpr std::string_view kConnected = "\"msg\":\"Handshake message received\"";

// Calls the function on a thread of its own, which may enter namespaces.
template <class Function>
Result<void> on_a_thread(Function function) {
  Result<void> result;
  std::thread([&] { result = function(); }).join();
  return result;
}

Result<void> enter(const Fd& network) {
  if (::setns(network.get(), CLONE_NEWNET) != 0) return fail_errno(errno, "entering a network namespace");
  return {};
}

// In the carrier's namespace: gives the device to the guest's. ip(8) might not be there.
Result<void> move_device(const Fd& guest) {
  struct {
    nlmsghdr header;
    ifinfomsg link;
    rtattr attribute;
    int network;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_NEWLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = static_cast<int>(::if_nametoindex(kOverlayDevice));
  request.attribute.rta_len = RTA_LENGTH(sizeof(int));
  request.attribute.rta_type = IFLA_NET_NS_FD;
  request.network = guest.get();
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct {
    nlmsghdr header;
    nlmsgerr error;
  } answer{};
  if (request.link.ifi_index == 0 || !socket || ::send(socket.get(), &request, sizeof request, 0) < 0 ||
      ::recv(socket.get(), &answer, sizeof answer, 0) < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(int))) {
    return fail_errno(errno, "moving the overlay's device");
  }
  if (answer.error.error != 0) return fail_errno(-answer.error.error, "moving the overlay's device");
  return {};
}

sockaddr_in address_of(std::uint32_t address) {
  return {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(address)}, .sin_zero = {}};
}

// In the guest's namespace.
Result<void> set_up_device(const Overlay& overlay) {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(static_cast<char*>(request.ifr_name), kOverlayDevice, IFNAMSIZ - 1);
  const auto set = [&](unsigned long what) { return ::ioctl(socket.get(), what, &request) == 0; };
  const auto set_address = [&](unsigned long what, std::uint32_t value) {
    const sockaddr_in address = address_of(value);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    return set(what);
  };
  bool done = static_cast<bool>(socket) && set_address(SIOCSIFADDR, overlay.address) &&
              set_address(SIOCSIFNETMASK, ~0U << (32 - overlay.prefix_bits));
  request.ifr_mtu = kMtu;
  done = done && set(SIOCSIFMTU);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  done = done && set(SIOCSIFFLAGS);
  if (!done) return fail_errno(errno, "setting up the overlay's device");
  return {};
}

}  // namespace

std::string interface_without_default(std::string_view routes) {
  constexpr std::string_view kEverywhere = "00000000";
  std::istringstream lines{std::string(routes)};
  std::string line;
  std::getline(lines, line);  // the columns' names
  std::string first;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string interface, destination, gateway, flags, references, uses, metric, mask;
    if (!(words >> interface >> destination >> gateway >> flags >> references >> uses >> metric >> mask)) continue;
    if (destination == kEverywhere && mask == kEverywhere) return "";
    if (first.empty()) first = interface;
  }
  return first;
}

WayOut carrier_way_out(const Overlay& overlay, const std::string& interface) {
  std::string rules =
      "table inet hearth {\n"
      "  chain output {\n"
      "    type filter hook output priority 0; policy drop;\n"
      "    oifname \"lo\" accept\n"
      "    meta nfproto ipv4 udp sport " +
      std::to_string(overlay.port) +
      " accept\n"
      "  }\n"
      "}\n";
  WayOut way{.rules = std::move(rules), .options = {"-4", "-a", kCarrierAddress, "-n", "30", "-g", kCarrierGateway}};
  if (!interface.empty()) way.options.insert(way.options.end(), {"-i", interface});
  if (!overlay.reaches_loopback) way.options.emplace_back("--no-map-gw");
  return way;
}

std::string carrier_options(const NetworkTools& tools, int config_fd, int status_fd, int gate_fd) {
  std::string options;
  add_options(options, {"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
                        "--unshare-cgroup-try", "--hostname", "carrier"});
  add_options(options, {"--ro-bind", tools.root, "/", "--proc", "/proc", "--tmpfs", "/dev"});
  for (const char* device : {"/dev/null", "/dev/urandom", "/dev/net/tun"}) {
    add_options(options, {"--dev-bind", device, device});
  }
  add_options(options, {"--tmpfs", "/run", "--file", std::to_string(config_fd), "/run/nebula.yml", "--remount-ro",
                        "/run", "--remount-ro", "/dev", "--clearenv", "--new-session", "--die-with-parent"});
  add_options(options, {"--cap-drop", "ALL", "--cap-add", "CAP_NET_ADMIN"});
  add_options(options, {"--json-status-fd", std::to_string(status_fd), "--block-fd", std::to_string(gate_fd)});
  return options;
}

OverlayNetwork::OverlayNetwork(Reactor& reactor, NetworkTools tools, GuestUser user, Overlay overlay)
    : reactor_(reactor), tools_(std::move(tools)), user_(user), overlay_(std::move(overlay)) {}

OverlayNetwork::~OverlayNetwork() {
  way_out_.reset();
  unwatch(output_watch_, output_);
  unwatch(timer_watch_, timer_);
  unwatch(outer_watch_, outer_);
  // Its process 1 has to be known, or it would be nobody's to wait for; bubblewrap tells it within milliseconds.
  while (outer_ && !init_ && status_watch_ != 0) {
    pollfd told{.fd = status_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&told, 1, 1000) != 1) break;
    on_status();
  }
  unwatch(status_watch_, status_);
  if (init_) ::syscall(SYS_pidfd_send_signal, init_.get(), SIGKILL, nullptr, 0);
  if (!init_ && outer_) ::syscall(SYS_pidfd_send_signal, outer_.get(), SIGKILL, nullptr, 0);
  gate_.reset();
  siginfo_t info{};
  if (outer_) ::waitid(P_PIDFD, static_cast<id_t>(outer_.get()), &info, WEXITED);
  // Bubblewrap may end before it, which makes it our child.
  if (init_) ::waitid(P_PIDFD, static_cast<id_t>(init_.get()), &info, WEXITED);
}

void OverlayNetwork::open(pid_t init, std::function<void(const Result<void>&)> done) {
  done_ = std::move(done);
  if (Result<void> begun = begin(init); !begun) finish(begun);
}

Result<void> OverlayNetwork::begin(pid_t init) {
  guest_network_.reset(::open(("/proc/" + std::to_string(init) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  if (!guest_network_) return fail_errno(errno, "opening the guest's network namespace");
  return start_carrier();
}

// Counts from nebula's start: namespaces and rules may take their time on a PC that is busy.
Result<void> OverlayNetwork::start_timer() {
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = kPatienceSeconds, .tv_nsec = 0}};
  if (!timer_ || ::timerfd_settime(timer_.get(), 0, &once, nullptr) != 0) return fail_errno(errno, "setting a timer");
  timer_watch_ = reactor_.watch(timer_.get(), [this] { on_late(); });
  return {};
}

Result<void> OverlayNetwork::start_carrier() {
  Result<Pipe> output = make_pipe(O_CLOEXEC);
  Result<Pipe> status = make_pipe(O_CLOEXEC);
  Result<Pipe> gate = make_pipe(O_CLOEXEC);
  Result<Fd> options = memory_file(carrier_options(tools_, kConfigFd, kStatusFd, kGateFd));
  Result<Fd> config = memory_file(overlay_.config);
  if (!output || !status || !gate || !options || !config) {
    return fail(Code::kResourceExhausted, "too many open files for another network");
  }
  for (const Pipe* pipe : {&*output, &*status}) {
    if (::fcntl(pipe->read_end.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "preparing a pipe");
  }
  Launch plan;
  plan.program = tools_.bwrap;
  plan.argv = {"bwrap", "--args", std::to_string(kArgumentsFd), "--", tools_.nebula, "-config", "/run/nebula.yml"};
  plan.files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  plan.files.emplace_back(::fcntl(output->write_end.get(), F_DUPFD_CLOEXEC, 0));
  plan.files.push_back(std::move(output->write_end));
  plan.files.push_back(std::move(*options));
  plan.files.push_back(std::move(*config));
  plan.files.push_back(std::move(status->write_end));
  plan.files.push_back(std::move(gate->read_end));
  plan.user = user_;
  Result<Started> started = launch(plan);
  if (!started) return std::unexpected(started.error());
  outer_ = std::move(started->pidfd);
  status_ = std::move(status->read_end);
  gate_ = std::move(gate->write_end);
  output_ = std::move(output->read_end);
  status_watch_ = reactor_.watch(status_.get(), [this] { on_status(); });
  output_watch_ = reactor_.watch(output_.get(), [this] { on_output(); });
  outer_watch_ = reactor_.watch(outer_.get(), [this] { on_end(); });
  return {};
}

void OverlayNetwork::on_status() {
  std::array<char, 512> piece{};
  const ssize_t count = ::read(status_.get(), piece.data(), piece.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return unwatch(status_watch_, status_);
  if (status_text_.size() < kMaxSaid) status_text_.append(piece.data(), static_cast<std::size_t>(count));
  constexpr std::string_view kKey = "\"child-pid\":";
  const std::size_t at = status_text_.find(kKey);
  if (init_ || at == std::string::npos || status_text_.find('\n', at) == std::string::npos) return;
  const pid_t pid = std::atoi(status_text_.c_str() + at + kKey.size());
  init_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  carrier_network_.reset(::open(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  // While bubblewrap lives, so does the number.
  if (!init_ || !carrier_network_ || has_ended(outer_)) return finish(fail_errno(errno, "finding nebula"));
  std::ifstream file("/proc/net/route");
  const std::string routes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  WayOut way = carrier_way_out(overlay_, interface_without_default(routes));
  way_out_ = std::make_unique<FullNetwork>(reactor_, tools_, user_, std::move(way));
  if (done_) way_out_->open(pid, {}, [this](const Result<void>& made) { on_way_out(made); });
}

// The end of the pipe lets bubblewrap start nebula.
void OverlayNetwork::on_way_out(const Result<void>& made) {
  Result<void> done = made;
  if (done) done = start_timer();
  if (!done) return finish(done);
  gate_.reset();
}

void OverlayNetwork::on_output() {
  std::array<char, 4096> piece{};
  const ssize_t count = ::read(output_.get(), piece.data(), piece.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return unwatch(output_watch_, output_);
  said_.append(piece.data(), static_cast<std::size_t>(count));
  if (!ready_ && said_.contains(kConnected)) {
    ready_ = true;
    finish(hand_over());
  }
  if (said_.size() > kMaxSaid) said_.erase(0, said_.size() - kMaxSaid / 2);
}

Result<void> OverlayNetwork::hand_over() {
  unwatch(timer_watch_, timer_);
  Result<void> moved = on_a_thread([&] {
    Result<void> done = enter(carrier_network_);
    if (done) done = move_device(guest_network_);
    if (done) done = enter(guest_network_);
    return done ? set_up_device(overlay_) : done;
  });
  // The guest's end is to be the end of its namespace.
  guest_network_.reset();
  carrier_network_.reset();
  return moved;
}

void OverlayNetwork::on_late() {
  unwatch(timer_watch_, timer_);
  finish(fail(Code::kDeadlineExceeded,
              "the hub's PC does not answer by UDP, which the network of a gang needs: " + last_words()));
}

void OverlayNetwork::on_end() {
  unwatch(outer_watch_, outer_);
  on_output();
  finish(fail(Code::kFailedPrecondition, "nebula has ended: " + last_words()));
}

std::string OverlayNetwork::last_words() const {
  std::string_view words = said_;
  while (words.ends_with('\n')) words.remove_suffix(1);
  if (const std::size_t line = words.rfind('\n'); line != std::string_view::npos) words.remove_prefix(line + 1);
  return words.empty() ? "it gave no reason" : std::string(words.substr(0, 512));
}

void OverlayNetwork::unwatch(std::uint64_t& watch, const Fd& fd) {
  if (watch != 0) reactor_.unwatch(watch, fd.get());
  watch = 0;
}

void OverlayNetwork::finish(const Result<void>& result) {
  auto done = std::exchange(done_, nullptr);
  if (done) done(result);
}

}  // namespace hearth::sandbox
