// `hearth submit`: the jobs of a plan, each after those that it needs.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr int kInterrupted = 130;
constexpr Duration kBetweenLooks = milliseconds(300);

// A job that is ready to be sent, but for the numbers of those that it runs after.
struct Prepared {
  PlannedJob planned;
  RunPlan run;
};

Result<std::string> read_file(const std::string& name) {
  std::error_code failure;
  if (std::filesystem::is_directory(name, failure)) {
    return fail(Code::kInvalidArgument, fmt::format("{}: it is a folder; a plan is a file", plain(name)));
  }
  std::ifstream file(name);
  const bool is_input = name == "-";
  std::istream& stream = is_input ? std::cin : file;
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!is_input && !file.is_open())
    return fail(Code::kNotFound, fmt::format("{}: there is no such file here", plain(name)));
  return text;
}

// Reads the files that the plan names; their paths are relative to the plan's own.
Result<std::vector<Prepared>> prepare(const Plan& plan, const std::string& file) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code failure;
  if (!folder.empty()) std::filesystem::current_path(folder, failure);
  if (failure) return fail(Code::kPermissionDenied, fmt::format("{}: {}", folder.string(), failure.message()));
  std::vector<Prepared> prepared;
  for (const PlannedJob& job : plan.jobs) {
    RunOptions options = job.options;
    if (!job.needs.empty()) options.after = {"1"};  // so that programs may come out of the jobs before
    std::string program;
    const bool is_script = options.program.size() == 3 && options.program[0] == "sh" && options.program[1] == "-c";
    if (is_script && names_local_program(options.program[2], program)) options.inputs.push_back(program);
    Result<RunPlan> run = plan_run(options);
    if (!run) return std::unexpected(fail(run, fmt::format("{}:{}: {}", file, job.line, job.name)).error());
    for (const std::string& note : run->notes) say(fmt::format("{}: {}", job.name, note));
    run->spec.clear_after();
    prepared.push_back({job, std::move(*run)});
  }
  return prepared;
}

void print_plan(const Context& context, const std::vector<Prepared>& jobs, const std::vector<std::uint64_t>& numbers) {
  std::vector<PlanRow> rows;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    PlanRow row{.name = jobs[i].planned.name,
                .job = i < numbers.size() ? numbers[i] : 0,
                .tasks = jobs[i].run.spec.tasks(),
                .needs = {},
                .when = jobs[i].planned.options.when,
                .program = {jobs[i].run.spec.argv().begin(), jobs[i].run.spec.argv().end()}};
    for (const std::size_t need : jobs[i].planned.needs) row.needs.push_back(jobs[need].planned.name);
    rows.push_back(std::move(row));
  }
  if (context.json) {
    print(plan_json(rows));
    return;
  }
  Table table({{"JOB", true}, {"NAME"}, {"TASKS", true}, {"NEEDS"}, {"WHEN"}});
  for (const PlanRow& row : rows) {
    table.add({row.job == 0 ? "-" : fmt::format("{}", row.job), row.name, fmt::format("{}", row.tasks),
               row.needs.empty() ? "-" : fmt::format("{}", fmt::join(row.needs, ", ")),
               row.needs.empty() ? "-" : (row.when.empty() ? "success" : row.when)});
  }
  print(table.text());
}

class Submission {
 public:
  Submission(Client& client, std::vector<Prepared>& jobs) : client_(client), jobs_(jobs) {}

  const std::vector<std::uint64_t>& numbers() const { return numbers_; }

