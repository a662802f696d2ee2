#include "sandbox/vault.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "sandbox/launch.h"
#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kRound(5);
constexpr int kRounds = 4'000;  // 20 s
constexpr std::size_t kMaxWords = 4096;
constexpr std::string_view kReady = "mounted and ready";

// In a file without a name, in memory.
Result<Fd> make_key() {
  std::array<char, 32> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return fail_errno(errno, "making a key");
  }
  const std::string text = to_hex({random.data(), random.size()});
  Fd file(::memfd_create("hearth-key", MFD_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno(errno, "keeping a key");
  }
  return file;
}

struct Gocryptfs {
  std::string program;
  const Fd& key;
  fs::path config;
  bool stays_user = false;

  // `said`: where its words go.
  Result<Started> start(const std::vector<std::string>& options, const Fd& said) const {
    Launch plan;
    plan.program = program;
    plan.argv = {"gocryptfs", "-nosyslog", "-config", config.string(), "-passfile", "/proc/self/fd/3"};
    plan.argv.insert(plan.argv.end(), options.begin(), options.end());
    plan.files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    plan.files.emplace_back(::fcntl(said.get(), F_DUPFD_CLOEXEC, 0));
    plan.files.emplace_back(::fcntl(said.get(), F_DUPFD_CLOEXEC, 0));
    plan.files.emplace_back(::open(("/proc/self/fd/" + std::to_string(key.get())).c_str(), O_RDONLY | O_CLOEXEC));
    for (const Fd& file : plan.files) {
      if (!file) return fail_errno(errno, "starting gocryptfs");
    }
    plan.may_mount = true;
    plan.stays_user = stays_user;
    return launch(plan);
  }
};

// Whether the process has ended, and well.
bool ended_well(const Fd& process) {
  siginfo_t info{};
  return ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED) == 0 && info.si_code == CLD_EXITED &&
         info.si_status == 0;
}

void end(const Fd& process) {
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  static_cast<void>(ended_well(process));
}

// All that it has said so far.
void hear(const Fd& said, std::string& words) {
  std::array<char, 4096> piece{};
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): the pipe does not block
  for (ssize_t count = 0; words.size() < kMaxWords && (count = ::read(said.get(), piece.data(), piece.size())) > 0;) {
    words.append(piece.data(), static_cast<std::size_t>(count));
  }
}

std::unexpected<Error> refusal(std::string words) {
  while (words.ends_with('\n')) words.pop_back();
  return fail(Code::kFailedPrecondition, "gocryptfs does not work here: " + words.substr(words.rfind('\n') + 1) +
                                             "; let this user use /dev/fuse, and install fuse3");
}

Result<void> make_directories(const Vault::Places& places) {
  std::error_code error;
  fs::remove_all(places.cipher, error);
  for (const fs::path& directory : {places.cipher, places.where}) {
    if (::mkdir(directory.c_str(), 0700) != 0) return fail_errno(errno, "making " + directory.string());
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Vault>> Vault::open(const Places& places) {
  const std::string program = find_program("gocryptfs");
  if (program.empty()) {
    return fail(Code::kFailedPrecondition, "gocryptfs was not found; install it with: apt install gocryptfs fuse3");
  }
  if (Result<void> made = make_directories(places); !made) return std::unexpected(made.error());
  Result<Fd> key = make_key();
  if (!key) return std::unexpected(key.error());
  Result<Pipe> said = make_pipe(O_CLOEXEC | O_NONBLOCK);
  if (!said) return std::unexpected(said.error());
  Gocryptfs gocryptfs{.program = program, .key = *key, .config = places.memory / "gocryptfs.conf"};
  std::string words;

  // The least work of the key's stretching: the key is random.
  Result<Started> made = gocryptfs.start({"-q", "-init", "-scryptn", "10", places.cipher.string()}, said->write_end);
  if (!made) return std::unexpected(made.error());
  const bool is_made = ended_well(made->pidfd);
  hear(said->read_end, words);
  if (!is_made) return refusal(words);
  std::vector<std::string> options = {"-fg", places.cipher.string(), places.where.string()};
  if (const GuestUser& user = places.user; user.drop) {
    // Run by root it becomes the user who makes a file for as long as that takes; but gocryptfs 2.3 (Debian 12's) does
    // so with all its threads (https://github.com/rfjakob/gocryptfs/issues/893), and what others do meanwhile is
    // refused. So it stays root, and says of all files that they are the guests'.
    gocryptfs.stays_user = true;
    options.insert(options.begin(),
                   {"-allow_other", "-force_owner", std::to_string(user.uid) + ":" + std::to_string(user.gid)});
  }
  Result<Started> keeper = gocryptfs.start(options, said->write_end);
  if (!keeper) return std::unexpected(keeper.error());
  auto vault = std::make_unique<Vault>(places, std::move(keeper->pidfd), std::move(said->read_end));
  // Before it says so the mount is there, but it looks itself at what it serves: whoever makes something there then
  // waits for it, and it for them.
  for (int round = 0; round < kRounds && !words.contains(kReady); ++round) {
    if (has_ended(vault->keeper_)) break;
    std::this_thread::sleep_for(kRound);
    hear(vault->said_, words);
  }
  std::error_code error;
  fs::remove(gocryptfs.config, error);
  // Until somebody asked whose the mount's root is, it is root's, to whom an ordinary user's namespace has no name: the
  // kernel lets nobody make anything there.
  struct stat status{};
  if (!words.contains(kReady) || ::stat(places.where.c_str(), &status) != 0) return refusal(words);
  return vault;
}

bool Vault::has_died() const { return has_ended(keeper_); }

Vault::~Vault() {
  static_cast<void>(unmount(places_.where.string()));
  end(keeper_);
  std::error_code error;
  fs::remove(places_.where, error);
  fs::remove_all(places_.cipher, error);
}

Result<fs::path> VaultOnDemand::directory(const char* name) {
  const std::lock_guard lock(mutex_);
  if (!vault_) {
    Result<std::unique_ptr<Vault>> opened = Vault::open(places_);
    if (!opened) return std::unexpected(opened.error());
    vault_ = std::move(*opened);
  }
  fs::path path = vault_->where() / name;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making a directory in the vault");
  return path;
}

bool VaultOnDemand::is_open() const {
  const std::lock_guard lock(mutex_);
  return vault_ != nullptr;
}

bool VaultOnDemand::has_died() const {
  const std::lock_guard lock(mutex_);
  return vault_ && vault_->has_died();
}

}  // namespace hearth::sandbox
