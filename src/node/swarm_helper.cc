#include "node/swarm_helper.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/program.h"
#include "swarm/frames.h"

namespace hearth::node {
namespace {

constexpr std::size_t kMaxQueuedBytes = 64 << 20;

// By its own name: bubblewrap's is that of guests.
// clang-format off
std::vector<std::string> arguments(const std::filesystem::path& program, const std::filesystem::path& directory) {
  return {"hearth-swarm",
          "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
          "--uid", "65534", "--gid", "65534",
          "--ro-bind", "/usr", "/usr",
          "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
          "--proc", "/proc", "--dev", "/dev",
          "--bind", directory.string(), "/swarms",
          "--ro-bind", program.string(), "/hearth-swarm",
          "--chdir", "/swarms", "--remount-ro", "/", "--clearenv",
          "--die-with-parent", "--new-session", "--cap-drop", "ALL",
          "/hearth-swarm"};
}
// clang-format on

}  // namespace

// The loop's thread only.
struct SwarmHelper::Shared {
  Events events;
  bool over = false;

  void end() {
    if (!std::exchange(over, true)) events.end();
  }
};

Result<std::unique_ptr<SwarmHelper>> SwarmHelper::start(net::Loop& loop, const std::filesystem::path& program,
                                                        const std::string& bwrap,
                                                        const std::filesystem::path& directory, Events events) {
  const std::string found = sandbox::find_program(bwrap);
  if (found.empty()) return fail(Code::kFailedPrecondition, "bubblewrap was not found");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno(errno, "a socket");
  std::vector<std::string> words = arguments(program, directory);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = 0;
  std::array<char*, 1> nothing = {nullptr};
  const int error = ::posix_spawn(&process, found.c_str(), &actions, nullptr, argv.data(), nothing.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return fail_errno(error, "starting hearth-swarm");
  }
  return std::make_unique<SwarmHelper>(loop, process, ends[0], std::move(events));
}

SwarmHelper::SwarmHelper(net::Loop& loop, pid_t process, int socket, Events events)
    : loop_(loop), process_(process), socket_(socket), shared_(std::make_shared<Shared>(std::move(events))) {
  reader_ = std::thread([this] { read_for_ever(); });
  writer_ = std::thread([this] { write_for_ever(); });
}

SwarmHelper::~SwarmHelper() {
  shared_->over = true;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  more_.notify_all();
  ::shutdown(socket_, SHUT_RDWR);
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  reader_.join();
  writer_.join();
  ::close(socket_);
}

void SwarmHelper::send(const v1::SwarmOrder& order) {
  std::string frame = swarm::frame_of(order);
  {
    const std::lock_guard lock(mutex_);
    if (queued_bytes_ + frame.size() > kMaxQueuedBytes) {
      log_warning("hearth-swarm does not read what it is told");
      ::shutdown(socket_, SHUT_RDWR);
      return;
    }
    queued_bytes_ += frame.size();
    frames_.push_back(std::move(frame));
  }
  more_.notify_all();
}

void SwarmHelper::read_for_ever() {
  swarm::FrameReader reader;
  std::vector<char> buffer(64 << 10);
  bool good = true;
  while (good) {
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    good = reader.push({buffer.data(), static_cast<std::size_t>(count)}).has_value();
    while (std::optional<std::string> frame = reader.next()) {
      Result<v1::SwarmNews> news = swarm::parse_news(*frame);
      good = good && news.has_value();
      if (!good) break;
      loop_.post([shared = shared_, told = std::move(*news)] {
        if (!shared->over) shared->events.news(told);
      });
    }
  }
  loop_.post([shared = shared_] { shared->end(); });
}

void SwarmHelper::write_for_ever() {
  for (;;) {
    std::string frame;
    {
      std::unique_lock lock(mutex_);
      more_.wait(lock, [this] { return ending_ || !frames_.empty(); });
      if (ending_) return;
      frame = std::move(frames_.front());
      frames_.pop_front();
      queued_bytes_ -= frame.size();
    }
    for (std::size_t done = 0; done < frame.size();) {
      const ssize_t count = ::send(socket_, frame.data() + done, frame.size() - done, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;  // the reader sees the end as well
      done += static_cast<std::size_t>(count);
    }
  }
}

}  // namespace hearth::node
