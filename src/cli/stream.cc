// `hearth map --stream`: lines in, answers out, in order; waves of tasks between.
#include <csignal>
#include <cstdio>

#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "blob/parallel.h"
#include "blob/transfer.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/stream_chunks.h"
#include "cli/values.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

constexpr int kInterrupted = 130;
constexpr int kBrokenPipe = 141;
constexpr std::size_t kReadAtOnce = 1 << 20;
constexpr int kReadPatienceMillis = 50;               // lines that have waited so long go though more might join them
constexpr std::uint64_t kMostAnswerBytes = 64 << 20;  // of a chunk
constexpr std::uint64_t kMostTasks = 64;              // of a wave
constexpr std::uint64_t kWavesAtOnce = 3;             // so that nodes have work while answers travel
constexpr Duration kBetweenTries = seconds(1);
constexpr Duration kFirstLook = milliseconds(10);
constexpr Duration kLongestPause = milliseconds(100);

// What was read: nothing and not `ended`, if nothing came for a while.
struct Input {
  std::string bytes;
  bool ended = false;
};

// Blocks, but not for long.
Input read_some() {
  pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kReadPatienceMillis) <= 0) return {};
  Input input{.bytes = std::string(kReadAtOnce, '\0')};
  const ssize_t count = ::read(STDIN_FILENO, input.bytes.data(), input.bytes.size());
  input.ended = count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
  input.bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return input;
}

// Names this PC's copy of a chunk nowhere: bytes go up as blobs, and a tree of them.
class Stream {
 public:
  Stream(Client& client, RunPlan plan)
      : client_(client),
        plan_(std::move(plan)),
        transfer_(client.session().client(), client.workers(), [&client] { return client.session().last_token(); }) {}

  net::Async<Result<int>> run() {
    const Result<std::string> token = co_await client_.session().token();
    if (!token) co_return std::unexpected(token.error());
    if (Result<void> begun = co_await begin(); !begun) co_return std::unexpected(begun.error());
    Pulse pulse(client_.loop(), seconds(10), [this] { return keep_fresh(client_); });
    client_.loop().spawn(read_for_ever());
    Result<int> code = co_await pump();
    over_ = true;
    changed_.notify();
    while (waves_ > 0 || reading_) co_await changed_.wait(milliseconds(50));
    co_await pulse.stop();
    co_return code;
  }

  void interrupt() {
    if (over_) ::_exit(kInterrupted);
    interrupted_ = true;
    changed_.notify();
  }

 private:
  net::Async<Result<void>> begin() {
    if (!plan_.files.empty()) {
      ProgressLine progress;
      Result<v1::Blob> tree = co_await send_inputs(client_, plan_.files, progress);
      if (!tree) co_return std::unexpected(tree.error());
      *plan_.spec.mutable_inputs() = *tree;
    }
    const Result<v1::ListNodesReply> nodes = co_await call_patiently<v1::ListNodesReply>(
        client_.session(), "hearth.v1.NodeService/List", v1::ListNodesRequest());
    if (!nodes) co_return std::unexpected(nodes.error());
    std::uint64_t cores = 0;
    for (const v1::Node& node : nodes->nodes())
      cores += node.connected() && !node.closed() ? node.offered().cores() : 0;
    const std::uint64_t each = std::max<std::uint64_t>(1, plan_.spec.resources().cores());
    tasks_at_once_ = std::clamp<std::uint64_t>(cores / each, 1, kMostTasks);
    co_return Result<void>();
  }

  net::Async<void> read_for_ever() {
    reading_ = true;
    while (!over_ && !input_ended_) {
      if (!chunks_.wants_input()) {
        co_await changed_.wait(milliseconds(100));
        continue;
      }
      const Input input = co_await client_.workers().run(read_some);
      chunks_.add(input.bytes);
      is_quiet_ = input.bytes.empty();
      if (input.ended) {
        input_ended_ = true;
        chunks_.end_input();
      }
      changed_.notify();
    }
    reading_ = false;
    changed_.notify();
  }

  net::Async<Result<int>> pump() {
    while (true) {
      if (interrupted_) co_return kInterrupted;
      send_waves();
      Result<void> written = co_await write_answers();
      if (!written) co_return kBrokenPipe;
      if (trouble_) co_return std::unexpected(*trouble_);
      if (chunks_.all_answered_before_culprit()) {
        const Culprit& culprit = *chunks_.culprit();
        co_return fail(Code::kFailedPrecondition,
                       fmt::format("line {} (\"{}\") has no answer, alone and tried again: {}", culprit.line,
                                   culprit.text, culprit.why));
      }
      if (chunks_.done()) co_return 0;
      co_await changed_.wait(milliseconds(kReadPatienceMillis));
    }
  }

