// Jobs: lists, details, logs, results.
#include <algorithm>
#include <filesystem>

#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr Range kListed = {1, 1000};
constexpr Range kTaskIndex = {0, 999'999};

std::string state_of(const v1::Job& job) { return state_name(job.state()); }

// "TASK_STATE_RUNNING" -> "running"
std::string state_of(const v1::Task& task) {
  std::string word = v1::TaskState_Name(task.state()).substr(std::string_view("TASK_STATE_").size());
  std::ranges::transform(word, word.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return word;
}

std::string name_of(const v1::Job& job) {
  if (!job.spec().name().empty()) return job.spec().name();
  return job.spec().argv().empty() ? "-" : std::filesystem::path(job.spec().argv(0)).filename().string();
}

// "12 of 24, 1 failed"
std::string tasks_of(const v1::Job& job) {
  std::string text = fmt::format("{} of {}", job.succeeded(), job.spec().tasks());
  if (job.running() > 0) text += fmt::format(", {} running", job.running());
  if (job.copies() > 0) text += fmt::format(" ({} of them twice, see hearth why {})", job.copies(), job.id());
  if (job.failed() > 0) text += fmt::format(", {} failed", job.failed());
  return text;
}

std::string took(const v1::Moment& started, const v1::Moment& ended) {
  if (started.unix_millis() == 0) return "-";
  const std::int64_t end = ended.unix_millis() != 0 ? ended.unix_millis() : wall_now().unix_millis;
  return format_duration(milliseconds(std::max<std::int64_t>(0, end - started.unix_millis())));
}

// By its node's clock where that is known: the hub has seen no start of what ran while it was away.
std::string took(const v1::Task& task) {
  const std::uint64_t micros = task.outcome().wall_micros();
  return micros > 0 ? format_duration(Duration{static_cast<std::int64_t>(micros)}) : took(task.started(), task.ended());
}

std::string left_of(const v1::Job& job) {
  if (job.ended().unix_millis() != 0 || job.seconds_left() < 0) return "-";
  return format_duration(seconds(job.seconds_left()));
}

std::string command_of(const v1::Job& job) {
  std::string text;
  for (const std::string& argument : job.spec().argv()) text += (text.empty() ? "" : " ") + argument;
  constexpr std::size_t kMost = 100;
  return text.size() <= kMost ? text : text.substr(0, kMost) + " ...";
}

void print_job(const v1::Job& job) {
  const WallTime now = wall_now();
  std::string text = fmt::format("Job {}  {}\n", job.id(), plain(name_of(job)));
  text += fmt::format("  state      {}\n", state_of(job));
  text += fmt::format("  program    {}\n", plain(command_of(job)));
  text += fmt::format("  tasks      {}\n", tasks_of(job));
  text += fmt::format("  asked by   {}, {}\n", plain(job.owner()), format_age({job.submitted().unix_millis()}, now));
  text += fmt::format("  took       {}\n", took(job.started(), job.ended()));
  if (left_of(job) != "-") text += fmt::format("  left       {}\n", left_of(job));
  const std::string failure = failure_text(job.first_failure());
  const bool is_skipped = job.first_failure().reason() == v1::FAILURE_REASON_SKIPPED;
  if (!failure.empty()) text += fmt::format("  {}    {}\n", is_skipped ? "why    " : "failure", failure);
  if (const std::string trouble = drive_trouble_text(job); !trouble.empty()) text += "  drive      " + trouble + "\n";
  print(text);
}

std::string outcome_of(const v1::Task& task) {
  const std::string failure = failure_text(task.outcome());
  return failure.empty() ? "-" : failure;
}

// What went through the node's proxy: of a job with the full network nothing is counted.
void print_tasks(const v1::Job& job, const std::vector<v1::Task>& tasks) {
  const bool counts = job.spec().net_hosts_size() > 0;
  std::vector<Table::Column> columns = {{"TASK", true},  {"STATE"},      {"NODE"},
                                        {"TRIES", true}, {"TOOK", true}, {"MEMORY", true}};
  if (counts) columns.insert(columns.end(), {{"SENT", true}, {"RECEIVED", true}});
  columns.push_back({"REMARK"});
  Table table(std::move(columns));
  for (const v1::Task& task : tasks) {
    const v1::Outcome& outcome = task.outcome();
    std::vector<std::string> cells = {
        fmt::format("{}", task.index()),
        state_of(task),
        task.node().empty() ? "-" : task.node(),
        fmt::format("{}", task.attempts()),
        took(task),
        outcome.peak_memory_bytes() == 0 ? "-" : format_bytes(outcome.peak_memory_bytes())};
    if (counts) {
      const bool has_ended = task.has_outcome();
      cells.push_back(has_ended ? format_bytes(outcome.net_bytes_sent()) : "-");
      cells.push_back(has_ended ? format_bytes(outcome.net_bytes_received()) : "-");
    }
    cells.push_back(task.copy_node().empty() ? outcome_of(task) : "a copy runs on " + plain(task.copy_node()));
    table.add(std::move(cells));
  }
  if (!table.empty()) print("\n" + table.text());
}

Result<std::uint32_t> task_limit(const JobOptions& options) {
  constexpr std::uint32_t kShownByDefault = 50;
  if (options.limit.empty()) return kShownByDefault;
  const Result<std::uint64_t> limit = parse_count("--limit", options.limit, kListed);
  if (!limit) return std::unexpected(limit.error());
  return static_cast<std::uint32_t>(*limit);
}

// The others may well be removed.
bool concerns_this_job(Code refusal) {
  return refusal == Code::kNotFound || refusal == Code::kPermissionDenied || refusal == Code::kFailedPrecondition;
}

Result<std::optional<std::uint32_t>> one_task(const JobOptions& options) {
  if (options.task.empty()) return std::optional<std::uint32_t>();
  const Result<std::uint64_t> task = parse_count("--task", options.task, kTaskIndex);
  if (!task) return std::unexpected(task.error());
  return std::optional<std::uint32_t>(static_cast<std::uint32_t>(*task));
}

Result<v1::Job> look_at_job(Client& client, std::uint64_t id) {
  v1::GetJobRequest request;
  request.set_job_id(id);
  Result<v1::GetJobReply> reply = client.call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
  if (!reply) return std::unexpected(reply.error());
  return std::move(*reply->mutable_job());
}

Result<void> check_task(const std::optional<std::uint32_t>& task, const v1::Job& job) {
  const std::uint32_t tasks = job.spec().tasks();
  if (!task || *task < tasks) return {};
  return fail(Code::kInvalidArgument, tasks == 1
                                          ? fmt::format("--task {}: job {} has one task, number 0", *task, job.id())
                                          : fmt::format("--task {}: job {} has {} tasks, numbers 0 to {}", *task,
                                                        job.id(), format_count(tasks), tasks - 1));
}

// The failed ones first, then the others from the first on.
Result<std::vector<v1::Task>> tasks_failures_first(Client& client, std::uint64_t job, const v1::GetJobReply& first) {
  std::vector<v1::Task> tasks;
  if (first.job().failed() > 0) {
    v1::GetJobRequest request;
    request.set_job_id(job);
    request.set_only_failed(true);
    request.set_task_limit(20);
    const Result<v1::GetJobReply> failed = client.call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    if (!failed) return std::unexpected(failed.error());
    for (const v1::Task& task : failed->tasks()) {
      if (task.state() == v1::TASK_STATE_FAILED) tasks.push_back(task);
    }
  }
  const std::size_t failures = tasks.size();
  for (const v1::Task& task : first.tasks()) {
    const auto shown = tasks.begin() + static_cast<std::ptrdiff_t>(failures);
    if (std::find_if(tasks.begin(), shown, [&](const v1::Task& seen) { return seen.index() == task.index(); }) ==
        shown) {
      tasks.push_back(task);
    }
  }
  return tasks;
}

}  // namespace

Result<int> list_jobs(const Context& context, const JobOptions& options) {
  v1::ListJobsRequest request;
  request.set_limit(20);
  if (!options.limit.empty()) {
    const Result<std::uint64_t> limit = parse_count("--limit", options.limit, kListed);
    if (!limit) return std::unexpected(limit.error());
    request.set_limit(static_cast<std::uint32_t>(*limit));
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListJobsReply> reply = (*client)->call<v1::ListJobsReply>("hearth.v1.JobService/List", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table(
      {{"JOB", true}, {"NAME"}, {"STATE"}, {"TASKS DONE"}, {"ASKED BY"}, {"ASKED"}, {"TOOK", true}, {"LEFT", true}});
  for (const v1::Job& job : reply->jobs()) {
    table.add({fmt::format("{}", job.id()), name_of(job), state_of(job), tasks_of(job), job.owner(),
               format_age({job.submitted().unix_millis()}, wall_now()), took(job.started(), job.ended()),
               left_of(job)});
  }
  if (table.empty() && reply->own_only()) {
    say("no jobs of this device, and it is shown no others': only devices of ring home are; the first one: hearth run "
        "-- echo hello");
  } else if (table.empty()) {
    say("no jobs yet; the first one: hearth run -- echo hello");
  }
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> show_job(const Context& context, const JobOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::uint32_t> limit = task_limit(options);
  if (!limit) return std::unexpected(limit.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::GetJobRequest request;
  request.set_job_id(*job);
  request.set_task_limit(*limit);
  const Result<v1::GetJobReply> reply = (*client)->call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  const Result<std::vector<v1::Task>> tasks = tasks_failures_first(**client, *job, *reply);
  if (!tasks) return std::unexpected(tasks.error());
  print_job(reply->job());
  print_tasks(reply->job(), *tasks);
  if (reply->job().spec().tasks() > *limit) {
    say(fmt::format("{} of {} tasks are shown; up to 1000 with --limit", *limit, reply->job().spec().tasks()));
  }
  return 0;
}

Result<int> show_logs(const Context& context, const JobOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::optional<std::uint32_t>> task = one_task(options);
  if (!task) return std::unexpected(task.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Job> known = look_at_job(**client, *job);
  if (!known) return std::unexpected(known.error());
  if (const Result<void> checked = check_task(*task, *known); !checked) return std::unexpected(checked.error());
  FollowOptions follow = {.job = *job, .tasks = {}, .follow = options.follow, .prefix = LogPrinter::Prefix::kNone};
  if (task->has_value()) follow.tasks.push_back(**task);
  if (follow.tasks.empty() && known->spec().tasks() > 1) follow.prefix = LogPrinter::Prefix::kTask;
  const Result<void> followed =
      (*client)->loop().run_until_done(follow_logs(**client, follow, std::make_shared<Quiet>()));
  if (!followed && followed.error().code != Code::kCanceled)
    return std::unexpected((*client)->explain(followed.error()));
  // A task that could not start has said nothing.
  if (const Result<v1::Job> ended = look_at_job(**client, *job); followed && ended) {
    if (const std::string text = failure_text(*ended); !text.empty()) say(text);
    if (!options.follow && !has_ended(*ended)) {
      say(
          fmt::format("job {0} has not ended: what its tasks print while they run is on their nodes, and shown by: "
                      "hearth logs {0} --follow",
                      *job));
    }
  }
  return 0;
}

Result<int> cancel_job(const Context& context, const JobOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::CancelRequest request;
  request.set_job_id(*job);
  const Result<v1::CancelReply> reply = (*client)->call<v1::CancelReply>("hearth.v1.JobService/Cancel", request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) print(message_json(*reply));
  const std::string state = state_name(reply->state());
  say(fmt::format("job {} {}", *job, reply->state() == v1::JOB_STATE_CANCELLED ? "is cancelled" : "is " + state));
  return 0;
}

Result<int> remove_jobs(const Context& context, const JobOptions& options) {
  std::vector<std::uint64_t> jobs;
  for (const std::string& typed : options.jobs) {
    const Result<std::uint64_t> job = parse_job(typed);
    if (!job) return std::unexpected(job.error());
    jobs.push_back(*job);
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  std::vector<std::string> removed;
  std::size_t refused = 0;
  for (const std::uint64_t job : jobs) {
    v1::RemoveRequest request;
    request.set_job_id(job);
    const Result<v1::RemoveReply> reply = (*client)->call<v1::RemoveReply>("hearth.v1.JobService/Remove", request);
    if (reply) {
      removed.push_back(std::to_string(job));
      say(fmt::format("job {} is removed", job));
    } else if (concerns_this_job(reply.error().code)) {
      ++refused;
      say("error: " + reply.error().message);
    } else {
      return std::unexpected(reply.error());
    }
  }
  if (context.json) print(object_json({{"removed", removed}}));
  return refused == 0 ? 0 : 1;
}

Result<int> get_results(const Context& context, const JobOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::optional<std::uint32_t>> task = one_task(options);
  if (!task) return std::unexpected(task.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  if (task->has_value()) {
    const Result<v1::Job> known = look_at_job(**client, *job);
    if (!known) return std::unexpected(known.error());
    if (const Result<void> checked = check_task(*task, *known); !checked) return std::unexpected(checked.error());
  }
  const std::filesystem::path directory =
      options.to.empty() ? std::filesystem::current_path() : std::filesystem::path(options.to);
  const Result<FetchedResults> fetched = (*client)->loop().run_until_done(
      fetch_results(**client, {.job = *job, .task = *task, .directory = directory, .replaces = options.replace}));
  if (!fetched) return std::unexpected((*client)->explain(fetched.error()));
  for (const std::string& warning : fetched->warnings) say("warning: " + warning);
  if (fetched->files.empty())
    say(fmt::format("job {} has no results (yet): what --output names, once a task has ended", *job));
  if (context.json) {
    print(object_json({{"directory", directory.string()}, {"results", fetched->files}, {"kept", fetched->kept}}));
    return 0;
  }
  for (const std::string& file : fetched->files) print((directory / file).lexically_normal().string() + "\n");
  return 0;
}

Result<int> why(const Context& context, const JobOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::WhyRequest request;
  request.set_job_id(*job);
  const Result<v1::WhyReply> reply = (*client)->call<v1::WhyReply>("hearth.v1.JobService/Why", request);
  if (!reply) return std::unexpected(reply.error());
  print(context.json ? message_json(*reply) : plain(reply->sentence()) + "\n");
  return 0;
}

}  // namespace hearth::cli
