// `hearth map`: one job over many files, each of them its own task's alone, and one job over all results.
#include <csignal>
#include <filesystem>
#include <set>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/follow.h"
#include "cli/map_script.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr int kInterrupted = 130;
constexpr std::size_t kMostFiles = 100'000;   // of a Tree
constexpr std::size_t kMostReduced = 10'000;  // trees of results that one task is given
constexpr std::uint32_t kMostNamed = 10;
constexpr Duration kPollProgress = milliseconds(500);

std::unexpected<Error> wrong(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

// In the order given, a folder's by name.
Result<std::vector<blob::LocalFile>> find_files(const MapOptions& options) {
  if (options.files.empty()) return wrong("no file is given: hearth map PROGRAM FILES..., or --stream for lines");
  const Result<std::vector<blob::LocalFile>> all = blob::scan_inputs(options.files, options.run.excluded);
  if (!all) return std::unexpected(all.error());
  std::vector<blob::LocalFile> files;
  std::set<std::string> known;
  for (const std::string& name : options.files) {
    const Result<std::vector<blob::LocalFile>> some = blob::scan_inputs({name}, options.run.excluded);
    if (!some) return std::unexpected(some.error());
    for (const blob::LocalFile& file : *some) {
      if (known.insert(file.tree_path).second) files.push_back(file);
    }
  }
  const std::size_t most = options.reduce.empty() ? kMostFiles : kMostReduced;
  if (files.empty()) return wrong("the folders hold no file");
  if (files.size() > most) {
    return wrong(fmt::format("{} files are given; at most {} are allowed{}", format_count(files.size()),
                             format_count(most), options.reduce.empty() ? "" : " with --reduce"));
  }
  return files;
}

// A job that a shell's script makes, with the program that its line begins with where that is a file here.
Result<RunPlan> plan_script(RunOptions options, const std::string& line, const std::string& script) {
  std::string program;
  if (names_local_program(line, program)) options.inputs.push_back(program);
  if (options.name.empty()) options.name = line.substr(0, line.find_first_of(" \t\n")).substr(0, 100);
  if (options.name.empty()) return wrong("the program is empty");
  options.program = {"sh", "-c", script};
  return plan_run(options);
}

Result<void> refuse_what_is_there(const std::filesystem::path& directory, const std::vector<blob::LocalFile>& files) {
  for (const blob::LocalFile& file : files) {
    std::error_code failure;
    const std::filesystem::path result = directory / file.tree_path;
    if (!std::filesystem::exists(std::filesystem::symlink_status(result, failure))) continue;
    return fail(Code::kFailedPrecondition,
                fmt::format("{} is there already; --replace replaces it, --to DIR writes elsewhere", result.string()));
  }
  return {};
}

class Map {
 public:
  Map(const Context& context, const MapOptions& options, Client& client, std::vector<blob::LocalFile> files,
      RunPlan map, std::optional<RunPlan> reduce)
      : context_(context),
        options_(options),
        client_(client),
        files_(std::move(files)),
        map_(std::move(map)),
        reduce_(std::move(reduce)),
        quiet_(std::make_shared<Quiet>()) {}

  net::Async<Result<int>> run() {
    // A hub that is away now is said at once; one that goes away later is waited for.
    const Result<std::string> token = co_await client_.session().token();
    if (!token) co_return std::unexpected(token.error());
    Result<void> started = co_await start();
    if (!started) co_return std::unexpected(started.error());
    say(reduce_ ? fmt::format("job {}, then job {}", job_, reduce_job_) : fmt::format("job {}", job_));
    Result<void> followed = co_await follow(job_, true);
    if (!followed) co_return std::unexpected(followed.error());
    Result<v1::Job> job = co_await fetch_job(client_, job_);
    if (!job) co_return std::unexpected(job.error());
    int code = job->state() == v1::JOB_STATE_SUCCEEDED ? 0 : 1;
    if (code != 0) co_await name_failures(*job);
    Result<void> fetched = co_await fetch();
    if (!fetched) co_return std::unexpected(fetched.error());
    if (reduce_ && code == 0) {
      Result<int> reduced = co_await conclude_reduction();
      if (!reduced) co_return reduced;
      code = *reduced;
    }
    report(*job, code);
    co_return interrupted_ ? kInterrupted : code;
  }

  // The first Ctrl-C cancels what was submitted, the second leaves at once. Of the other signals as in run.cc.
  void interrupt(int signal) {
    if (interrupted_ && signal != SIGINT) return;
    quiet_->progress.clear();
    if (interrupted_ || job_ == 0) ::_exit(kInterrupted);
    interrupted_ = true;
    say("cancelling (Ctrl-C once more leaves at once)");
    client_.loop().spawn(cancel());
  }

 private:
  net::Async<Result<void>> start() {
    std::vector<blob::LocalFile> own;
    for (std::size_t i = 0; i < files_.size(); ++i)
      own.push_back({fmt::format("{}/{}", i, files_[i].tree_path), files_[i].source});
    Result<v1::Blob> tree = co_await send_inputs(client_, std::move(own), quiet_->progress);
    if (!tree) co_return std::unexpected(fail(tree, "sending the files").error());
    *map_.spec.mutable_inputs_by_task() = *tree;
    Result<std::uint64_t> job = co_await submit(map_);
    if (!job) co_return std::unexpected(job.error());
    job_ = *job;
    if (!reduce_) co_return Result<void>();
    reduce_->spec.add_after(job_);
    Result<std::uint64_t> last = co_await submit(*reduce_);
    if (last) reduce_job_ = *last;
    if (!last) co_await cancel();
    co_return last ? Result<void>() : std::unexpected(last.error());
  }

  net::Async<Result<std::uint64_t>> submit(RunPlan& plan) {
    if (!plan.files.empty()) {
      Result<v1::Blob> tree = co_await send_inputs(client_, plan.files, quiet_->progress);
      if (!tree) co_return std::unexpected(fail(tree, "sending the inputs").error());
      *plan.spec.mutable_inputs() = *tree;
    }
    v1::SubmitRequest request;
    *request.mutable_spec() = plan.spec;
    request.set_even_if_never_run(true);
    co_return co_await submit_job(client_, std::move(request));
  }

  net::Async<Result<void>> follow(std::uint64_t job, bool many) {
    Pulse pulse(client_.loop(), kPollProgress, [this, job] { return look(job); });
    Result<void> followed = co_await follow_logs(
        client_,
        {.job = job,
         .tasks = {},
         .follow = true,
         .prefix = many && files_.size() > 1 ? LogPrinter::Prefix::kTask : LogPrinter::Prefix::kNone,
         .stdout_file = context_.json ? STDERR_FILENO : STDOUT_FILENO},
        quiet_);
    co_await pulse.stop();
    quiet_->progress.clear();
    if (followed) co_return followed;
    co_return fail(followed, fmt::format("job {} goes on, but cannot be followed (hearth job {})", job, job));
  }

  net::Async<void> look(std::uint64_t id) {
    if (!is_terminal(STDERR_FILENO) || interrupted_) co_return;
    v1::GetJobRequest request;
    request.set_job_id(id);
    const Result<v1::GetJobReply> reply =
        co_await client_.session().call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    if (!reply) co_return;
    const v1::Job& job = reply->job();
    const std::uint32_t ended = job.succeeded() + job.failed() + job.cancelled();
    quiet_->progress.show(fmt::format("{}  {} of {}, {} running", progress_bar(ended, job.spec().tasks(), 30), ended,
                                      job.spec().tasks(), job.running()));
  }

  net::Async<void> name_failures(const v1::Job& job) {
    v1::GetJobRequest request;
    request.set_job_id(job_);
    request.set_task_limit(kMostNamed);
    request.set_only_failed(true);
    const Result<v1::GetJobReply> reply =
        co_await call_patiently<v1::GetJobReply>(client_.session(), "hearth.v1.JobService/Get", request);
    if (!reply) co_return;
    say(fmt::format("{} of {} files failed (hearth job {}):", job.failed() + job.cancelled(), files_.size(), job_));
    for (const v1::Task& task : reply->tasks()) {
      if (task.index() >= files_.size()) continue;
      say(fmt::format("  {}: {}", plain(files_[task.index()].tree_path), failure_text(task.outcome())));
    }
  }

  net::Async<Result<void>> fetch() {
    if (reduce_ && options_.to.empty()) co_return Result<void>();
    if (!options_.replace) {
      // Somebody may have written one meanwhile.
      if (Result<void> free = refuse_what_is_there(directory(), files_); !free) {
        co_return fail(free, fmt::format("the results stay in the pool (hearth get {})", job_));
      }
    }
    Result<FetchedResults> fetched = co_await fetch_results(client_, {.job = job_,
                                                                      .task = {},
                                                                      .directory = directory(),
                                                                      .below = std::string(kMapResults),
                                                                      .of_good_tasks = true,
                                                                      .replaces = true});
    if (!fetched) co_return fail(fetched, fmt::format("fetching the results; try again with: hearth get {}", job_));
    results_ = std::move(*fetched);
    say(fmt::format("{} {} written to {}", results_.files.size(), results_.files.size() == 1 ? "result" : "results",
                    directory().string()));
    co_return Result<void>();
  }

  std::filesystem::path directory() const { return options_.to.empty() ? "results" : options_.to; }

  net::Async<Result<int>> conclude_reduction() {
    Result<void> followed = co_await follow(reduce_job_, false);
    if (!followed) co_return std::unexpected(followed.error());
    const Result<v1::Job> job = co_await fetch_job(client_, reduce_job_);
    if (!job) co_return std::unexpected(job.error());
    if (job->state() == v1::JOB_STATE_SUCCEEDED) co_return 0;
    say(fmt::format("--reduce, job {}, failed: {}", reduce_job_, failure_text(job->first_failure())));
    const int code = exit_code_of(job->first_failure());
    co_return code == 0 ? 1 : code;
  }

  net::Async<void> cancel() {
    for (const std::uint64_t job : {reduce_job_, job_}) {
      if (job == 0) continue;
      v1::CancelRequest request;
      request.set_job_id(job);
      const Result<v1::CancelReply> reply =
          co_await client_.session().call<v1::CancelReply>("hearth.v1.JobService/Cancel", request);
      if (!reply) say(fmt::format("job {} could not be cancelled; try: hearth cancel {}", job, job));
    }
  }

  void report(const v1::Job& job, int code) const {
    for (const std::string& warning : results_.warnings) say("warning: " + warning);
    if (!context_.json) return;
    print(object_json({{"job_id", fmt::format("{}", job_)},
                       {"reduce_job_id", fmt::format("{}", reduce_job_)},
                       {"state", v1::JobState_Name(job.state())},
                       {"exit_code", std::int64_t{code}},
                       {"directory", reduce_ && options_.to.empty() ? "" : directory().string()},
                       {"results", results_.files}}));
  }

  const Context& context_;
  const MapOptions& options_;
  Client& client_;
  std::vector<blob::LocalFile> files_;
  RunPlan map_;
  std::optional<RunPlan> reduce_;
  std::shared_ptr<Quiet> quiet_;
  std::uint64_t job_ = 0;
  std::uint64_t reduce_job_ = 0;
  FetchedResults results_;
  bool interrupted_ = false;
};

Result<RunPlan> plan_reduction(const MapOptions& options, const std::vector<blob::LocalFile>& files,
                               const MemoryFile& list) {
  Result<RunPlan> plan = plan_script(options.run, options.reduce, reduce_script(options.reduce));
  if (!plan) return std::unexpected(fail(plan, "--reduce").error());
  std::vector<std::string> names;
  for (const blob::LocalFile& file : files) names.push_back(file.tree_path);
  if (Result<void> written = list.write(reduce_list(names)); !written) return std::unexpected(written.error());
  plan->files.push_back({std::string(kReduceList), list.path()});
  return plan;
}

}  // namespace