  void send_waves() {
    while (waves_ < kWavesAtOnce && chunks_.in_flight() < tasks_at_once_ * kWavesAtOnce) {
      std::vector<Chunk> wave;
      while (wave.size() < tasks_at_once_) {
        std::optional<Chunk> chunk = chunks_.next(is_quiet_ && waves_ == 0);
        if (!chunk) break;
        const bool is_probe = chunk->lines == 0;
        if (is_probe && !wave.empty()) {
          begin_wave({std::move(*chunk)});
          continue;
        }
        wave.push_back(std::move(*chunk));
        if (is_probe) break;
      }
      if (wave.empty()) return;
      begin_wave(std::move(wave));
    }
  }

  void begin_wave(std::vector<Chunk> wave) {
    ++waves_;
    client_.loop().spawn(run_wave(std::move(wave)));
  }

  net::Async<Result<void>> write_answers() {
    const std::string answers = chunks_.take_answers();
    if (answers.empty()) co_return Result<void>();
    co_return co_await client_.workers().run([&answers] { return write_all(STDOUT_FILENO, answers); });
  }

  // A hub that goes away is waited for: the wave is sent again, and counts once.
  net::Async<void> run_wave(std::vector<Chunk> wave) {
    std::uint64_t job = 0;
    Result<void> done = co_await do_wave(wave, job);
    const Time until = client_.loop().now() + kPatience;
    while (!done && !over_ && client_.loop().now() < until) {
      const bool is_stale = done.error().code == Code::kUnauthenticated;
      if (!is_stale && !is_passing(done.error())) break;
      co_await net::sleep_for(kBetweenTries);
      if (is_stale) static_cast<void>(co_await client_.session().token(true));
      if (job != 0) co_await cancel(job);
      done = co_await do_wave(wave, job);
    }
    if (!done && !over_) trouble_ = done.error();
    --waves_;
    changed_.notify();
  }

  // `id`: its job's number, once it has one.
  net::Async<Result<void>> do_wave(const std::vector<Chunk>& wave, std::uint64_t& id) {
    id = 0;
    Result<v1::Blob> tree = co_await send_chunks(wave);
    if (!tree) co_return std::unexpected(fail(tree, "sending lines").error());
    v1::SubmitRequest request;
    v1::JobSpec& spec = *request.mutable_spec();
    spec = plan_.spec;
    spec.set_tasks(static_cast<std::uint32_t>(wave.size()));
    if (wave.front().lines == 0) spec.set_retries(0);
    *spec.mutable_inputs_by_task() = *tree;
    const Result<std::uint64_t> job = co_await submit_job(client_, std::move(request));
    if (!job) co_return std::unexpected(job.error());
    id = *job;
    Result<std::vector<v1::Task>> tasks = co_await wait_for(*job);
    if (!tasks) co_return std::unexpected(tasks.error());
    if (over_) co_return Result<void>();
    if (tasks->size() != wave.size()) co_return fail(Code::kInternal, fmt::format("job {} lacks tasks", *job));
    std::vector<Result<std::string>> answers(wave.size(), std::string());
    Result<void> fetched =
        co_await blob::run_all(wave.size(), [&](std::size_t i) { return fetch((*tasks)[i], answers[i]); });
    if (!fetched) co_return std::unexpected(fail(fetched, "fetching answers").error());
    for (std::size_t i = 0; i < wave.size(); ++i) {
      const v1::Outcome& outcome = (*tasks)[i].outcome();
      if (answers[i]) {
        chunks_.answered(wave[i], std::move(*answers[i]), {static_cast<std::int64_t>(outcome.wall_micros())});
      } else {
        chunks_.died(wave[i], answers[i].error().message);
      }
    }
    co_await forget(*job);
    co_return Result<void>();
  }

