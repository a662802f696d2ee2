#include "security/attack_world.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

// More than what EscapeTest's guests get, and little for a PC.
constexpr const char* kBytes = "150000000";
constexpr const char* kProcesses = "200";
constexpr const char* kFiles = "100000";

// In namespaces of names and mounts that nobody else is in.
std::string run_outside(std::vector<std::string> words, const Variables& variables,
                        const std::filesystem::path& directory) {
  words.insert(words.begin(), {"unshare", "--mount", "--uts", attacks_program()});
  const Ended ended = run_program(words, {.cwd = directory, .env = variables, .limit = seconds(200)});
  return ended.out + ended.err;
}

}  // namespace

std::string attempt_outside(const std::string& attack, const Variables& variables,
                            const std::filesystem::path& directory) {
  const std::string printed = run_outside({"try", attack}, variables, directory);
  const std::string verdict = verdict_of(attack, printed);
  return verdict.empty() ? "not tried: " + printed : verdict;
}

std::string attacks_program() { return HEARTH_ATTACKS; }

std::string new_mark() {
  std::string bytes(16, '\0');
  CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return to_hex(bytes);
}

std::vector<std::string> attack_names() {
  std::istringstream lines(run_program({attacks_program(), "list"}).out);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return names;
}

std::string verdict_of(const std::string& attack, const std::string& printed) {
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(attack + " ")) return line.substr(attack.size() + 1);
  }
  return "";
}

AttackWorld::AttackWorld(const std::filesystem::path& directory)
    : directory_(directory / "owner"), mark_(new_mark()), name_(new_mark()) {
  std::filesystem::create_directories(directory_);
  // That these are only root's is not what keeps guests out.
  for (const std::filesystem::path& path : {directory, directory_}) {
    CHECK(::chmod(path.c_str(), 0755) == 0);
  }
  const std::filesystem::path secret = directory_ / "secret";
  write_text(secret, mark_);
  // Without O_CLOEXEC, on purpose: they leak into whatever is started.
  files_ = {::open(secret.c_str(), O_RDONLY), ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY)};
  variables_ = {{"TARGET_MARK", std::string(mark_.rbegin(), mark_.rend())},
                {"TARGET_SECRET", secret},
                {"TARGET_DIRECTORY", directory_},
                {"TARGET_BYTES", kBytes},
                {"TARGET_PROCESSES", kProcesses},
                {"TARGET_FILES", kFiles}};
  share();
  start_victim();
}

AttackWorld::~AttackWorld() {
  for (const int file : files_) ::close(file);
  ::shmctl(memory_, IPC_RMID, nullptr);
  ::msgctl(queue_, IPC_RMID, nullptr);
  ::mq_unlink(("/" + name_).c_str());
  ::shm_unlink(("/" + name_).c_str());
}

void AttackWorld::start_victim() {
  victim_ = std::make_unique<Process>(
      Process::start({attacks_program(), "wait", mark_}, {.cwd = directory_, .env = {{"SECRET", mark_}}}));
  CHECK(eventually(seconds(60), [this] { return victim_->out().starts_with("ready"); }));
  variables_.emplace_back("TARGET_VICTIM", std::to_string(victim_->pid()));
}

int AttackWorld::listen(int family, const std::string& name) {
  const int socket = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  union {
    sockaddr any;
    sockaddr_un local;
    sockaddr_in internet;
  } address{};
  socklen_t size = sizeof address.internet;
  address.any.sa_family = static_cast<sa_family_t>(family);
  if (family == AF_UNIX) {
    CHECK(name.size() < sizeof address.local.sun_path);
    std::memcpy(address.local.sun_path, name.data(), name.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  } else {
    address.internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  CHECK(socket >= 0 && ::bind(socket, &address.any, size) == 0 && ::listen(socket, 16) == 0);
  files_.push_back(socket);
  size = sizeof address.internet;
  if (family != AF_INET || ::getsockname(socket, &address.any, &size) != 0) return 0;
  return ntohs(address.internet.sin_port);
}

void AttackWorld::share() {
  const std::string socket = directory_ / "socket";
  listen(AF_UNIX, socket);
  listen(AF_UNIX, std::string(1, '\0') + name_);
  variables_.emplace_back("TARGET_SOCKET", socket);
  variables_.emplace_back("TARGET_ABSTRACT", name_);
  variables_.emplace_back("TARGET_PORT", std::to_string(listen(AF_INET, "")));

  const int key = static_cast<int>(std::stoul(name_.substr(0, 7), nullptr, 16)) + 1;
  memory_ = ::shmget(key, mark_.size(), IPC_CREAT | IPC_EXCL | 0666);
  queue_ = ::msgget(key, IPC_CREAT | IPC_EXCL | 0666);
  CHECK(memory_ >= 0 && queue_ >= 0);
  void* attached = ::shmat(memory_, nullptr, 0);
  std::memcpy(attached, mark_.data(), mark_.size());
  ::shmdt(attached);
  variables_.emplace_back("TARGET_KEY", std::to_string(key));

  const std::string name = "/" + name_;
  files_.push_back(::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666, nullptr));
  files_.push_back(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  CHECK(::write(files_.back(), mark_.data(), mark_.size()) == static_cast<ssize_t>(mark_.size()));
  variables_.emplace_back("TARGET_QUEUE", name);
  variables_.emplace_back("TARGET_MEMORY", name);
}

std::string AttackWorld::attempt(const std::string& attack) const {
  return attempt_outside(attack, variables_, directory_);
}

std::string AttackWorld::attempt_all() const { return run_outside({"try"}, variables_, directory_); }

}  // namespace hearth::e2e
