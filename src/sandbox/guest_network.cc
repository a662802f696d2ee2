#include "sandbox/guest_network.h"

#include <algorithm>
#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

namespace hearth::sandbox {
namespace {

constexpr const char* kSocketName = "proxy.sock";
constexpr std::uint16_t kProxyPort = 3128;
constexpr int kBacklog = 64;

// Bound through a descriptor of its directory: a socket's address has room for 107 bytes, a path for more.
Result<Fd> listen_on_unix(const std::string& directory) {
  Fd at(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = "/proc/self/fd/" + std::to_string(at.get()) + "/" + kSocketName;
  std::ranges::copy(path, static_cast<char*>(address.sun_path));
  bool done = at && listener && ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
              ::fchmodat(at.get(), kSocketName, 0666, 0) == 0 && ::listen(listener.get(), kBacklog) == 0;
  if (!done) return fail_errno(errno, "making the proxy's socket");
  return listener;
}

// A socket stays in the network namespace in which it was made. On a thread that is in the guest's.
Result<Fd> listen_on_loopback() {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = htons(kProxyPort), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  int on = 1;
  // Free: bubblewrap may not have given the loopback its address yet.
  bool done = listener && ::setsockopt(listener.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on) == 0 &&
              ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
              ::listen(listener.get(), kBacklog) == 0;
  if (!done) return fail_errno(errno, "listening on the guest's loopback");
  return listener;
}

// Calls the function in the network namespace of the process, on a thread that ends with it.
template <class Function>
auto in_network_of(int pidfd, Function function) -> decltype(function()) {
  decltype(function()) result = fail(Code::kInternal, "the guest's network was not entered");
  std::thread([&] {
    if (::setns(pidfd, CLONE_NEWNET) == 0) {
      result = function();
    } else {
      result = fail_errno(errno, "entering the guest's network namespace");
    }
  }).join();
  return result;
}

}  // namespace

Result<std::unique_ptr<GuestNetwork>> GuestNetwork::make(const Network& network, const std::string& directory,
                                                         Reactor& reactor, const NetworkTools& tools,
                                                         const GuestUser& user) {
  if (network.kind == Network::Kind::kNone) return nullptr;
  std::unique_ptr<GuestNetwork> made(new GuestNetwork(network));
  if (network.kind == Network::Kind::kFull) {
    if (std::string lack = tools.missing(); !lack.empty()) return fail(Code::kFailedPrecondition, lack);
    made->full_ = std::make_unique<FullNetwork>(reactor, tools, user, full_way_out(network.refused));
    return made;
  }
  if (network.kind == Network::Kind::kOverlay) {
    if (std::string lack = tools.overlay_lack(); !lack.empty()) return fail(Code::kFailedPrecondition, lack);
    made->overlay_ = std::make_unique<OverlayNetwork>(reactor, tools, user, network.overlay);
    return made;
  }
  if (::mkdir(directory.c_str(), 0755) != 0) return fail_errno(errno, "making " + directory);
  made->directory_ = directory;
  if (::chmod(directory.c_str(), 0755) != 0) return fail_errno(errno, "making " + directory);
  Result<Fd> listener = listen_on_unix(directory);
  if (!listener) return std::unexpected(listener.error());
  network.on_listener(listener->release());
  return made;
}

GuestNetwork::~GuestNetwork() {
  if (directory_.empty()) return;
  ::unlink((directory_ + "/" + kSocketName).c_str());
  if (::rmdir(directory_.c_str()) != 0) log_error("a sandbox's directory remains: " + directory_);
}

GuestNetwork::Variables GuestNetwork::variables_beside(const Variables& of_job) {
  const std::string proxy = "http://127.0.0.1:" + std::to_string(kProxyPort);
  Variables ours = {{"no_proxy", "localhost,127.0.0.1"},
                    {"NO_PROXY", "localhost,127.0.0.1"},
                    {"HEARTH_PROXY_SOCKET", "/run/hearth/proxy.sock"}};
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}) {
    ours.emplace_back(name, proxy);
  }
  std::erase_if(ours, [&](const auto& variable) {
    return std::ranges::any_of(of_job, [&](const auto& other) { return other.first == variable.first; });
  });
  return ours;
}

void GuestNetwork::open(pid_t init, int init_pidfd, std::vector<Fd> cgroup,
                        std::function<void(const Result<void>&)> done) {
  if (full_) return full_->open(init, std::move(cgroup), std::move(done));
  if (overlay_) return overlay_->open(init, std::move(done));
  Result<Fd> listener = in_network_of(init_pidfd, &listen_on_loopback);
  if (!listener) return done(std::unexpected(listener.error()));
  network_.on_listener(listener->release());
  done({});
}

Result<Fd> GuestNetwork::socket_of(int init_pidfd, int family) {
  return in_network_of(init_pidfd, [family]() -> Result<Fd> {
    Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail_errno(errno, "making a socket in the guest's network");
    return socket;
  });
}

void GuestNetwork::close() {
  full_.reset();
  overlay_.reset();
}

}  // namespace hearth::sandbox
