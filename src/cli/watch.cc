// `hearth watch`: what happens in the pool, line by line, for as long as the hub is there or comes back.
#include <unistd.h>

#include <fmt/format.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/watch_events.h"

namespace hearth::cli {
namespace {

constexpr std::uint32_t kPage = 1'000;
constexpr int kBrokenPipe = 141;

class Watch {
 public:
  Watch(const Context& context, std::vector<std::uint64_t> jobs, Client& client)
      : context_(context), jobs_(std::move(jobs)), client_(client), events_(jobs_) {}

  net::Async<Result<int>> run() {
    // A hub that is away now is said at once; one that goes away later is waited for.
    if (const Result<std::string> token = co_await client_.session().token(); !token) {
      co_return std::unexpected(token.error());
    }
    for (const std::uint64_t job : jobs_) {
      const Result<v1::Job> now = co_await fetch_job(client_, job);
      if (!now) co_return std::unexpected(now.error());
      tell(events_.take_job(*now));
    }
    if (!events_.all_ended()) {
      const Result<void> ended = co_await follow();
      if (unread_) co_return kBrokenPipe;
      if (!ended && !events_.all_ended()) co_return std::unexpected(ended.error());
    }
    co_return events_.exit_code();
  }

 private:
  net::Async<Result<void>> follow() {
    v1::WatchRequest request;
    request.set_failed_attempts(true);
    co_return co_await stream_patiently(
        client_, [this, request](std::string token, std::function<void()> alive) -> net::Async<Result<void>> {
          // The hub ends a stream when it stops in good order, which is no end of what is watched.
          Result<void> done = co_await net::call_stream<v1::WatchReply>(
              client_.session().client(), "hearth.v1.NodeService/Watch", token, request,
              [this, alive](const v1::WatchReply& reply) -> net::Async<Result<void>> {
                alive();
                return take(reply);
              });
          co_return done ? fail(Code::kUnavailable, "the hub ended the stream") : done;
        });
  }

  net::Async<Result<void>> take(const v1::WatchReply& reply) {
    if (reply.snapshot()) {
      if (Result<void> caught_up = co_await catch_up(reply); !caught_up) co_return caught_up;
    }
    tell(events_.take(reply, wall_now()));
    has_watched_ = true;
    if (reply.untold_attempts() > 0) {
      say(fmt::format("{} more attempts failed, faster than they could be told", reply.untold_attempts()));
    }
    if (unread_ || events_.all_ended()) co_return fail(Code::kCanceled, "nothing is left to watch");
    co_return Result<void>();
  }

  // What happened while there was no stream.
  net::Async<Result<void>> catch_up(const v1::WatchReply& snapshot) {
    for (const std::uint64_t job : events_.live()) {
      v1::GetJobRequest request;
      request.set_job_id(job);
      request.set_task_limit(kPage);
      request.set_only_failed(true);
      const Result<v1::GetJobReply> reply =
          co_await client_.session().call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
      if (!reply && reply.error().code != Code::kNotFound) co_return std::unexpected(reply.error());
      if (!reply) {
        tell(events_.take_removed(job, wall_now()));
        continue;
      }
      // What failed before anybody watched is no news.
      const auto failures = events_.take_failures(reply->job(), {reply->tasks().begin(), reply->tasks().end()});
      if (has_watched_) tell(failures);
      tell(events_.take_job(reply->job()));
    }
    const std::optional<WatchEvents::Missed> missed = events_.missed(snapshot);
    if (!missed) co_return Result<void>();
    std::vector<v1::Job> jobs;
    v1::ListJobsRequest request;
    request.set_limit(kPage);
    request.set_before_id(missed->before);
    while (request.before_id() > missed->after + 1) {
      const Result<v1::ListJobsReply> reply =
          co_await client_.session().call<v1::ListJobsReply>("hearth.v1.JobService/List", request);
      if (!reply) co_return std::unexpected(reply.error());
      if (reply->jobs().empty()) break;
      for (const v1::Job& job : reply->jobs()) {
        if (job.id() > missed->after) jobs.push_back(job);
      }
      request.set_before_id(reply->jobs().rbegin()->id());
    }
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) tell(events_.take_job(*job));
    co_return Result<void>();
  }

  void tell(const WatchEvents::Events& events) {
    std::string text;
    for (const v1::Event& event : events) text += context_.json ? event_json(event) : event_line(event);
    if (!text.empty() && !unread_) unread_ = !write_all(STDOUT_FILENO, text);
  }

  const Context& context_;
  std::vector<std::uint64_t> jobs_;
  Client& client_;
  WatchEvents events_;
  bool has_watched_ = false;
  bool unread_ = false;  // nobody reads any more
};

}  // namespace

Result<int> watch(const Context& context, const JobOptions& options) {
  std::vector<std::uint64_t> jobs;
  for (const std::string& text : options.jobs) {
    const Result<std::uint64_t> job = parse_job(text);
    if (!job) return std::unexpected(job.error());
    jobs.push_back(*job);
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Watch watch(context, std::move(jobs), **client);
  const Result<int> code = (*client)->loop().run_until_done(watch.run());
  if (!code) return std::unexpected((*client)->explain(code.error()));
  return code;
}

}  // namespace hearth::cli
