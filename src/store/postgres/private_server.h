// A PostgreSQL server for tests: its own directory, reached by a socket there alone, run by a user without privileges,
// ended by its process id, and by the kernel should the test die.
//
//   Result<std::unique_ptr<PrivateServer>> server = PrivateServer::start();   // kUnavailable: not installed
//   open_postgres({.url = (*server)->url()});
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/result.h"

namespace hearth::store {

class PrivateServer {
 public:
  // Where else than at its socket it listens: for everybody there.
  struct Place {
    int network = -1;  // a namespace's descriptor; -1: this thread's
    std::string address;
    std::uint16_t port = 5432;  // of its socket too
  };

  // Where Debian keeps a version's programs; empty: none is installed.
  static std::filesystem::path programs() {
    std::filesystem::path newest;
    std::error_code absent;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", absent)) {
      if (std::filesystem::exists(version.path() / "bin/initdb") && version.path() > newest) newest = version.path();
    }
    return newest.empty() ? newest : newest / "bin";
  }

  static Result<std::unique_ptr<PrivateServer>> start() { return start(Place()); }
  static Result<std::unique_ptr<PrivateServer>> start(const Place& place) {
    if (programs().empty()) return fail(Code::kUnavailable, "PostgreSQL is not installed");
    std::unique_ptr<PrivateServer> server(new PrivateServer(place));
    const std::string data = server->data();
    if (!server->run({"initdb", "-D", data, "-U", "hearth", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"})) {
      return fail(Code::kInternal, "initdb failed, see " + server->log());
    }
    if (!place.address.empty()) {
      std::ofstream(data + "/pg_hba.conf", std::ios::app)
          << "host all all samenet trust\nhost replication all samenet trust\n";
    }
    server->resume();
    return server;
  }

  // An empty directory for one that is to follow another: start it with resume() once there is something in data().
  static std::unique_ptr<PrivateServer> prepare() { return prepare(Place()); }
  static std::unique_ptr<PrivateServer> prepare(const Place& place) {
    return std::unique_ptr<PrivateServer>(new PrivateServer(place));
  }

  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer() {
    stop(SIGINT);
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
  }

  std::string url() const { return "postgresql:///postgres?user=hearth&host=" + directory_; }
  const Place& place() const { return place_; }
  pid_t process() const { return process_; }
  std::string data() const { return directory_ + "/data"; }
  std::string log() const { return directory_ + "/log"; }

  // Ends it as it is told: SIGINT in order, SIGQUIT at once; SIGKILL as a power cut would end its processes.
  void stop(int signal) {
    if (process_ <= 0) return;
    ::kill(process_, signal);
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = 0;
  }

  // Starts it (again), and waits until it answers.
  void resume() {
    process_ = spawn({"postgres", "-D", data(), "-k", directory_, "-p", std::to_string(place_.port), "-c",
                      "listen_addresses=" + place_.address, "-c", "max_connections=40"});
    for (int tries = 0; tries < 600; ++tries) {
      if (run({"pg_isready", "-q", "-h", directory_})) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    CHECK(false);
  }

  const std::string& directory() const { return directory_; }  // of its socket too

  // Runs one of the server's programs, or another by its path, as its user, to whom it is psql's server; whether it
  // succeeded.
  bool run(const std::vector<std::string>& command) {
    int status = 0;
    const pid_t process = spawn(command);
    CHECK(::waitpid(process, &status, 0) == process);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  explicit PrivateServer(Place place) : place_(std::move(place)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "hearth-postgres-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    // PostgreSQL refuses to run as root.
    const passwd* user = ::getuid() != 0 ? nullptr : ::getpwnam("nobody");
    if (user == nullptr) return;
    user_ = user->pw_uid;
    group_ = user->pw_gid;
    CHECK(::chown(directory_.c_str(), user_, group_) == 0);
  }

  pid_t spawn(const std::vector<std::string>& command) {
    const std::string program = programs() / command.front();
    const std::vector<std::string> variables = {"PATH=" + programs().string() + ":/usr/bin:/bin",
                                                "PGHOST=" + directory_, "PGPORT=" + std::to_string(place_.port),
                                                "PGUSER=hearth", "HOME=" + directory_};
    const std::vector<char*> arguments = pointers(command);
    const std::vector<char*> environment = pointers(variables);
    const std::string log_file = log();
    const pid_t process = ::fork();
    if (process != 0) return process;
    if (place_.network >= 0 && ::setns(place_.network, CLONE_NEWNET) != 0) ::_exit(126);
    if (user_ != 0 && (::setgroups(0, nullptr) != 0 || ::setgid(group_) != 0 || ::setuid(user_) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    const int output = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    if (::chdir(directory_.c_str()) == 0) ::execve(program.c_str(), arguments.data(), environment.data());
    ::_exit(127);
  }

  static std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }

  Place place_;
  std::string directory_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  pid_t process_ = 0;
};

}  // namespace hearth::store
