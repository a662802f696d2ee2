// `hearth app share-screen`: the screen that this PC's owner sits at, as an app. This process gives the node the word
// (node/owners_screen.h), has hearth-screen show the desktop, and tells the hub of the job; all three end together.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/sending.h"
#include "cli/tools.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr int kIntroducer = 3;   // hearth-screen's, as its main.cc has these
constexpr int kEndedByNode = 3;  // its exit code
constexpr std::size_t kMaxLine = 1'024;
constexpr std::size_t kMaxName = 128;
constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Whether root would reach for a desktop that another user sits at.
bool is_anothers_desktop() {
  if (::geteuid() != 0) return false;
  for (const char* name : {"SUDO_UID", "PKEXEC_UID"}) {
    if (const std::string user = variable(name); !user.empty() && user != "0") return true;
  }
  struct stat key{};
  const std::string authority = variable("XAUTHORITY");
  return !authority.empty() && ::stat(authority.c_str(), &key) == 0 && key.st_uid != 0;
}

Result<void> check_desktop() {
  if (is_anothers_desktop()) {
    return fail(Code::kPermissionDenied,
                "this is root, and the desktop is another user's: whoever sits at it shares it, without sudo");
  }
  if (!variable("WAYLAND_DISPLAY").empty() || variable("XDG_SESSION_TYPE") == "wayland") {
    return fail(
        Code::kFailedPrecondition,
        "a Wayland desktop cannot be shared yet. Log out and choose a session on Xorg on the login screen (with "
        "GNOME: the wheel at the bottom). An X server within it is shared with: env -u WAYLAND_DISPLAY -u "
        "XDG_SESSION_TYPE DISPLAY=:N hearth app share-screen");
  }
  if (variable("DISPLAY").empty()) {
    return fail(Code::kFailedPrecondition,
                "there is no desktop here (DISPLAY is not set): run this in a terminal on the screen that you want to "
                "share");
  }
  return {};
}

// Without its end; empty: none has come.
std::string read_line(int file) {
  std::string line;
  for (char letter = 0; line.size() < kMaxLine && ::read(file, &letter, 1) == 1 && letter != '\n';) line += letter;
  return line;
}

