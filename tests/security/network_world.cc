#include "security/network_world.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace hearth::e2e {
namespace {

constexpr const char* kServer = R"(
import http.server, sys, threading
name = sys.argv[1]
class Handler(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    self.send_response(200); self.end_headers(); self.wfile.write(f"hello from {name}\n".encode())
  def log_message(self, *args): pass
for port in sys.argv[2:]:
  server = http.server.ThreadingHTTPServer(("0.0.0.0", int(port)), Handler)
  threading.Thread(target=server.serve_forever).start()
print("serving", flush=True)
)";

constexpr const char* kHosts =
    "127.0.0.1 localhost\n"
    "12.0.0.2 a.example b.example\n"
    "192.168.77.2 lan.example\n13.0.0.2 near.example\n169.254.169.254 meta.example\n100.64.0.2 cgn.example\n"
    "11.1.1.1 own.example\n::ffff:192.168.77.2 mapped.example\n";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

NetworkWorld::NetworkWorld(const std::filesystem::path& directory) {
  if (!enter(directory) || !build_lan() || !build_wan()) return;
  serve("owner", ::getpid(), {8080});
  for (const auto& server : servers_) {
    bool up = eventually(seconds(60), [&] { return server->out().find("serving") != std::string::npos; });
    if (!up) error_ = "a test's HTTP server did not start: " + server->err();
  }
}

bool NetworkWorld::enter(const std::filesystem::path& directory) {
  std::ofstream(directory / "hosts") << kHosts;
  std::ofstream(directory / "resolv.conf") << "nameserver 127.0.0.1\n";
  bool done = ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
              ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount((directory / "hosts").c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0 &&
              ::mount((directory / "resolv.conf").c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0;
  if (!done) error_ = std::string("no namespaces of the test's own (it must run as root): ") + std::strerror(errno);
  return done && ip("link set lo up");
}

bool NetworkWorld::ip(const std::string& arguments) {
  std::vector<std::string> argv = words_of(arguments);
  argv.insert(argv.begin(), "ip");
  Ended ended = run_program(argv);
  if (ended.exit_code != 0) error_ = "ip " + arguments + ": " + ended.err;
  return ended.exit_code == 0;
}

// A network namespace is held by a process that sleeps in it.
bool NetworkWorld::start_peer(const std::string& name, const std::vector<int>& ports) {
  auto holder = std::make_unique<Process>(
      Process::start({"unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 1000"}, {}));
  if (!eventually(seconds(60), [&] { return holder->out().find("up") != std::string::npos; })) {
    error_ = "no network namespace for a peer: " + holder->err();
    return false;
  }
  peers_.push_back(std::move(holder));
  serve(name, peers_.back()->pid(), ports);
  return true;
}

void NetworkWorld::serve(const std::string& name, pid_t inside, const std::vector<int>& ports) {
  std::vector<std::string> argv = {
      "nsenter", "--net=/proc/" + std::to_string(inside) + "/ns/net", "python3", "-c", kServer, name};
  for (int port : ports) argv.push_back(std::to_string(port));
  servers_.push_back(std::make_unique<Process>(Process::start(argv, {})));
}

bool NetworkWorld::build_lan() {
  if (!start_peer("lan", {80})) return false;
  std::string peer = std::to_string(peers_.back()->pid());
  std::string inside = "/proc/" + peer + "/ns/net";
  if (!ip("link add lan0 type veth peer name eth0 netns " + peer)) return false;
  bool done = ip("addr add 192.168.77.1/24 dev lan0") && ip("addr add 13.0.0.1/24 dev lan0") && ip("link set lan0 up");
  Ended ended =
      run_program({"nsenter", "--net=" + inside, "sh", "-c",
                   "ip addr add 192.168.77.2/24 dev eth0 && ip addr add 13.0.0.2/24 dev eth0 && ip link set eth0 up"});
  if (ended.exit_code != 0) error_ = ended.err;
  return done && ended.exit_code == 0;
}

bool NetworkWorld::build_wan() {
  if (!start_peer("internet", {80, 25})) return false;
  std::string peer = std::to_string(peers_.back()->pid());
  if (!ip("link add wan0 type veth peer name eth0 netns " + peer)) return false;
  bool done = ip("addr add 11.1.1.1/30 dev wan0") && ip("link set wan0 up");
  Ended ended =
      run_program({"nsenter", "--net=/proc/" + peer + "/ns/net", "sh", "-c",
                   "ip addr add 11.1.1.2/30 dev eth0 && ip link set eth0 up && "
                   "for a in 12.0.0.2 169.254.169.254 100.64.0.2; do ip addr add $a/32 dev lo || exit 1; done"});
  if (ended.exit_code != 0) error_ = ended.err;
  return done && ended.exit_code == 0 && ip("route add default via 11.1.1.2");
}

bool NetworkWorld::reaches(const std::string& host, int port) {
  std::string url = "http://" + host + ":" + std::to_string(port) + "/";
  Ended ended = run_program({"curl", "--silent", "--noproxy", "*", "--max-time", "20", url});
  return ended.out.starts_with("hello from ");
}

}  // namespace hearth::e2e
