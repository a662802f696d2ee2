#include "cli/tools.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/entries.h"
#include "base/fd.h"
#include "cli/home.h"
#include "cli/output.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook{50};
constexpr std::size_t kLastLines = 12;
constexpr std::streamoff kTailBytes = 16 << 10;
constexpr std::size_t kMaxLineBytes = 300;
constexpr std::uintmax_t kMostPrinted = 256 << 20;
constexpr std::uintmax_t kNearlyNothing = 4 << 10;  // a runtime's own wake-ups
constexpr int kSignalled = 128;
constexpr std::array kSystemPath = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};

volatile std::sig_atomic_t interrupted = 0;

// While it lives, Ctrl-C is noted instead of ending this process: what was begun is cleared away first.
class NotedInterrupts {
 public:
  NotedInterrupts() {
    interrupted = 0;
    struct sigaction noted{};
    noted.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &noted, &before_[0]);
    ::sigaction(SIGTERM, &noted, &before_[1]);
  }
  ~NotedInterrupts() {
    ::sigaction(SIGINT, &before_[0], nullptr);
    ::sigaction(SIGTERM, &before_[1], nullptr);
  }
  NotedInterrupts(const NotedInterrupts&) = delete;
  NotedInterrupts& operator=(const NotedInterrupts&) = delete;

 private:
  std::array<struct sigaction, 2> before_{};
};

std::string find_program(const std::string& name) {
  if (name.contains('/')) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = ::getenv("PATH");
  std::vector<std::string> directories;
  std::istringstream words(path == nullptr ? "" : path);
  for (std::string word; std::getline(words, word, ':');) directories.push_back(word);
  directories.insert(directories.end(), kSystemPath.begin(), kSystemPath.end());
  for (const std::string& directory : directories) {
    const std::string candidate = fmt::format("{}/{}", directory, name);
    if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

// The last lines of a file as they are.
std::vector<std::string> raw_last_lines(const fs::path& file, std::size_t most) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? std::streamoff(in.tellg()) : 0;
  in.seekg(std::max<std::streamoff>(0, size - kTailBytes));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  if (lines.size() > most) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most));
  return lines;
}

// The last lines of what was said, control characters replaced.
std::vector<std::string> last_lines(const fs::path& file, std::size_t most) {
  std::vector<std::string> lines = raw_last_lines(file, most);
  for (std::string& line : lines) line = plain(line.substr(0, kMaxLineBytes));
  return lines;
}

std::string all_said(const fs::path& file) {
  std::string text;
  for (const std::string& line : last_lines(file, kTailBytes)) text += line + "\n";
  return text;
}

struct Running {
  pid_t process = -1;
  std::string name;
  int status = -1;
  bool ended = false;
};

// Whether a change as in Tool::variables is of the variable.
bool is_of(const std::string& change, std::string_view name) {
  const std::string_view changed = std::string_view(change).substr(0, change.find('='));
  return changed.ends_with('*') ? name.starts_with(changed.substr(0, changed.size() - 1)) : name == changed;
}

// This process's variables, changed as the tool wants them.
std::vector<std::string> variables_for(const Tool& tool) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
    const bool changed =
        std::ranges::any_of(tool.variables, [&](const std::string& change) { return is_of(change, name); });
    if (!changed) variables.emplace_back(*entry);
  }
  std::ranges::copy_if(tool.variables, std::back_inserter(variables),
                       [](const std::string& change) { return change.contains('='); });
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

