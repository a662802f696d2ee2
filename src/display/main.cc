// hearth-screen: gives the program of an app a display of its own and shows it to whoever connects to port 7440 of the
// loopback (proto/hearth/v1/screen.proto). It runs within the app's sandbox, so what X server, encoder and program do
// to each other stays there, and is over with it.
//
//   hearth-screen PROGRAM ARGUMENTS...
//
// This process starts the X server, the program, and itself once more as the part that makes pictures, which is started
// again when it dies. It ends with the program, and as the program did.
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display/stream.h"
#include "screen/frames.h"

// Its check for leaks traces the process, which a sandbox forbids.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }  // NOLINT

namespace hearth::display {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kServe = "--serve";
constexpr int kFailed = 70;
constexpr int kServerPatienceMillis = 20'000;
constexpr int kMaxRestarts = 20;
constexpr auto kPause = 100ms;
constexpr auto kGoodSpell = 60s;  // after which a death counts as the first
constexpr int kNice = 5;          // of the program: its picture comes first

int give_up(const std::string& why) {
  std::fprintf(stderr, "hearth-screen: %s\n", why.c_str());
  return kFailed;
}

// The child's process id. It ends with this process.
template <class Prepare>
pid_t start(const std::vector<std::string>& words, Prepare prepare) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  prepare();
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  std::fprintf(stderr, "hearth-screen: %s cannot be started: %s\n", argv[0], std::strerror(errno));
  ::_exit(errno == ENOENT ? 127 : 126);
}

int listen_on_loopback() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(screen::kPort);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool listens = ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(listener, static_cast<int>(kMaxViewers)) == 0;
  if (listens) return listener;
  ::close(listener);
  return -1;
}

// Says its number once it takes connections. `number`: the read end of the pipe where it does.
pid_t start_server(int& number) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return -1;
  const std::string side = std::to_string(screen::kMostSide);
  const pid_t server = start({"Xvfb", "-displayfd", "3", "-screen", "0", side + "x" + side + "x24", "-nolisten", "tcp",
                              "-noreset", "-dpi", "96"},
                             [&] {
                               const int nothing = ::open("/dev/null", O_WRONLY);
                               ::dup2(nothing, STDERR_FILENO);
                               ::dup2(nothing, STDOUT_FILENO);
                               if (pipe[1] == 3) {
                                 ::fcntl(3, F_SETFD, 0);
                               } else {
                                 ::dup2(pipe[1], 3);
                               }
                             });
  ::close(pipe[1]);
  number = pipe[0];
  return server;
}

// Empty: it has not come up.
std::string display_of(int number) {
  std::string text;
  pollfd file{.fd = number, .events = POLLIN, .revents = 0};
  while (!text.ends_with('\n') && ::poll(&file, 1, kServerPatienceMillis) > 0) {
    std::array<char, 16> buffer{};
    const ssize_t count = ::read(number, buffer.data(), buffer.size());
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(number);
  if (!text.ends_with('\n')) return {};
  text.pop_back();
  return ":" + text;
}

void set_variables(const std::string& display) {
  ::setenv("DISPLAY", display.c_str(), 1);
  ::setenv("SDL_AUDIODRIVER", "dummy", 0);  // there is no sound yet: games are to start all the same
  if (::mkdir("/tmp/session", 0700) == 0) ::setenv("XDG_RUNTIME_DIR", "/tmp/session", 0);
}

pid_t start_stream(int listener) {
  return start({"/proc/self/exe", std::string(kServe), std::to_string(listener)},
               [listener] { ::fcntl(listener, F_SETFD, 0); });
}

int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

int watch_over(pid_t server, pid_t program, int listener) {
  pid_t streamer = start_stream(listener);
  int deaths = 0;
  auto begun = std::chrono::steady_clock::now();
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0) return give_up("its processes are gone");
    if (ended == program) return code_of(status);
    if (ended == server) return give_up("the display (Xvfb) has died, and the program with it");
    if (ended != streamer) continue;  // a process that the program left behind
    const auto now = std::chrono::steady_clock::now();
    if (now - begun > kGoodSpell) deaths = 0;
    if (++deaths > kMaxRestarts) return give_up("what makes pictures of the display dies again and again");
    std::fprintf(stderr, "hearth-screen: what makes pictures has died (code %d) and is started again\n",
                 code_of(status));
    std::this_thread::sleep_for(kPause);
    begun = std::chrono::steady_clock::now();
    streamer = start_stream(listener);
  }
}

int run(const std::vector<std::string>& program) {
  const int listener = listen_on_loopback();
  if (listener < 0) return give_up("port " + std::to_string(screen::kPort) + " is taken");
  int number = -1;
  const pid_t server = start_server(number);
  const std::string display = server < 0 ? std::string() : display_of(number);
  if (display.empty()) {
    return give_up("the display does not come up: this PC needs Xvfb (apt install xvfb)");
  }
  set_variables(display);
  const pid_t child = start(program, [] { ::setpriority(PRIO_PROCESS, 0, kNice); });
  return watch_over(server, child, listener);
}

}  // namespace
}  // namespace hearth::display

// What is left of its processes ends with this one: PR_SET_PDEATHSIG.
int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == hearth::display::kServe) {
    const hearth::Error error = hearth::display::stream(std::atoi(words[1].c_str()));
    std::_Exit(hearth::display::give_up(error.message));
  }
  if (words.empty())
    std::_Exit(hearth::display::give_up("it is started by a node: hearth-screen PROGRAM ARGUMENTS..."));
  std::_Exit(hearth::display::run(words));
}
