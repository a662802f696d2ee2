// hearth-screen: gives the program of an app a display of its own and shows it to whoever connects to port 7440 of the
// loopback, or to port 7442 to watch alone (proto/hearth/v1/screen.proto). It runs within the app's sandbox, so what X
// server, encoder and program do to each other stays there, and is over with it.
//
//   hearth-screen PROGRAM ARGUMENTS...
//
// This process starts the X server, PulseAudio where there is one, the program, and itself once more as the part that
// makes pictures; that part and PulseAudio are started again when they die. It ends with the program, and as the
// program did.
//
//   hearth-screen --share KEYS
//
// Shows the desktop at DISPLAY instead, outside of any sandbox: its owner's `hearth app share-screen` starts it.
// Descriptor 3 is the node's connection (node/owners_screen.h). Standard output gets "ready", or "no: SENTENCE" and the
// code 70. It ends with the owner's word (0) or the node's (3), with a fault (70), and with whoever started it.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/embed.h"
#include "display/gamepad.h"
#include "display/gamepad_wire.h"
#include "display/gl.h"
#include "display/sound.h"
#include "display/stream.h"
#include "screen/frames.h"

HEARTH_EMBED(hearth_gamepad, HEARTH_GAMEPAD_DEVICE);

// Its check for leaks traces the process, which a sandbox forbids.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }  // NOLINT

namespace hearth::display {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kServe = "--serve";
constexpr std::string_view kShare = "--share";
constexpr int kIntroducer = 3;
constexpr int kEndedByNode = 3;
constexpr int kFailed = 70;
constexpr int kServerPatienceMillis = 20'000;
constexpr int kMaxRestarts = 20;
constexpr auto kPause = 100ms;
constexpr auto kGoodSpell = 60s;  // after which a death counts as the first
constexpr int kLooksForEnd = 20;
constexpr auto kBetweenLooks = 10ms;
constexpr int kNice = 5;  // of the program: its picture comes first
constexpr auto kSoundPatience = 2s;
const std::string kSession = "/tmp/session";
const std::string kGamepadDevice = kSession + "/gamepad.so";
const std::string kPulseSocket = kSession + "/pulse-server";  // "pulse" is a directory of its own

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

// Whether there is a place for the sound.
bool prepare_session() {
  if (::mkdir(kSession.c_str(), 0700) == 0) ::setenv("XDG_RUNTIME_DIR", kSession.c_str(), 0);
  const bool sounds =
      ::access("/usr/bin/pulseaudio", X_OK) == 0 && ::mkfifo((kSession + "/" + kPlayedPipe).c_str(), 0600) == 0;
  if (sounds) {
    ::setenv("PULSE_SERVER", ("unix:" + kPulseSocket).c_str(), 1);
  } else {
    ::setenv("SDL_AUDIODRIVER", "dummy", 0);  // games are to start all the same
  }
  return sounds;
}

// The clock's time, not the reader's: else what nobody hears would stop the program that plays it.
pid_t start_sound() {
  const std::string format = " format=s16le rate=48000 ";
  const std::string played = kSession + "/" + kPlayedPipe;
  const std::string recorded = kSession + "/" + kRecordedPipe;
  return start(
      {"/usr/bin/pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes",
       "--log-level=error", "-L",
       "module-pipe-sink sink_name=app channels=2 use_system_clock_for_timing=yes file=" + played + format, "-L",
       "module-pipe-source source_name=viewer channels=1 file=" + recorded + format, "-L",
       "module-suspend-on-idle timeout=2", "-L", "module-native-protocol-unix auth-anonymous=1 socket=" + kPulseSocket},
      [] {
        const int nothing = ::open("/dev/null", O_WRONLY);
        ::dup2(nothing, STDERR_FILENO);
        ::dup2(nothing, STDOUT_FILENO);
        ::setenv("HOME", kSession.c_str(), 1);
        ::unlink((kSession + "/" + kRecordedPipe).c_str());  // it makes that one itself, or fails
      });
}

// A program that finds no PulseAudio when it starts is silent for good.
void wait_for_sound() {
  const auto until = std::chrono::steady_clock::now() + kSoundPatience;
  while (::access(kPulseSocket.c_str(), F_OK) != 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(10ms);
  }
}

// Where programs find a gamepad. Without one, if it cannot be made.
Fd prepare_gamepad() {
  Result<Fd> listener = listen_for_programs(kGamepadPath);
  const Fd device(::open(kGamepadDevice.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
  const std::string_view bytes = HEARTH_EMBEDDED(hearth_gamepad);
  if (!listener || !device || ::write(device.get(), bytes.data(), bytes.size()) != std::ssize(bytes)) return {};
  return std::move(*listener);
}

// Of the program alone, and of what it starts.
void show_gamepad() {
  const char* others = ::getenv("LD_PRELOAD");
  ::setenv("LD_PRELOAD", others == nullptr ? kGamepadDevice.c_str() : (others + (":" + kGamepadDevice)).c_str(), 1);
  ::setenv("SDL_JOYSTICK_DEVICE", kGamepadPath, 0);
  ::setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);  // a sanitized program would refuse what comes before it
}

pid_t start_stream(const Listeners& listeners) {
  return start({"/proc/self/exe", std::string(kServe), std::to_string(listeners.control),
                std::to_string(listeners.watch), std::to_string(listeners.gamepad)},
               [listeners] {
                 for (const int file : {listeners.control, listeners.watch, listeners.gamepad}) {
                   ::fcntl(file, F_SETFD, 0);
                 }
               });
}

int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// A process that is started again when it dies.
struct Helper {
  std::string what;
  bool vital = false;
  std::function<pid_t()> start_it;
  pid_t process = 0;
  int deaths = 0;
  std::chrono::steady_clock::time_point begun{};

  void begin() {
    begun = std::chrono::steady_clock::now();
    process = start_it();
  }
  // False: it dies again and again.
  bool begin_again(int status) {
    if (std::chrono::steady_clock::now() - begun > kGoodSpell) deaths = 0;
    if (++deaths > kMaxRestarts) return false;
    std::fprintf(stderr, "hearth-screen: %s has died (code %d) and is started again\n", what.c_str(), code_of(status));
    std::this_thread::sleep_for(kPause);
    begin();
    return true;
  }
};

// A program hears of its display's end before the kernel tells of it here.
bool ends_soon(pid_t process) {
  for (int look = 0; look < kLooksForEnd; ++look) {
    if (::waitpid(process, nullptr, WNOHANG) == process) return true;
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return false;
}

int watch_over(pid_t server, pid_t program, std::vector<Helper> helpers) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0) return give_up("its processes are gone");
    const bool has_failed = ended == program && code_of(status) != 0;
    if (ended == server || (has_failed && ends_soon(server))) {
      return give_up("the display (Xvfb) has died, and the program with it");
    }
    if (ended == program) return code_of(status);
    const auto helper = std::ranges::find(helpers, ended, &Helper::process);
    if (helper == helpers.end()) continue;  // a process that the program left behind
    if (!helper->begin_again(status) && helper->vital) return give_up(helper->what + " dies again and again");
  }
}

