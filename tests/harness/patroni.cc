#include "harness/patroni.h"

#include <csignal>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int kServers = 2;
constexpr const char* kSuperuser = "over";  // the servers' passwords, which live as long as the test
constexpr const char* kReplicator = "along";
constexpr const char* kHub = "hub";

// PostgreSQL refuses to run as root.
std::vector<std::string> as_ordinary_user(std::vector<std::string> command) {
  if (::geteuid() != 0) return command;
  std::vector<std::string> words = {"setpriv", "--reuid",        "nobody",      "--regid",
                                    "nogroup", "--clear-groups", "--pdeathsig", "TERM"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

fs::path recipe() { return fs::path(HEARTH_PROTO_DIRECTORY) / "../../../packaging/patroni/configure"; }

}  // namespace

std::string PatroniCluster::lack() {
  for (const char* program : {"patroni", "etcd", "psql"}) {
    if (::access((fs::path("/usr/bin") / program).c_str(), X_OK) != 0)
      return std::string(program) + " is not installed";
  }
  return "";
}

PatroniCluster::PatroniCluster(const Network& network) {
  std::string pattern = (fs::temp_directory_path() / "hearth-patroni-XXXXXX").string();
  CHECK(::mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  fs::permissions(directory_, fs::perms(0755));
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    Host& host = hosts_[i];
    const int pc = static_cast<int>(i);
    host.address = network.address(pc);
    host.space = network.space(pc);
    host.directory = directory_ / fmt::format("pc{}", i + 1);
    for (std::optional<HeldPort>* port : {&host.etcd_port, &host.etcd_peer_port, &host.server_port, &host.rest_port}) {
      port->emplace(network.hold_port(pc));
    }
    fs::create_directory(host.directory);
    fs::permissions(host.directory, fs::perms(0777));
  }
  for (Host& host : hosts_) start_etcd(host);
  for (int i = 0; i < kServers; ++i) start_patroni(hosts_[static_cast<std::size_t>(i)]);
  EXPECT_TRUE(eventually(seconds(120), [this] { return is_whole(); })) << logs();
  const Host& first = hosts_[leader() == 1 ? 1 : 0];
  for (const std::string& sql : {fmt::format("CREATE ROLE hearth LOGIN PASSWORD '{}'", kHub),
                                 std::string("CREATE DATABASE hearth OWNER hearth")}) {
    EXPECT_TRUE(ask(first.address, std::to_string(first.server_port->number()), sql)) << logs();
  }
}

PatroniCluster::~PatroniCluster() {
  for (int host = 0; host < static_cast<int>(hosts_.size()); ++host) lose(host);
  std::error_code error;
  fs::remove_all(directory_, error);
}

std::string PatroniCluster::url() const {
  return fmt::format("postgresql://hearth:{}@{}:{},{}:{}/hearth", kHub, hosts_[0].address,
                     hosts_[0].server_port->number(), hosts_[1].address, hosts_[1].server_port->number());
}

std::string PatroniCluster::each_of_etcd(const std::string& form) const {
  std::string text;
  for (const Host& host : hosts_) {
    text += (text.empty() ? "" : ",") +
            fmt::format(fmt::runtime(form), fmt::arg("name", host.directory.filename().string()),
                        fmt::arg("address", host.address), fmt::arg("port", host.etcd_port->number()),
                        fmt::arg("peer", host.etcd_peer_port->number()));
  }
  return text;
}

void PatroniCluster::start_etcd(Host& host) {
  const std::string client = fmt::format("http://{}:{}", host.address, host.etcd_port->number());
  const std::string peer = fmt::format("http://{}:{}", host.address, host.etcd_peer_port->number());
  host.etcd.emplace(Process::start(
      as_ordinary_user({"etcd", "--name", host.directory.filename(), "--data-dir", host.directory / "etcd",
                        "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                        "--initial-advertise-peer-urls", peer, "--initial-cluster-state", "new", "--initial-cluster",
                        each_of_etcd("{name}=http://{address}:{peer}")}),
      {.cwd = host.directory, .network = host.space}));
}

void PatroniCluster::start_patroni(Host& host) {
  const std::string name = host.directory.filename();
  const Ended made = run_program({recipe(), name, fmt::format("{}:{}", host.address, host.server_port->number()),
                                  host.directory / "data", each_of_etcd("{address}:{port}"),
                                  std::to_string(host.rest_port->number())});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  write_text(host.directory / "patroni.yml", made.out);
  host.patroni.emplace(Process::start(as_ordinary_user({"patroni", host.directory / "patroni.yml"}),
                                      {.cwd = host.directory,
                                       .env = {{"HOME", host.directory},
                                               {"PATRONI_SUPERUSER_PASSWORD", kSuperuser},
                                               {"PATRONI_REPLICATION_PASSWORD", kReplicator}},
                                       .network = host.space}));
}

void PatroniCluster::start(int host) {
  start_etcd(hosts_[static_cast<std::size_t>(host)]);
  if (host < kServers) start_patroni(hosts_[static_cast<std::size_t>(host)]);
}

pid_t PatroniCluster::server_of(const Host& host) const {
  const pid_t server = std::atoi(read_text(host.directory / "data" / "postmaster.pid").c_str());
  if (server <= 1 || command_line(server).find(host.directory.string()) == std::string::npos) return 0;
  servers_.insert(server);
  return server;
}

void PatroniCluster::reap() const {
  for (const Host& host : hosts_) static_cast<void>(server_of(host));
  std::erase_if(servers_,
                [](pid_t server) { return ::waitpid(server, nullptr, WNOHANG) == server || ::kill(server, 0) != 0; });
}

std::vector<pid_t> PatroniCluster::processes(int host) const {
  const Host& asked = hosts_[static_cast<std::size_t>(host)];
  std::vector<pid_t> roots = {server_of(asked)};
  for (const auto* process : {&asked.etcd, &asked.patroni}) {
    if (*process) roots.push_back((*process)->pid());
  }
  std::vector<pid_t> found;
  for (const pid_t root : roots) {
    if (root == 0) continue;
    const std::vector<pid_t> all = with_descendants(root);
    found.insert(found.end(), all.begin(), all.end());
  }
  return found;
}

void PatroniCluster::lose(int host) {
  Host& lost = hosts_[static_cast<std::size_t>(host)];
  const pid_t server = server_of(lost);
  for (const pid_t process : processes(host)) ::kill(process, SIGKILL);
  lost.patroni.reset();
  lost.etcd.reset();
  EXPECT_TRUE(eventually(seconds(10), [&] {
    reap();
    return !servers_.contains(server);
  }));
}

std::optional<std::string> PatroniCluster::ask(const std::string& hosts, const std::string& ports,
                                               const std::string& sql) const {
  const Ended ended = run_program({"psql", "-XAtq", "-h", hosts, "-p", ports, "-U", "postgres", "-d",
                                   "dbname=postgres target_session_attrs=read-write connect_timeout=2", "-c", sql},
                                  {.env = {{"PGPASSWORD", kSuperuser}}, .limit = seconds(10)});
  return ended.exit_code == 0 ? std::optional(ended.out) : std::nullopt;
}

int PatroniCluster::leader() const {
  for (int host = 0; host < kServers; ++host) {
    const Host& one = hosts_[static_cast<std::size_t>(host)];
    if (ask(one.address, std::to_string(one.server_port->number()), "SELECT 1")) return host;
  }
  return -1;
}

// By Patroni's own word: PostgreSQL calls a server synchronous before Patroni has written down that it may be promoted.
bool PatroniCluster::is_whole() const {
  reap();
  const int first = leader();
  if (first < 0) return false;
  const Host& asked = hosts_[static_cast<std::size_t>(first)];
  const Ended ended = run_program({"curl", "--silent", "--max-time", "2",
                                   fmt::format("http://{}:{}/cluster", asked.address, asked.rest_port->number())});
  return ended.out.contains("\"role\": \"sync_standby\"");
}

std::string PatroniCluster::logs() const {
  std::string text;
  for (const Host& host : hosts_) {
    for (const auto* process : {&host.etcd, &host.patroni}) {
      if (!*process) continue;
      const std::string said = (*process)->out() + (*process)->err();
      text += said.substr(said.size() > 3000 ? said.size() - 3000 : 0) + "\n";
    }
  }
  return text;
}

}  // namespace hearth::e2e