Result<Running> spawn(const Tool& tool, int input, int output, int errors) {
  const std::string program = find_program(tool.argv.front());
  if (program.empty()) {
    return fail(Code::kFailedPrecondition,
                fmt::format("{} was not found; install it with: apt install {}", tool.argv.front(), tool.package));
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  if (!tool.directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, tool.directory.c_str());
  std::vector<std::string> words = tool.argv;
  std::vector<std::string> variables = variables_for(tool);
  Running running{.process = -1, .name = tool.argv.front()};
  const int error = ::posix_spawn(&running.process, program.c_str(), &actions, nullptr, pointers(words).data(),
                                  pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(error, "starting " + program);
  return running;
}

void end_all(std::vector<Running>& tools) {
  for (const Running& tool : tools) {
    if (!tool.ended) ::kill(tool.process, SIGTERM);
  }
}

bool look_after(std::vector<Running>& tools) {
  for (Running& tool : tools) {
    if (!tool.ended && ::waitpid(tool.process, &tool.status, WNOHANG) == tool.process) tool.ended = true;
  }
  return std::ranges::all_of(tools, &Running::ended);
}

// Bytes that a process and those of its children that have ended have read and written, of whatever kind: proc(5),
// "rchar" and "wchar". 0: it has ended itself.
std::uintmax_t moved_bytes(pid_t process) {
  std::ifstream in(fmt::format("/proc/{}/io", process));
  std::string name;
  std::uintmax_t read = 0;
  std::uintmax_t written = 0;
  return in >> name >> read >> name >> written ? read + written : 0;
}

// Whether a process reads and writes anything but what it prints into these files.
class Activity {
 public:
  using Clock = std::chrono::steady_clock;

  Activity(pid_t process, std::vector<fs::path> printed) : process_(process), printed_(std::move(printed)) {}

  // Since when it has not.
  Clock::duration idle() {
    std::uintmax_t moved = moved_bytes(process_);
    std::error_code error;
    for (const fs::path& file : printed_) moved -= std::min(moved, fs::file_size(file, error));
    if (moved < seen_ || moved - seen_ >= kNearlyNothing) {
      seen_ = moved;
      active_ = Clock::now();
    }
    return Clock::now() - active_;
  }

 private:
  pid_t process_;
  std::vector<fs::path> printed_;
  std::uintmax_t seen_ = 0;
  Clock::time_point active_ = Clock::now();
};

// Until all have ended. A failure of one ends those that would wait for it, as does `is_over`. `last` gives what is
// said last.
void wait_for_all(std::vector<Running>& tools, const std::string& what, const std::function<std::string()>& last,
                  const std::function<bool()>& is_over = {}) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  bool told = false;
  for (ProgressLine progress; !look_after(tools); std::this_thread::sleep_for(kLook)) {
    const bool failed = std::ranges::any_of(tools, [](const Running& tool) { return tool.ended && tool.status != 0; });
    const bool to_end = failed || interrupted != 0 || (is_over && is_over());
    if (to_end && !told) end_all(tools);
    told = told || to_end;
    const std::string line = last();
    const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count();
    progress.show(fmt::format("{}, {} s{}", what, elapsed, line.empty() ? "" : ": " + line));
  }
}

Result<void> judge(const std::vector<Running>& tools, const fs::path& said) {
  if (interrupted != 0) return fail(Code::kCanceled, "interrupted; nothing was changed");
  for (const Running& tool : tools) {
    // Ended because another failed; that one tells more.
    if (tool.status == 0 || (WIFSIGNALED(tool.status) && WTERMSIG(tool.status) != SIGKILL)) continue;
    std::string text = WIFEXITED(tool.status)
                           ? fmt::format("{} failed with exit code {}", tool.name, WEXITSTATUS(tool.status))
                           : fmt::format("{} was ended by signal {}", tool.name, WTERMSIG(tool.status));
    const std::vector<std::string> lines = last_lines(said, kLastLines);
    text += lines.empty() ? " and said nothing" : "; its last words:";
    for (const std::string& line : lines) text += "\n  " + line;
    return fail(Code::kInternal, text);
  }
  for (const Running& tool : tools) {
    if (tool.status != 0) return fail(Code::kInternal, tool.name + " was ended before it was done");
  }
  return {};
}

// Trees that a tool unpacked may hold directories which even their owner may not change.
void remove_tree(const fs::path& directory) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->is_directory(error) && !entry->is_symlink(error)) {
      fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add, error);
    }
  }
  fs::remove_all(directory, error);
}

constexpr std::string_view kWorkName = "work-";

// Of a directory for work: none, if somebody has it, or it cannot be had. Inherited by tools.
Fd lock_of(const fs::path& directory) {
  Fd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return lock.get() >= 0 && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0 ? std::move(lock) : Fd();
}

// Those that nobody has any more, by their locks.
std::vector<std::pair<fs::path, Fd>> leftovers_in(const fs::path& parent) {
  std::vector<std::pair<fs::path, Fd>> found;
  std::error_code error;
  for (const auto& entry : Entries(parent, error)) {
    if (!entry.path().filename().string().starts_with(kWorkName)) continue;
    if (Fd lock = lock_of(entry.path()); lock.get() >= 0) found.emplace_back(entry.path(), std::move(lock));
  }
  return found;
}

}  // namespace

bool has_program(const std::string& name) { return !find_program(name).empty(); }

