// `hearth run`: sends a program and its files, follows it, brings its results back.
#include <csignal>
#include <filesystem>
#include <optional>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/attachment.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"
#include "cli/webhooks.h"

namespace hearth::cli {
namespace {

constexpr int kInterrupted = 130;
constexpr int kBrokenPipe = 141;
constexpr Duration kDrivePatience = seconds(30);  // for results that go into the drive
constexpr Duration kPollProgress = milliseconds(500);
constexpr Duration kQuietFor = seconds(2);
constexpr Duration kUntilTold = seconds(10);  // that a job waits, where nothing is drawn

class Run {
 public:
  Run(const Context& context, const RunOptions& options, RunPlan plan, std::optional<v1::AddWebhookRequest> webhook,
      Client& client)
      : context_(context),
        options_(options),
        plan_(std::move(plan)),
        client_(client),
        quiet_(std::make_shared<Quiet>()),
        webhook_(std::move(webhook)) {}

  net::Async<Result<int>> run() {
    // A hub that is away now is said at once; one that goes away later is waited for.
    const Result<std::string> token = co_await client_.session().token();
    if (!token) co_return std::unexpected(token.error());
    if (!plan_.spec.terminal() && is_piped_to(STDIN_FILENO)) {
      say("note: standard input stays here; a job gets files by --input, and lines by: hearth map --stream");
    }
    Result<void> sent = co_await send_inputs();
    if (!sent) co_return std::unexpected(fail(sent, "sending the inputs").error());
    Result<void> submitted = co_await submit();
    if (!submitted) co_return std::unexpected(submitted.error());
    if (interrupted_) {
      co_await cancel();
      co_return kInterrupted;
    }
    co_await add_webhook();
    if (options_.detach) {
      print(context_.json ? object_json({{"job_id", fmt::format("{}", job_)}}) : fmt::format("{}\n", job_));
      co_return 0;
    }
    say(fmt::format("job {}", job_));
    if (plan_.spec.window()) {
      say(fmt::format("its window: https://{}/#/screen/{}", client_.session().account().endpoint.text(), job_));
    }
    if (plan_.spec.web_port() != 0) {
      say(fmt::format("its page: https://{}/#/web/{}, or: hearth open {}", client_.session().account().endpoint.text(),
                      job_, job_));
    }
    if (!plan_.spec.terminal()) co_return co_await follow();
    if (!context_.json && is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO)) co_return co_await use_terminal();
    say(fmt::format("its terminal: https://{}/#/terminal/{}, or: hearth attach {}",
                    client_.session().account().endpoint.text(), job_, job_));
    co_return co_await follow();
  }

  // The first Ctrl-C cancels the job, if there may be one; the second leaves at once. timeout(1) sends SIGTERM to its
  // child and then to the whole group, and a shell and its terminal SIGHUP, so a second one of these says nothing new.
  // A text program outlives its terminal, which `hearth attach` gives it again.
  void interrupt(int signal) {
    if (interrupted_ && signal != SIGINT) return;
    if (attachment_ && signal == SIGHUP) return;
    quiet_->progress.clear();
    if (attachment_) attachment_->restore_terminal();
    if (interrupted_ || !submitting_) {
      if (job_ != 0) say(fmt::format("left job {} alone: hearth job {}", job_, job_));
      ::_exit(kInterrupted);
    }
    interrupted_ = true;
    say("cancelling the job (Ctrl-C once more leaves at once)");
    if (job_ != 0) client_.loop().spawn(cancel());
  }

 private:
  net::Async<Result<void>> send_inputs() {
    if (plan_.files.empty()) co_return Result<void>();
    Result<v1::Blob> tree = co_await cli::send_inputs(client_, plan_.files, quiet_->progress);
    if (!tree) co_return std::unexpected(tree.error());
    *plan_.spec.mutable_inputs() = *tree;
    co_return Result<void>();
  }

  net::Async<Result<void>> submit() {
    v1::SubmitRequest request;
    *request.mutable_spec() = plan_.spec;
    submitting_ = true;
    const Result<std::uint64_t> job = co_await submit_job(client_, std::move(request));
    if (!job) co_return std::unexpected(job.error());
    job_ = *job;
    submitted_ = client_.loop().now();
    co_return Result<void>();
  }

  // A job that has ended meanwhile is told of all the same.
  net::Async<void> add_webhook() {
    if (!webhook_) co_return;
    webhook_->set_job_id(job_);
    const Result<v1::AddWebhookReply> reply =
        co_await call_patiently<v1::AddWebhookReply>(client_.session(), "hearth.v1.WebhookService/Add", *webhook_);
    if (!reply) {
      say(fmt::format("warning: job {} runs, but nobody will be told of its end: {}", job_,
                      client_.explain(reply.error()).message));
    } else if (webhook_->secret().empty()) {
      say(fmt::format("its end is told to {}, signed by {}", plain(reply->webhook().url()), reply->secret()));
    }
  }

