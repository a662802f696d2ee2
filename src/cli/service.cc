#include "cli/service.h"

#include <cerrno>
#include <chrono>
#include <thread>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/daemon.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kShownLogLines = 12;
constexpr Duration kLookForDueBackups = minutes(10);
constexpr auto kPoll = std::chrono::milliseconds(50);

bool is_there(const std::filesystem::path& file) {
  std::error_code failure;
  return std::filesystem::exists(file, failure);
}

Child daemon_child(const Home& home, LogFormat format, const std::string& which) {
  return {.name = which,
          .arguments = {"hearth", "daemon", which, "--home", home.root.string(), "--log-format",
                        format == LogFormat::kJson ? "json" : "text"}};
}

Error with_log(Code code, const Home& home, const std::string& what) {
  const std::string tail = last_lines(home.log(), kShownLogLines);
  return {code, fmt::format("{}; {} ends with:\n{}", what, home.log().string(), tail)};
}

// A client of the hub that listens now; an error while there is none.
Result<std::unique_ptr<Client>> try_hub(const Home& home) {
  Result<std::unique_ptr<Client>> client = Client::open(home, home.cli());
  if (!client) return client;
  const Result<v1::StatusReply> reply =
      (*client)->call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  if (!reply) return std::unexpected(reply.error());
  return client;
}

Result<void> try_bind(const addrinfo& where, std::uint16_t port) {
  const int file = ::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return fail_errno(errno, "opening a socket");
  const int yes = 1;
  ::setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const int failure = ::bind(file, where.ai_addr, where.ai_addrlen) == 0 ? 0 : errno;
  const bool busy = failure == EADDRINUSE || (failure == 0 && ::listen(file, 1) != 0 && errno == EADDRINUSE);
  ::close(file);
  if (busy) {
    return fail(Code::kAlreadyExists, fmt::format("port {} is taken by another program; choose another one (hearth up "
                                                  "--port {}) or end the one that listens there (ss -ltnp \"sport = "
                                                  ":{}\" names it)",
                                                  port, port == 65535 ? 0 : port + 1, port));
  }
  if (failure == EACCES) {
    return fail(
        Code::kPermissionDenied,
        fmt::format("port {} is for root alone; choose one above 1023, for example: hearth up --port 7443", port));
  }
  if (failure != 0) return fail_errno(failure, "listening there");
  return {};
}

}  // namespace

bool has_joined(const Home& home, const Config& config) {
  return !config.hub && is_there(home.node() / "account.json");
}

Result<void> check_port_is_free(const std::string& address, std::uint16_t port) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), fmt::format("{}", port).c_str(), &hints, &found) != 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("--address {}: an IP address of this PC is needed; 0.0.0.0 is all of them", address));
  }
  const Result<void> bound = try_bind(*found, port);
  ::freeaddrinfo(found);
  if (!bound && bound.error().code != Code::kAlreadyExists) return fail(bound, fmt::format("--address {}", address));
  return bound;
}

int run_supervisor(const Home& home, const Config& config, LogFormat format, const Lock& lock) {
  set_log_format(format);
  if (!lock.sign()) return 1;
  SupervisorOptions options = {.program = this_program(), .children = {}};
  if (config.hub) options.children.push_back(daemon_child(home, format, "hub"));
  options.children.push_back(daemon_child(home, format, "node"));
  if (config.hub) {
    options.children.push_back(daemon_child(home, format, "backups"));
    options.children.back().every = kLookForDueBackups;
  }
  return supervise(options);
}

Result<void> start_service(const Home& home, const Config& config, LogFormat format, Lock lock) {
  return start_detached(home.log(),
                        [&home, &config, format, &lock] { return run_supervisor(home, config, format, lock); });
}

Result<std::unique_ptr<Client>> await_hub(const Home& home, Duration limit) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(limit.micros);
  while (std::chrono::steady_clock::now() < end) {
    if (is_there(home.endpoint()) && is_there(home.cli() / "account.json")) {
      Result<std::unique_ptr<Client>> client = try_hub(home);
      if (client) return client;
    }
    if (!Lock::holder(home)) return std::unexpected(with_log(Code::kUnavailable, home, "the daemons have ended"));
    std::this_thread::sleep_for(kPoll);
  }
  return std::unexpected(with_log(Code::kDeadlineExceeded, home,
                                  fmt::format("the hub does not answer after {} s (it is still being tried; end it "
                                              "with: hearth down)",
                                              limit.micros / 1'000'000)));
}

bool await_node(const Home& home, Duration limit) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(limit.micros);
  while (std::chrono::steady_clock::now() < end && Lock::holder(home)) {
    const Result<std::string> text = read_small_file(home.node_status());
    if (text) {
      const Result<NodeStatus> status = parse_node_status(*text);
      if (status && status->connected) return true;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return false;
}

}  // namespace hearth::cli
