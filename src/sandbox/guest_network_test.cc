// The sockets behind which a node serves a guest its proxy.
#include <thread>

#include <poll.h>
#include <sys/socket.h>

#include <fcntl.h>

#include "base/check.h"
#include "sandbox/fd.h"
#include "sandbox/levels_testing.h"

namespace hearth::sandbox {
namespace {

// Answers every connection by the name of its listener, until its end.
class Answerer {
 public:
  Answerer() {
    Result<Pipe> pipe = make_pipe(O_CLOEXEC);
    CHECK(pipe);
    stop_ = std::move(*pipe);
    thread_ = std::thread([this] { run(); });
  }
  ~Answerer() {
    stop_.write_end.reset();
    thread_.join();
  }
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;

  Network network() {
    return {.kind = Network::Kind::kProxy, .on_listener = [this](int listener) {
              std::lock_guard lock(mutex_);
              listeners_.emplace_back(listener);
            }};
  }
  std::size_t listeners() {
    std::lock_guard lock(mutex_);
    return listeners_.size();
  }

 private:
  void run() {
    for (;;) {
      pollfd stopped{.fd = stop_.read_end.get(), .events = POLLIN, .revents = 0};
      if (::poll(&stopped, 1, 5) != 0) return;
      std::lock_guard lock(mutex_);
      for (const Fd& listener : listeners_) {
        Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!peer) continue;
        int family = 0;
        socklen_t size = sizeof family;
        ::getsockopt(listener.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
        std::string_view text = family == AF_UNIX ? "unix" : "tcp";
        EXPECT_EQ(::write(peer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
      }
    }
  }

  std::mutex mutex_;
  std::vector<Fd> listeners_;
  Pipe stop_;
  std::thread thread_;
};

constexpr const char* kAsk = R"(
import os, socket
u = socket.socket(socket.AF_UNIX); u.connect(os.environ["HEARTH_PROXY_SOCKET"]); print(u.recv(9).decode())
t = socket.create_connection(("127.0.0.1", 3128)); print(t.recv(9).decode())
print(os.environ["https_proxy"], os.environ["http_proxy"])
for address in ("192.0.2.1", "1.1.1.1"):
  try: socket.create_connection((address, 80), 5); print("reached")
  except OSError as e: print(e.strerror)
try: os.mkdir("/run/x"); print("made")
except OSError as e: print(e.strerror)
)";

class GuestNetwork : public HostAtLevel {};

TEST_P(GuestNetwork, HasItsProxyFromTheFirstInstruction) {
  Answerer answerer;
  for (int i = 0; i < 10; ++i) {
    std::unique_ptr<Sandbox> box = host().prepare(small_limits(), answerer.network());
    Ran ran = Running(*box, {.argv = {"python3", "-c", kAsk}, .variables = {{"http_proxy", "mine"}}, .bound_files = {}})
                  .wait();
    EXPECT_EQ(ran.exit.exit_code, 0) << ran.err << ran.exit.message;
    EXPECT_EQ(ran.out,
              "unix\ntcp\nhttp://127.0.0.1:3128 mine\nNetwork is unreachable\nNetwork is unreachable\nRead-only file "
              "system\n");
  }
}

TEST_P(GuestNetwork, IsSeenByNoOtherGuest) {
  Answerer answerer;
  std::unique_ptr<Sandbox> with = host().prepare(small_limits(), answerer.network());
  Running running(*with, {.argv = {"/bin/sh", "-c", "echo up; sleep 60"}, .variables = {}, .bound_files = {}});
  running.wait_for_output("up");
  EXPECT_EQ(answerer.listeners(), 2U);
  Ran ran = host().shell(
      "ls -A /run/hearth; (: </dev/tcp/127.0.0.1/3128) 2>&1 | grep -o refused | head -1; ls /networks 2>/dev/null; env "
      "| grep "
      "-ci "
      "proxy");
  EXPECT_EQ(ran.out, "refused\n0\n");
}

TEST_P(GuestNetwork, LeavesNothing) {
  Answerer answerer;
  host().prepare(small_limits(), answerer.network()).reset();  // never started
  std::unique_ptr<Sandbox> box = host().prepare(small_limits(), answerer.network());
  Running running(*box, {.argv = {"/bin/sleep", "60"}, .variables = {}, .bound_files = {}});
  box->kill();
  running.wait();
  box.reset();
  // The same name again would find what was left.
  EXPECT_TRUE(host()->prepare("test-1", small_limits(), {.level = GetParam(), .network = answerer.network()}));
}

INSTANTIATE_TEST_SUITE_P(Levels, GuestNetwork, testing::Values(Level::kFence, Level::kOci), &AtLevel::name);

}  // namespace
}  // namespace hearth::sandbox