  // All of them, or none that goes on.
  net::Async<Result<void>> send() {
    // A hub that is away now is said at once; one that goes away later is waited for.
    const Result<std::string> token = co_await client_.session().token();
    if (!token) co_return std::unexpected(token.error());
    for (Prepared& job : jobs_) {
      if (job.run.files.empty()) continue;
      Result<v1::Blob> tree = co_await send_inputs(client_, job.run.files, progress_);
      if (!tree) co_return std::unexpected(fail(tree, job.planned.name + ": sending the inputs").error());
      *job.run.spec.mutable_inputs() = *tree;
    }
    for (const Prepared& job : jobs_) {
      v1::SubmitRequest request;
      *request.mutable_spec() = job.run.spec;
      for (const std::size_t need : job.planned.needs) request.mutable_spec()->add_after(numbers_[need]);
      request.set_even_if_never_run(true);
      const Result<std::uint64_t> number = co_await submit_job(client_, std::move(request));
      if (!number) {
        co_await take_back();
        co_return std::unexpected(fail(number, job.planned.name + " (and so nothing of the plan runs)").error());
      }
      numbers_.push_back(*number);
    }
    co_return Result<void>();
  }

  // Tells of every change until all have ended. True: none failed or was cancelled.
  net::Async<Result<bool>> follow() {
    std::vector<v1::JobState> states(jobs_.size(), v1::JOB_STATE_UNSPECIFIED);
    bool good = true;
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        if (states[i] >= v1::JOB_STATE_SUCCEEDED) continue;
        const Result<v1::Job> job = co_await fetch_job(client_, numbers_[i]);
        if (!job) co_return std::unexpected(job.error());
        if (job->state() != states[i]) say(line_of(jobs_[i].planned, *job));
        states[i] = job->state();
        goes_on = goes_on || !has_ended(*job);
        const bool is_bad = job->state() == v1::JOB_STATE_FAILED || job->state() == v1::JOB_STATE_CANCELLED;
        if (is_bad && job->first_failure().reason() != v1::FAILURE_REASON_SKIPPED) good = false;
      }
      if (goes_on) co_await net::sleep_for(kBetweenLooks);
    }
    co_return good;
  }

 private:
  static std::string line_of(const PlannedJob& planned, const v1::Job& job) {
    const std::string why = failure_text(job.first_failure());
    return fmt::format("job {}  {}: {}{}", job.id(), planned.name, state_name(job.state()),
                       why.empty() ? "" : " (" + why + ")");
  }

  net::Async<void> take_back() {
    for (auto number = numbers_.rbegin(); number != numbers_.rend(); ++number) {
      v1::CancelRequest request;
      request.set_job_id(*number);
      const Result<v1::CancelReply> reply =
          co_await client_.session().call<v1::CancelReply>("hearth.v1.JobService/Cancel", request);
      if (!reply) say(fmt::format("job {} could not be cancelled; try: hearth cancel {}", *number, *number));
    }
  }

  Client& client_;
  std::vector<Prepared>& jobs_;
  std::vector<std::uint64_t> numbers_;
  ProgressLine progress_;
};

}  // namespace

Result<int> submit_plan(const Context& context, const SubmitOptions& options) {
  const Result<std::string> text = read_file(options.file);
  if (!text) return std::unexpected(text.error());
  const Result<Plan> plan = parse_plan(*text, options.file);
  if (!plan) return std::unexpected(plan.error());
  Result<std::vector<Prepared>> jobs = prepare(*plan, options.file);
  if (!jobs) return std::unexpected(jobs.error());
  if (options.dry_run) {
    print_plan(context, *jobs, {});
    return 0;
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Submission submission(**client, *jobs);
  const Result<void> sent = (*client)->loop().run_until_done(submission.send());
  if (!sent) return std::unexpected((*client)->explain(sent.error()));
  print_plan(context, *jobs, submission.numbers());
  if (!options.follow) return 0;
  (*client)->loop().on_signal({SIGINT, SIGTERM}, [](int) {
    say("the plan's jobs go on: hearth jobs");
    ::_exit(kInterrupted);
  });
  const Result<bool> good = (*client)->loop().run_until_done(submission.follow());
  if (!good) return std::unexpected((*client)->explain(good.error()));
  return *good ? 0 : 1;
}

}  // namespace hearth::cli