// To be given the word. Errors: why the node does not take it.
Result<Fd> connect_to_node(const Home& home) {
  std::error_code failure;
  if (std::filesystem::exists(home.node_stopped(), failure)) {
    return fail(Code::kFailedPrecondition, "everything is stopped on this PC; first: hearth resume");
  }
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = home.node_screen().string();
  if (path.size() >= sizeof address.sun_path) {
    return fail(Code::kFailedPrecondition, path + ": this path is too long for a socket");
  }
  path.copy(address.sun_path, path.size());
  Fd node(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(node.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (::connect(node.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EACCES || errno == EPERM) {
      return fail(Code::kPermissionDenied,
                  path + " is another user's: the desktop and this PC's node are to be of the same user");
    }
    return fail(Code::kUnavailable, "this PC's node is not up, and so nothing can be shared: hearth up");
  }
  const std::string answer = read_line(node.get());
  if (answer == "ok") return node;
  constexpr std::string_view kNo = "no: ";
  if (answer.starts_with(kNo)) return fail(Code::kFailedPrecondition, plain(answer.substr(kNo.size())));
  return fail(Code::kUnavailable, "this PC's node does not answer; see: hearth status");
}

// What the page's people send is put there.
std::filesystem::path folder_for_files() {
  const std::filesystem::path home = variable("HOME");
  std::error_code failure;
  return std::filesystem::is_directory(home / "Downloads", failure) ? home / "Downloads" : home;
}

// hearth-screen, which ends with this process.
class Helper {
 public:
  // Once the sign is shown. Errors: why it cannot be.
  static Result<Helper> start(const Fd& node, const std::string& stop_key) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail_errno(errno, "a pipe");
    const Fd out(pipe[0]);
    const std::string program = screen_program();
    const std::string folder = folder_for_files();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, node.get(), kIntroducer);
    if (!folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    std::array<const char*, 4> argv = {program.c_str(), "--share", stop_key.c_str(), nullptr};
    pid_t process = 0;
    const int error =
        ::posix_spawn(&process, program.c_str(), &actions, nullptr, const_cast<char**>(argv.data()), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    if (error != 0) return fail_errno(error, program + ", which shows the screen");
    Helper helper(process);
    const std::string answer = read_line(out.get());
    if (answer == "ready") return helper;
    constexpr std::string_view kNo = "no: ";
    return fail(Code::kFailedPrecondition, answer.starts_with(kNo) ? plain(answer.substr(kNo.size()))
                                                                   : "hearth-screen, which shows the screen, has died");
  }
  Helper(Helper&& other) noexcept : process_(std::exchange(other.process_, 0)) {}
  Helper& operator=(Helper&&) = delete;
  ~Helper() {
    if (process_ == 0) return;
    ::kill(process_, SIGTERM);
    wait();
  }

  pid_t process() const { return process_; }
  // Its exit code.
  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  explicit Helper(pid_t process) : process_(process) {}
  pid_t process_;
};

Result<v1::SubmitRequest> request_for(const Context& context, Client& client, const ScreenOptions& options) {
  const Result<account::Account> node = account::load_account(context.home.node());
  if (!node) return std::unexpected(node.error());
  const account::Account& own = client.session().account();
  if (node->hub_identity != own.hub_identity) {
    return fail(
        Code::kFailedPrecondition,
        fmt::format("this PC's node works for the pool {}, and its command line is of the pool {}: join or pair "
                    "so that both are of one",
                    plain(node->pool_name), plain(own.pool_name)));
  }
  v1::SubmitRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_name(options.name.empty() ? host_name() + "'s screen" : options.name);
  for (const char* word : {"hearth", "app", "share-screen"}) spec.add_argv(word);
  spec.set_tasks(1);
  spec.set_window(true);
  spec.set_screen_of(node->device.value);
  return request;
}

volatile std::sig_atomic_t process_to_end = 0;

// Ctrl-C goes to hearth-screen too; what else ends this process is passed on.
void pass_signals_on(pid_t process) {
  process_to_end = process;
  struct sigaction action{};
  action.sa_handler = [](int /*signal*/) {
    if (process_to_end > 0) ::kill(process_to_end, SIGTERM);
  };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

void announce(const Context& context, Client& client, std::uint64_t job, const std::string& stop_key) {
  if (context.json) return print(object_json({{"job_id", fmt::format("{}", job)}}));
  print(fmt::format("{}\n", job));
  say(fmt::format("your screen is shared as job {}: https://{}/#/screen/{}", job,
                  client.session().account().endpoint.text(), job));
  say(fmt::format("until {}, or Ctrl-C here; others see it after: hearth app share {} --with PEOPLE", stop_key, job));
}

}  // namespace

Result<int> share_screen(const Context& context, const ScreenOptions& options) {
  if (options.name.size() > kMaxName || !is_plain_utf8(options.name)) {
    return fail(Code::kInvalidArgument, "--name: at most 128 bytes of text");
  }
  if (Result<void> desktop = check_desktop(); !desktop) return std::unexpected(desktop.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Result<v1::SubmitRequest> request = request_for(context, **client, options);
  if (!request) return std::unexpected(request.error());
  Result<Fd> node = connect_to_node(context.home);
  if (!node) return std::unexpected(node.error());
  Result<Helper> helper = Helper::start(*node, options.stop_key);
  if (!helper) return std::unexpected(helper.error());
  pass_signals_on(helper->process());
  const Result<std::uint64_t> job = (*client)->loop().run_until_done(submit_job(**client, std::move(*request)));
  if (!job) return std::unexpected((*client)->explain(job.error()));
  const std::string word = fmt::format("job {}\n", *job);
  static_cast<void>(::send(node->get(), word.data(), word.size(), MSG_NOSIGNAL));
  node->reset();
  announce(context, **client, *job, options.stop_key);
  const int code = helper->wait();
  process_to_end = 0;
  if (code == 0) say("your screen is shared no more");
  if (code == kEndedByNode)
    say("your screen is shared no more: it was ended from elsewhere, or the node or hub is gone");
  if (code == 0 || code == kEndedByNode) return 0;
  return fail(Code::kInternal, "your screen is shared no more: hearth-screen, which shows it, has died");
}

}  // namespace hearth::cli