  net::Async<Result<int>> follow() {
    Pulse pulse(client_.loop(), kPollProgress, [this] { return look(); });
    const Result<void> followed = co_await follow_logs(client_,
                                                       {.job = job_,
                                                        .tasks = {},
                                                        .follow = true,
                                                        .prefix = prefix(),
                                                        .stdout_file = context_.json ? STDERR_FILENO : STDOUT_FILENO},
                                                       quiet_);
    co_await pulse.stop();
    quiet_->progress.clear();
    // What reads our output has gone: like a program of this PC, the job ends with its pipe.
    if (!followed && followed.error().code == Code::kCanceled) {
      co_await cancel();
      co_return kBrokenPipe;
    }
    while (cancelling_) co_await net::sleep_for(milliseconds(20));
    if (interrupted_) co_return kInterrupted;
    if (!followed) {
      co_return std::unexpected(
          fail(followed, fmt::format("job {} goes on, but cannot be followed (hearth job {})", job_, job_)).error());
    }
    co_return co_await conclude();
  }

  // This terminal is the program's.
  net::Async<Result<int>> use_terminal() {
    say("Ctrl-] leaves it, and the program goes on");
    attachment_ = std::make_shared<Attachment>(client_, job_);
    const Result<Attachment::End> end = co_await attachment_->run();
    while (cancelling_) co_await net::sleep_for(milliseconds(20));
    if (interrupted_) co_return kInterrupted;
    if (!end) co_return std::unexpected(end.error());
    if (end->how == Attachment::End::How::kLeft) {
      say(fmt::format("left job {}, which goes on: hearth attach {}", job_, job_));
      co_return end->exit_code;
    }
    for (;;) {
      const Result<v1::Job> job = co_await fetch_job(client_, job_);
      if (!job && !is_passing(job.error())) co_return std::unexpected(job.error());
      if (job && has_ended(*job)) break;
      co_await net::sleep_for(milliseconds(100));
    }
    co_return co_await conclude();
  }

  LogPrinter::Prefix prefix() const {
    return plan_.spec.tasks() > 1 ? LogPrinter::Prefix::kTask : LogPrinter::Prefix::kNone;
  }

  // Draws how far the job is, where that disturbs nothing.
  net::Async<void> look() {
    const bool quiet = client_.loop().now() - quiet_->last_output > kQuietFor && !quiet_->within_line;
    const bool draws = is_terminal(STDERR_FILENO);
    const bool tells = !draws && !told_ && client_.loop().now() - submitted_ > kUntilTold;
    if (interrupted_ || (draws ? plan_.spec.tasks() == 1 && !quiet : !tells)) co_return;
    v1::GetJobRequest request;
    request.set_job_id(job_);
    const Result<v1::GetJobReply> reply =
        co_await client_.session().call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    if (!reply) {
      quiet_->progress.show("the hub is away; waiting for it ...");
      co_return;
    }
    if (draws) {
      quiet_->progress.show(progress_text(reply->job()));
      co_return;
    }
    told_ = true;
    if (waits(reply->job())) say(progress_text(reply->job()));
  }

  static std::uint32_t ended_of(const v1::Job& job) { return job.succeeded() + job.failed() + job.cancelled(); }
  static bool waits(const v1::Job& job) { return job.running() == 0 && ended_of(job) < job.spec().tasks(); }

  static std::string progress_text(const v1::Job& job) {
    const std::uint32_t total = job.spec().tasks();
    const std::uint32_t ended = ended_of(job);
    std::string text = total > 1 ? fmt::format("{}  {} of {} tasks", progress_bar(ended, total, 30), ended, total)
                                 : fmt::format("job {}", job.id());
    if (job.running() > 0) text += fmt::format(", {} running", job.running());
    if (job.failed() > 0) text += fmt::format(", {} failed", job.failed());
    if (waits(job)) text += fmt::format(", waiting (why: hearth why {})", job.id());
    if (job.seconds_left() >= 0) text += fmt::format(", {} left", format_duration(seconds(job.seconds_left())));
    return text;
  }

  net::Async<void> cancel() {
    cancelling_ = true;
    v1::CancelRequest request;
    request.set_job_id(job_);
    const Result<v1::CancelReply> reply =
        co_await client_.session().call<v1::CancelReply>("hearth.v1.JobService/Cancel", request);
    cancelling_ = false;
    if (reply) co_return;
    say(fmt::format("job {} could not be cancelled ({}); try again with: hearth cancel {}", job_, reply.error().message,
                    job_));
    ::_exit(kInterrupted);
  }