int run(const std::vector<std::string>& program) {
  Listeners listeners = {.control = screen::listen_on_loopback(screen::kPort),
                         .watch = screen::listen_on_loopback(screen::kWatchPort)};
  if (listeners.control < 0 || listeners.watch < 0) return give_up("its ports are taken");
  std::vector<Helper> helpers;
  const bool sounds = prepare_session();
  const Fd gamepad = prepare_gamepad();
  listeners.gamepad = gamepad.get();
  if (sounds) {
    helpers.push_back({.what = "what makes sounds (pulseaudio)", .vital = false, .start_it = start_sound});
    helpers.back().begin();
  }
  int number = -1;
  const pid_t server = start_server(number);
  const std::string display = server < 0 ? std::string() : display_of(number);
  if (display.empty()) {
    return give_up("the display does not come up: this PC needs Xvfb (apt install xvfb)");
  }
  ::setenv("DISPLAY", display.c_str(), 1);
  draw_by_gpu(display);
  if (sounds) wait_for_sound();
  helpers.push_back(
      {.what = "what makes pictures", .vital = true, .start_it = [listeners] { return start_stream(listeners); }});
  helpers.back().begin();
  const pid_t child = start(program, [has_gamepad = bool(gamepad)] {
    ::setpriority(PRIO_PROCESS, 0, kNice);
    if (has_gamepad) show_gamepad();
  });
  return watch_over(server, child, std::move(helpers));
}

volatile std::sig_atomic_t told_to_end = 0;

// What a viewer holds is released at the end, so no signal ends it at once. If whoever started this was gone before
// that, saying "ready" fails.
void heed_signals() {
  struct sigaction action{};
  action.sa_handler = [](int /*signal*/) { told_to_end = 1; };
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaction(signal, &action, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
}

int share(const std::string& stop_key) {
  heed_signals();
  bool ready = false;
  const Error end = share_desktop({.introducer = kIntroducer,
                                   .stop_key = stop_key,
                                   .ready =
                                       [&ready] {
                                         ready = true;
                                         std::puts("ready");
                                         std::fflush(stdout);
                                       },
                                   .told_to_end = told_to_end});
  if (end.code == Code::kCanceled) return 0;
  if (end.code == Code::kAborted) return kEndedByNode;
  if (ready) return give_up(end.message);
  std::printf("no: %s\n", end.message.c_str());
  std::fflush(stdout);
  return kFailed;
}

}  // namespace
}  // namespace hearth::display

// What is left of its processes ends with this one: PR_SET_PDEATHSIG.
int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 4 && words[0] == hearth::display::kServe) {
    const hearth::display::Listeners listeners = {std::atoi(words[1].c_str()), std::atoi(words[2].c_str()),
                                                  std::atoi(words[3].c_str())};
    const hearth::Error error = hearth::display::stream(listeners, hearth::display::kSession);
    std::_Exit(hearth::display::give_up(error.message));
  }
  if (words.size() == 2 && words[0] == hearth::display::kShare) std::_Exit(hearth::display::share(words[1]));
  if (words.empty())
    std::_Exit(hearth::display::give_up("it is started by a node: hearth-screen PROGRAM ARGUMENTS..."));
  std::_Exit(hearth::display::run(words));
}