Result<Workshop> Workshop::open(const fs::path& parent) {
  if (Result<void> made = make_directory(parent); !made) return std::unexpected(made.error());
  // Nobody is between making a directory and having its lock.
  Fd alone(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (alone.get() < 0 || ::flock(alone.get(), LOCK_EX) != 0) return fail_errno(errno, "locking " + parent.string());
  const std::vector<std::pair<fs::path, Fd>> leftovers = leftovers_in(parent);
  std::string directory = (parent / kWorkName).string() + "XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return fail_errno(errno, "making a directory in " + parent.string());
  Workshop workshop(directory, lock_of(directory).release());
  alone = Fd();
  for (const auto& [left, lock] : leftovers) remove_tree(left);
  return workshop;
}

Workshop::~Workshop() {
  if (!directory_.empty()) remove_tree(directory_);
  if (lock_ >= 0) ::close(lock_);
}

Result<void> Workshop::run(const std::string& what, const std::vector<Tool>& pipeline) const {
  const fs::path said = directory_ / "said";
  const Fd errors(::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (errors.get() < 0 || input.get() < 0) return fail_errno(errno, "writing " + said.string());
  const NotedInterrupts noted;
  std::vector<Running> tools;
  Result<void> started;
  for (std::size_t i = 0; i < pipeline.size() && started; ++i) {
    std::array<int, 2> ends = {-1, -1};
    const bool last = i + 1 == pipeline.size();
    if (!last && ::pipe2(ends.data(), O_CLOEXEC) != 0) started = fail_errno(errno, "making a pipe");
    Fd next(ends[0]);
    const Fd output(ends[1]);
    if (!started) break;
    const Result<Running> tool = spawn(pipeline[i], input.get(), last ? errors.get() : output.get(), errors.get());
    if (tool) tools.push_back(*tool);
    if (!tool) started = std::unexpected(tool.error());
    input = std::move(next);
  }
  input = Fd();
  if (!started) end_all(tools);
  wait_for_all(tools, what, [&] {
    const std::vector<std::string> line = last_lines(said, 1);
    return line.empty() ? "" : line.front();
  });
  return started ? judge(tools, said) : started;
}

Result<Ran> Workshop::ask(const std::string& what, const Tool& tool,
                          const std::function<std::string(const std::string& line)>& progress) const {
  const fs::path said = directory_ / "said";
  const fs::path printed = directory_ / "printed";
  std::vector<Running> tools;
  const NotedInterrupts noted;
  {
    const Fd errors(::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    const Fd output(::open(printed.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    const Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (errors.get() < 0 || output.get() < 0 || input.get() < 0) return fail_errno(errno, "writing " + said.string());
    const Result<Running> running = spawn(tool, input.get(), output.get(), errors.get());
    if (!running) return std::unexpected(running.error());
    tools.push_back(*running);
  }
  const auto last = [&] {
    const std::vector<std::string> line = progress ? raw_last_lines(printed, 1) : std::vector<std::string>();
    return line.empty() ? "" : progress(line.front());
  };
  Activity activity(tools.front().process, {said, printed});
  bool is_hopeless = false;
  bool is_idle = false;
  wait_for_all(tools, what, last, [&] {
    is_hopeless = is_hopeless || (tool.is_hopeless && tool.is_hopeless(all_said(said)));
    is_idle = is_idle || (tool.most_idle.count() > 0 && activity.idle() > tool.most_idle);
    return is_hopeless || is_idle;
  });
  if (interrupted != 0) return fail(Code::kCanceled, "interrupted");
  const int status = tools.front().status;
  if (is_idle && status != 0) {
    return fail(Code::kDeadlineExceeded, fmt::format("{} did nothing any more, and was ended", tool.argv.front()));
  }
  if (!WIFEXITED(status) && !is_hopeless) {
    return fail(Code::kInternal, fmt::format("{} was ended by signal {}", tool.argv.front(), WTERMSIG(status)));
  }
  std::error_code error;
  if (fs::file_size(printed, error) > kMostPrinted) {
    return fail(Code::kResourceExhausted, tool.argv.front() + " printed more than can be read");
  }
  Ran ran{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status), .said = all_said(said)};
  std::ifstream in(printed, std::ios::binary);
  ran.printed.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  return ran;
}

std::vector<std::string> Workshop::lines_of(const Tool& tool) const {
  const fs::path file = directory_ / "printed";
  const Fd output(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Result<Running> running = spawn(tool, nothing.get(), output.get(), nothing.get());
  if (!running) return {};
  while (::waitpid(running->process, &running->status, 0) < 0 && errno == EINTR) {
  }
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; running->status == 0 && std::getline(in, line);) lines.push_back(line);
  return lines;
}

namespace {

std::filesystem::path beside_this_program(const char* name) {
  std::error_code failure;
  return std::filesystem::read_symlink("/proc/self/exe", failure).parent_path() / name;
}

}  // namespace

std::filesystem::path swarm_program() { return beside_this_program("hearth-swarm"); }

std::filesystem::path screen_program() { return beside_this_program("hearth-screen"); }

std::filesystem::path media_program() { return beside_this_program("hearth-media"); }

std::filesystem::path pictures_program() { return beside_this_program("hearth-pictures"); }

std::filesystem::path terminal_program() { return beside_this_program("hearth-terminal"); }

}  // namespace hearth::cli