  net::Async<Result<int>> conclude() {
    Result<v1::Job> job = co_await fetch_job(client_, job_);
    const bool is_for_drive = !plan_.spec.drive_outputs().empty() && job && job->succeeded() > 0;
    const Time patience = client_.loop().now() + kDrivePatience;
    while (is_for_drive && job && job->drive_outputs_due() && job->drive_outputs_trouble().empty() &&
           client_.loop().now() < patience) {
      co_await net::sleep_for(milliseconds(100));
      job = co_await fetch_job(client_, job_);
    }
    if (!job) co_return std::unexpected(job.error());
    FetchedResults results;
    int code = exit_code_of(*job);
    if (code == 0 && !job->drive_outputs_trouble().empty()) code = 1;
    if (!plan_.spec.outputs().empty() && plan_.spec.drive_outputs().empty()) {
      Result<FetchedResults> fetched = co_await fetch_results(
          client_,
          {.job = job_, .task = {}, .directory = std::filesystem::current_path(), .replaces = options_.replace});
      if (!fetched) {
        say(fmt::format("error: the results could not be fetched ({}); try again with: hearth get {}",
                        client_.explain(fetched.error()).message, job_));
        if (code == 0) code = 1;
      } else {
        results = std::move(*fetched);
      }
    }
    report(*job, results, code);
    co_return code;
  }

  // Where its results are that go into the drive.
  static std::string drive_text(const v1::Job& job) {
    const std::string folder = plain(job.spec().drive_outputs());
    const std::string trouble = drive_trouble_text(job);
    if (!trouble.empty()) return "error: " + trouble;
    return job.drive_outputs_due()
               ? fmt::format("its results go into {} of the drive, and are not all there yet", folder)
               : fmt::format("its results are in {} of the drive", folder);
  }

  void report(const v1::Job& job, const FetchedResults& results, int code) const {
    for (const std::string& warning : results.warnings) say("warning: " + warning);
    if (job.state() == v1::JOB_STATE_CANCELLED) say(fmt::format("job {} was cancelled", job_));
    const std::string failure = failure_text(job.first_failure());
    if (const std::string text = failure_text(job); !text.empty()) say(text);
    if (!results.files.empty()) {
      say(fmt::format("{} {} written here", results.files.size(), results.files.size() == 1 ? "result" : "results"));
    }
    if (!plan_.spec.drive_outputs().empty() && job.succeeded() > 0) say(drive_text(job));
    if (context_.json) {
      print(object_json({{"job_id", fmt::format("{}", job_)},
                         {"state", v1::JobState_Name(job.state())},
                         {"exit_code", std::int64_t{code}},
                         {"failure", failure},
                         {"results", results.files},
                         {"kept", results.kept},
                         {"drive_trouble", job.drive_outputs_trouble()}}));
    }
  }

  const Context& context_;
  const RunOptions& options_;
  RunPlan plan_;
  Client& client_;
  std::shared_ptr<Quiet> quiet_;
  std::optional<v1::AddWebhookRequest> webhook_;
  std::shared_ptr<Attachment> attachment_;  // while this terminal is the program's
  std::uint64_t job_ = 0;
  Time submitted_;
  bool told_ = false;  // where nothing is drawn: that it waits
  bool submitting_ = false;
  bool interrupted_ = false;
  bool cancelling_ = false;
};

// What --webhook asks for, without the job's number.
Result<std::optional<v1::AddWebhookRequest>> webhook_of(const RunOptions& options) {
  if (options.webhook.empty() && !options.webhook_secret.empty()) {
    return fail(Code::kInvalidArgument, "--webhook-secret: it belongs to a --webhook URL, which is not given");
  }
  if (options.webhook.empty()) return std::nullopt;
  WebhookOptions wanted;
  wanted.url = options.webhook;
  wanted.secret_file = options.webhook_secret;
  Result<v1::AddWebhookRequest> request = webhook_request(wanted);
  if (!request) return std::unexpected(fail(request, "--webhook").error());
  return std::move(*request);
}

}  // namespace

Result<int> run_job(const Context& context, const RunOptions& options) {
  Result<RunPlan> plan = plan_run(options);
  if (!plan) return std::unexpected(plan.error());
  return run_plan(context, options, std::move(*plan));
}

Result<int> run_plan(const Context& context, const RunOptions& options, RunPlan plan) {
  for (const std::string& note : plan.notes) say(note);
  const Result<std::optional<v1::AddWebhookRequest>> webhook = webhook_of(options);
  if (!webhook) return std::unexpected(webhook.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Run run(context, options, std::move(plan), *webhook, **client);
  (*client)->on_end([&run](int signal) { run.interrupt(signal); });
  const Result<int> code = (*client)->loop().run_until_done(run.run());
  if (!code) return std::unexpected((*client)->explain(code.error()));
  return code;
}

}  // namespace hearth::cli