Result<int> map_files(const Context& context, const MapOptions& options) {
  const Result<std::vector<blob::LocalFile>> files = find_files(options);
  if (!files) return std::unexpected(files.error());
  const std::filesystem::path directory = options.to.empty() ? "results" : options.to;
  std::error_code failure;
  if (std::filesystem::exists(directory, failure) && !std::filesystem::is_directory(directory, failure)) {
    return wrong(fmt::format("--to {}: it is no folder, and results are files in one", plain(directory.string())));
  }
  if (!options.replace && (options.reduce.empty() || !options.to.empty())) {
    if (Result<void> free = refuse_what_is_there(directory, *files); !free) return std::unexpected(free.error());
  }
  RunOptions each = options.run;
  each.count = fmt::format("{}", files->size());
  each.outputs = {std::string(kMapResults) + "**"};
  Result<RunPlan> map = plan_script(each, options.program, map_script(options.program));
  if (!map) return std::unexpected(map.error());
  const MemoryFile list("hearth-results");
  std::optional<RunPlan> reduce;
  if (!options.reduce.empty()) {
    Result<RunPlan> plan = plan_reduction(options, *files, list);
    if (!plan) return std::unexpected(plan.error());
    reduce = std::move(*plan);
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Map work(context, options, **client, *files, std::move(*map), std::move(reduce));
  (*client)->on_end([&work](int signal) { work.interrupt(signal); });
  const Result<int> code = (*client)->loop().run_until_done(work.run());
  if (!code) return std::unexpected((*client)->explain(code.error()));
  return code;
}

}  // namespace hearth::cli