  net::Async<Result<v1::Blob>> send_chunks(const std::vector<Chunk>& wave) {
    std::vector<v1::Blob> blobs(wave.size());
    Result<void> sent = co_await blob::run_all(wave.size(), [&](std::size_t i) -> net::Async<Result<void>> {
      Result<v1::Blob> blob = co_await transfer_.send_bytes(wave[i].text);
      if (blob) blobs[i] = *blob;
      co_return blob ? Result<void>() : std::unexpected(blob.error());
    });
    if (!sent) co_return std::unexpected(sent.error());
    std::map<std::string, v1::Blob> files;  // a tree is sorted by path
    for (std::size_t i = 0; i < wave.size(); ++i) files[fmt::format("{}/in", i)] = blobs[i];
    v1::Tree tree;
    for (const auto& [path, blob] : files) {
      v1::TreeFile& file = *tree.add_files();
      file.set_path(path);
      *file.mutable_blob() = blob;
    }
    co_return co_await transfer_.send_bytes(tree.SerializeAsString());
  }

  // Once it has ended; or nobody waits for it any more, and it is cancelled.
  net::Async<Result<std::vector<v1::Task>>> wait_for(std::uint64_t job) {
    for (Duration pause = kFirstLook;; pause = std::min(pause * 2, kLongestPause)) {
      co_await net::sleep_for(pause);
      if (over_) {
        co_await cancel(job);
        co_return std::vector<v1::Task>();
      }
      v1::GetJobRequest request;
      request.set_job_id(job);
      request.set_task_limit(kMostTasks);
      const Result<v1::GetJobReply> reply =
          co_await call_patiently<v1::GetJobReply>(client_.session(), "hearth.v1.JobService/Get", request);
      if (!reply) co_return std::unexpected(reply.error());
      if (has_ended(reply->job())) co_return std::vector<v1::Task>(reply->tasks().begin(), reply->tasks().end());
    }
  }

  // An error of its own is the program's; what is returned is the pool's.
  net::Async<Result<void>> fetch(const v1::Task& task, Result<std::string>& answer) {
    if (task.state() != v1::TASK_STATE_SUCCEEDED) {
      answer = fail(Code::kAborted, failure_text(task.outcome()));
      co_return Result<void>();
    }
    const Result<v1::Tree> tree = co_await transfer_.fetch_tree(task.outcome().outputs());
    if (!tree) co_return std::unexpected(tree.error());
    if (tree->files().empty() || tree->files(0).blob().size() > kMostAnswerBytes) {
      answer = fail(Code::kAborted, fmt::format("its answer is larger than {}", format_bytes(kMostAnswerBytes)));
      co_return Result<void>();
    }
    answer = co_await transfer_.fetch_bytes(tree->files(0).blob(), kMostAnswerBytes);
    co_return answer ? Result<void>() : std::unexpected(answer.error());
  }

  net::Async<void> cancel(std::uint64_t job) {
    v1::CancelRequest request;
    request.set_job_id(job);
    static_cast<void>(co_await client_.session().call<v1::CancelReply>("hearth.v1.JobService/Cancel", request));
    co_await forget(job);
  }

  // Its lines and answers are of no more use to anybody.
  net::Async<void> forget(std::uint64_t job) {
    v1::RemoveRequest request;
    request.set_job_id(job);
    static_cast<void>(co_await client_.session().call<v1::RemoveReply>("hearth.v1.JobService/Remove", request));
  }

  Client& client_;
  RunPlan plan_;
  blob::Transfer transfer_;
  StreamChunks chunks_{StreamChunks::Options{}};
  net::Event changed_;
  std::uint64_t tasks_at_once_ = 1;
  std::uint64_t waves_ = 0;
  bool reading_ = false;
  bool input_ended_ = false;
  bool is_quiet_ = false;  // nothing came for a while
  bool over_ = false;
  bool interrupted_ = false;
  std::optional<Error> trouble_;
};

}  // namespace

Result<int> map_stream(const Context& context, const MapOptions& options) {
  if (context.json || !options.files.empty() || !options.reduce.empty() || !options.to.empty()) {
    return fail(Code::kInvalidArgument,
                "--stream reads standard input and writes standard output: no FILES, --reduce, --to or --json");
  }
  RunOptions run = options.run;
  std::string program;
  if (names_local_program(options.program, program)) run.inputs.push_back(program);
  run.program = {"sh", "-c", "exec <in >out || exit\n" + options.program};
  run.outputs = {"out"};
  run.name = "map --stream";
  if (run.retries.empty()) run.retries = "1";
  Result<RunPlan> plan = plan_run(run);
  if (!plan) return std::unexpected(plan.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Stream stream(**client, std::move(*plan));
  (*client)->on_end([&stream](int) { stream.interrupt(); });
  const Result<int> code = (*client)->loop().run_until_done(stream.run());
  if (!code) return std::unexpected((*client)->explain(code.error()));
  return code;
}

}  // namespace hearth::cli
