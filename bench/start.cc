// From Submit to the program's start on an idle node: the real hub and the real node, each a process of its own, over
// TLS on loopback. The program is `date +%s%N`, which tells when it ran (on the same clock), so its own loading counts
// and the way back does not. After every job the same program starts in a sandbox of the benchmark's own: what the
// fence takes by itself.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>

#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/benches.h"
#include "bench/world.h"
#include "hearth/v1/jobs.pb.h"
#include "node/node.h"
#include "sandbox/sandbox.h"

namespace hearth::bench {
namespace {

constexpr std::uint64_t kMemory = 64ULL << 20;

std::int64_t clock_nanos() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// A node in a child process, on an empty directory that is removed at the end.
class NodeProcess {
 public:
  NodeProcess() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hearth-bench-node.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~NodeProcess() {
    if (process_ > 0) {
      kill(process_, SIGTERM);  // not SIGKILL: it has control groups to remove
      waitpid(process_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  net::IdentityKey make_key() const {
    auto key = net::IdentityKey::load_or_create(directory_ / "identity.pem");
    if (!key) give_up(key.error().message);
    return std::move(*key);
  }
  void run(const account::Account& account) {
    if (Result<void> saved = account::save_account(directory_, account); !saved) give_up(saved.error().message);
    process_ = in_child([this] {
      set_log_level(LogLevel::kError);
      node::run({.directory = directory_});
    });
  }

  std::filesystem::path sandbox_directory() const { return directory_ / "own-sandbox"; }

 private:
  std::filesystem::path directory_;
  pid_t process_ = -1;
};

struct JobTimes {
  double start_millis = 0;  // Submit to the program's own words
  double end_millis = 0;    // Submit to the end of the job's log at the client
};

net::Async<JobTimes> run_job(account::Session& owner) {
  v1::SubmitRequest request;
  request.mutable_spec()->add_argv("/bin/date");
  request.mutable_spec()->add_argv("+%s%N");
  request.mutable_spec()->set_tasks(1);
  request.mutable_spec()->mutable_resources()->set_memory_bytes(kMemory);
  request.set_request_id(net::random_bytes(16));
  const std::int64_t begin = clock_nanos();
  auto submitted = co_await owner.call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
  if (!submitted) give_up(submitted.error().message);
  v1::LogsRequest logs;
  logs.set_job_id(submitted->job_id());
  logs.set_follow(true);
  std::string text;
  Result<void> followed =
      co_await net::call_stream<v1::LogsReply>(owner.client(), "hearth.v1.JobService/Logs", owner.last_token(), logs,
                                               [&text](const v1::LogsReply& reply) -> net::Async<Result<void>> {
                                                 for (const v1::LogRecord& record : reply.records())
                                                   text += record.data();
                                                 co_return Result<void>();
                                               });
  if (!followed) give_up(followed.error().message);
  const std::int64_t end = clock_nanos();
  const std::int64_t started = std::strtoll(text.c_str(), nullptr, 10);
  if (started <= begin || started >= end) give_up("the program printed no time: " + text);
  co_return JobTimes{.start_millis = static_cast<double>(started - begin) / 1e6,
                     .end_millis = static_cast<double>(end - begin) / 1e6};
}

double start_in_own_sandbox(sandbox::Host& host, std::size_t number) {
  const std::int64_t begin = clock_nanos();
  auto box = host.prepare(std::to_string(number), {.memory_bytes = kMemory, .scratch_bytes = kMemory}, {});
  if (!box) give_up(box.error().message);
  std::string text;
  std::promise<void> ended;
  Result<void> started = (*box)->start(
      {.argv = {"/bin/date", "+%s%N"}}, [&text](sandbox::Stream, std::string_view piece) { text += piece; },
      [&ended](const sandbox::Exit&) { ended.set_value(); });
  if (!started) give_up(started.error().message);
  ended.get_future().wait();
  return static_cast<double>(std::strtoll(text.c_str(), nullptr, 10) - begin) / 1e6;
}

double percentile(std::vector<double>& values, double part) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace

int start(const Arguments& arguments) {
  const std::size_t jobs = std::max<std::size_t>(1, arguments.get("--jobs", 200));
  NodeProcess node;
  std::vector<net::IdentityKey> keys;
  keys.push_back(node.make_key());
  const HubProcess hub(std::move(keys));
  node.run(hub.node_account(0));
  auto host = sandbox::Host::open({.state_directory = node.sandbox_directory()});
  if (!host) give_up(host.error().message);

  net::Loop loop;
  net::Workers workers(1);
  account::Session owner(loop, workers, hub.owner_account(), hub.owner_key());
  loop.run_until_done(wait_for_nodes(owner, 1));
  std::vector<double> starts;
  std::vector<double> ends;
  std::vector<double> own;
  constexpr std::size_t kWarmUp = 3;
  for (std::size_t i = 0; i < jobs + kWarmUp; ++i) {
    JobTimes times;
    loop.run_until_done([](account::Session& session, JobTimes& into) -> net::Async<void> {
      into = co_await run_job(session);
    }(owner, times));
    const double alone = start_in_own_sandbox(**host, i);
    if (i < kWarmUp) continue;
    starts.push_back(times.start_millis);
    ends.push_back(times.end_millis);
    own.push_back(alone);
  }
  const double above = percentile(starts, 0.5) - percentile(own, 0.5);
  std::printf(
      "start jobs=%zu start_p50_ms=%.2f start_p99_ms=%.2f sandbox_p50_ms=%.2f sandbox_p99_ms=%.2f above_p50_ms=%.2f "
      "end_p50_ms=%.2f end_p99_ms=%.2f\n",
      jobs, percentile(starts, 0.5), percentile(starts, 0.99), percentile(own, 0.5), percentile(own, 0.99), above,
      percentile(ends, 0.5), percentile(ends, 0.99));
  return 0;
}

}  // namespace hearth::bench
