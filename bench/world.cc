#include "bench/world.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/bytes.h"
#include "base/log.h"
#include "base/sizes.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/nodes.pb.h"
#include "hearth/v1/session.pb.h"

namespace hearth::bench {
namespace {

constexpr Duration kBeat = seconds(3);

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_of_usage(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

std::vector<net::IdentityKey> generate_keys(std::size_t count) {
  std::vector<net::IdentityKey> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(net::IdentityKey::generate());
  return keys;
}

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void give_up(const std::string& message) {
  std::fprintf(stderr, "hearth-bench: %s\n", message.c_str());
  std::exit(1);
}

Spent spent_by_self() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return {.cpu = cpu_of_usage(RUSAGE_SELF) + cpu_of_usage(RUSAGE_CHILDREN),
          .wall = std::chrono::duration<double>(now).count()};
}

double cpu_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t resident_bytes_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

pid_t in_child(const std::function<void()>& function) {
  std::fflush(nullptr);
  const pid_t process = fork();
  if (process < 0) give_up("fork failed");
  if (process > 0) return process;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a benchmark that gives up leaves nothing running
  function();
  std::fflush(nullptr);
  _exit(0);
}

void kill_and_wait(pid_t process) {
  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
}

HubProcess::HubProcess(std::size_t nodes) : HubProcess(generate_keys(nodes)) {}

HubProcess::HubProcess(std::vector<net::IdentityKey> node_keys) : node_keys_(std::move(node_keys)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "hearth-bench.XXXXXX").string();
  directory_ = mkdtemp(pattern.data());
  owner_key_ = std::make_unique<net::IdentityKey>(net::IdentityKey::generate());
  int report[2];
  if (pipe(report) != 0) give_up("pipe failed");
  process_ = in_child([&] {
    close(report[0]);
    run_hub(report[1]);
  });
  close(report[1]);
  read_facts(report[0]);
}

HubProcess::~HubProcess() {
  kill_and_wait(process_);
  std::filesystem::remove_all(directory_);
}

void HubProcess::run_hub(int report) const {
  set_log_level(LogLevel::kError);
  net::Loop loop;
  hub::Options options{.directory = directory_, .address = "127.0.0.1", .port = 0, .pool_name = "bench"};
  options.local_devices.push_back({"owner", false, owner_key_->public_key_spki()});
  for (const net::IdentityKey& key : node_keys_) {
    options.local_devices.push_back({"node " + to_hex(net::sha256(key.public_key())), true, key.public_key_spki()});
  }
  Result<std::unique_ptr<hub::Hub>> hub = hub::Hub::start(loop, options);
  if (!hub) give_up(hub.error().message);
  std::ostringstream facts;
  facts << (*hub)->port() << ' ' << to_hex((*hub)->identity_key());
  for (const hub::LocalDevice& device : options.local_devices)
    facts << ' ' << (*hub)->local_device(device.key_spki).value;
  const std::string text = facts.str();
  if (write(report, text.data(), text.size()) < 0) give_up("could not report");
  close(report);
  loop.run();
}

void HubProcess::read_facts(int report) {
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(report, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  close(report);
  std::istringstream facts(text);
  std::string identity;
  facts >> facts_.port >> identity;
  facts_.identity = from_hex(identity).value_or("");
  for (DeviceId id; facts >> id.value;) facts_.devices.push_back(id);
  if (facts_.devices.size() != node_keys_.size() + 1) give_up("the hub did not start");
}

account::Account HubProcess::owner_account() const {
  return {.endpoint = {"127.0.0.1", facts_.port}, .hub_identity = facts_.identity, .device = facts_.devices[0]};
}

account::Account HubProcess::node_account(std::size_t node) const {
  return {.endpoint = {"127.0.0.1", facts_.port}, .hub_identity = facts_.identity, .device = facts_.devices[node + 1]};
}

net::Async<std::unique_ptr<net::WebSocket>> open_node_session(account::Session& session, std::uint32_t cores) {
  Result<std::string> token = co_await session.token();
  if (!token) give_up(token.error().message);
  net::Headers headers;
  headers.add("Authorization", "Bearer " + *token);
  auto socket = co_await session.client().websocket("/session", headers, "hearth-node.1", kMiB);
  if (!socket) give_up(socket.error().message);
  v1::NodeFrame hello;
  hello.mutable_hello()->mutable_offered()->set_cores(cores);
  hello.mutable_hello()->mutable_offered()->set_memory_bytes(cores * kGiB);
  v1::Admission& home = *hello.mutable_hello()->add_admits();
  home.set_ring(v1::RING_HOME);
  home.set_host_files(true);
  if (Result<void> sent = co_await (*socket)->write(hello.SerializeAsString()); !sent) give_up(sent.error().message);
  co_return std::move(*socket);
}

net::Async<void> be_instant_node(account::Session& session) {
  auto socket = co_await open_node_session(session, 4);
  while (true) {
    Result<std::string> message = co_await socket->read(kBeat);
    if (!message && message.error().code != Code::kDeadlineExceeded) co_return;
    v1::HubFrame frame;
    v1::NodeFrame answer;
    if (!message) answer.mutable_heartbeat();
    if (message) frame.ParseFromString(*message);
    for (const v1::Assign& assign : frame.assign()) *answer.add_finished()->mutable_attempt() = assign.attempt();
    const bool says = answer.finished_size() > 0 || answer.has_heartbeat();
    if (says && !co_await socket->write(answer.SerializeAsString())) co_return;
  }
}

net::Async<void> beat(net::WebSocket& socket) {
  v1::NodeFrame frame;
  frame.mutable_heartbeat();
  while (co_await socket.write(frame.SerializeAsString())) co_await net::sleep_for(kBeat);
}

net::Async<void> run_job(account::Session& owner, std::uint32_t tasks) {
  v1::SubmitRequest request;
  request.mutable_spec()->add_argv("no-op");
  request.mutable_spec()->set_tasks(tasks);
  request.set_request_id(net::random_bytes(16));
  auto submitted = co_await owner.call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
  if (!submitted) give_up(submitted.error().message);
  v1::GetJobRequest get;
  get.set_job_id(submitted->job_id());
  while (true) {
    auto reply = co_await owner.call<v1::GetJobReply>("hearth.v1.JobService/Get", get);
    if (!reply) give_up(reply.error().message);
    if (reply->job().succeeded() == tasks) co_return;
    co_await net::sleep_for(milliseconds(5));
  }
}

net::Async<void> wait_for_nodes(account::Session& owner, std::size_t count) {
  while (true) {
    auto status = co_await owner.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
    if (!status) give_up(status.error().message);
    if (status->nodes_connected() >= count) co_return;
    co_await net::sleep_for(milliseconds(10));
  }
}

}  // namespace hearth::bench
