#include "harness/pool.h"

#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/check.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kMark = "HEARTH_E2E_ROOT";
constexpr milliseconds kStartLimit = seconds(60);  // sanitizers and two busy cores

void kill_marked(const std::string& root) {
  const std::string mark = std::string(kMark) + "=" + root;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    if (process <= 1 || process == ::getpid()) continue;
    if (read_text(entry.path() / "environ").find(mark) != std::string::npos) ::kill(process, SIGKILL);
  }
}

// Waits until nobody holds the other end, then cleans up.
[[noreturn]] void watch(int alive, const fs::path& root) {
  ::setsid();
  char byte = 0;
  while (::read(alive, &byte, 1) < 0 && errno == EINTR) {
  }
  kill_marked(root);
  std::error_code error;
  for (int i = 0; i < 50 && fs::exists(root, error); ++i) {
    fs::remove_all(root, error);
    if (error) pause_for(milliseconds(20));
  }
  ::_exit(0);
}

json parse_file(const fs::path& file) { return json::parse(read_text(file), nullptr, false); }

// Takes the exit status of orphans that came to us; true once there is no child but these.
bool reap_all_but(const std::set<pid_t>& others) {
  bool none = true;
  for (const pid_t child : children_of(::getpid())) {
    if (others.contains(child)) continue;
    if (::waitpid(child, nullptr, WNOHANG) == 0) none = false;
  }
  return none;
}

}  // namespace

std::string hearth_program() { return HEARTH_PROGRAM; }

Scratch::Scratch() {
  std::string name = (fs::temp_directory_path() / "hearth-e2e-XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
  // Guests of other users must be able to walk to what a test shows them.
  fs::permissions(path_, fs::perms(0711));
  std::array<int, 2> ends{};
  CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  watcher_ = ::fork();
  CHECK(watcher_ >= 0);
  if (watcher_ == 0) {
    ::close(ends[1]);
    watch(ends[0], path_);
  }
  ::close(ends[0]);
  alive_ = ends[1];
}

Scratch::~Scratch() {
  ::close(alive_);
  ::waitpid(watcher_, nullptr, 0);
}

Pool::Pool(const Scratch& scratch, const std::string& name)
    : root_(scratch.path()), home_(root_ / name / "home"), directory_(root_ / name / "work") {
  fs::create_directories(directory_);
  fs::create_directories(root_ / name / "tmp");
  env_ = {{"HEARTH_HOME", home_.string()},
          {kMark, root_.string()},
          {"TMPDIR", (root_ / name / "tmp").string()},
          {"DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent"},
          {"DISPLAY", ""}};
}

void Pool::set_env(const std::string& name, const std::string& value) {
  std::erase_if(env_, [&name](const auto& variable) { return variable.first == name; });
  env_.emplace_back(name, value);
}

Pool::~Pool() {
  if (supervisor() != 0) static_cast<void>(cli({"down"}));
}

RunOptions Pool::completed(RunOptions options) const {
  if (options.cwd == "/") options.cwd = directory_;
  if (options.network < 0) options.network = network_;
  options.env.insert(options.env.begin(), env_.begin(), env_.end());
  return options;
}

Ended Pool::cli(const std::vector<std::string>& arguments, RunOptions options) const {
  const milliseconds limit = options.limit;
  return start_cli(arguments, std::move(options)).wait(limit);
}

Process Pool::start_cli(const std::vector<std::string>& arguments, RunOptions options) const {
  std::vector<std::string> argv = {hearth_program()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Process::start(argv, completed(std::move(options)));
}

void Pool::up() {
  const Ended ended = cli({"up", "--address", "127.0.0.1", "--port", "0", "--no-invite"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err << read_text(home_ / "log");
}

void Pool::down() {
  const Ended ended = cli({"down"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

Endpoint Pool::endpoint() const {
  Endpoint endpoint;
  const bool found = eventually(kStartLimit, [&] {
    const json file = parse_file(home_ / "hub" / "endpoint.json");
    if (!file.is_object()) return false;
    endpoint.port = file.value("port", std::uint16_t{0});
    endpoint.process = file.value("pid", 0);
    endpoint.identity = from_hex(file.value("identity", "")).value_or("");
    return endpoint.port != 0 && alive(endpoint.process);
  });
  EXPECT_TRUE(found) << "the hub does not listen:\n" << read_text(home_ / "log");
  return endpoint;
}

pid_t Pool::supervisor() const {
  const int process = std::atoi(read_text(home_ / "lock").c_str());
  return process > 0 && alive(process) ? process : 0;
}

pid_t Pool::node_process() const {
  pid_t node = 0;
  const bool found = eventually(kStartLimit, [&] {
    for (const pid_t child : children_of(supervisor())) {
      if (command_line(child).find("daemon node") != std::string::npos && alive(child)) node = child;
    }
    return node != 0;
  });
  EXPECT_TRUE(found) << "no node runs:\n" << read_text(home_ / "log");
  return node;
}

bool Pool::node_connected() const {
  const json status = parse_file(home_ / "node" / "status.json");
  return status.is_object() && status.value("connected", false);
}

void Pool::await_node() const {
  const bool connected = eventually(kStartLimit, [this] { return node_connected(); });
  EXPECT_TRUE(connected) << "the node does not connect:\n" << read_text(home_ / "log");
}

void Pool::expect_nothing_left() const {
  EXPECT_TRUE(mounts_naming(home_).empty()) << mounts_naming(home_).front();
  const std::vector<std::string> groups = cgroups_of_node(home_ / "node" / "sandbox");
  EXPECT_TRUE(groups.empty()) << "a control group is left: " << groups.front();
  EXPECT_TRUE(fs::is_empty(home_.parent_path() / "tmp")) << "a temporary file is left";
  const std::string log = read_text(home_ / "log");
  for (const char* sign : {"Sanitizer", "runtime error:", "this is a bug in Hearth", "terminate called"}) {
    EXPECT_EQ(log.find(sign), std::string::npos) << log;
  }
}

PoolFixture::PoolFixture() {
  // Whatever a daemon leaves behind when it ends becomes our child, so that it can be found.
  CHECK(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
}

void PoolFixture::SetUp() {
  add_pool("main").up();
  if (HasFatalFailure()) return;
  pool().await_node();
}

Pool& PoolFixture::add_pool(const std::string& name) {
  if (pools_.empty()) {
    for (const pid_t child : children_of(::getpid())) others_.insert(child);
  }
  pools_.push_back(std::make_unique<Pool>(scratch_, name));
  return *pools_.back();
}

void PoolFixture::TearDown() {
  if (pools_.empty()) return;  // skipped before there was one
  for (const std::unique_ptr<Pool>& pool : pools_) pool->down();
  expect_no_process_left();
  for (const std::unique_ptr<Pool>& pool : pools_) pool->expect_nothing_left();
  if (!HasFailure()) return;
  for (const std::unique_ptr<Pool>& pool : pools_) std::cerr << "--- log\n" << read_text(pool->home() / "log");
}

void PoolFixture::expect_no_process_left() {
  if (eventually(seconds(10), [this] { return reap_all_but(others_); })) return;
  for (const pid_t child : children_of(::getpid())) {
    if (!others_.contains(child)) ADD_FAILURE() << "a process is left: " << child << " " << command_line(child);
  }
}

}  // namespace hearth::e2e
