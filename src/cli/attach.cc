// `hearth attach`: a text program's terminal, in this one.
#include <algorithm>
#include <optional>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/attachment.h"
#include "cli/audience.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

Result<void> check_job(Client& client, const v1::Job& job) {
  const std::uint64_t number = job.id();
  if (!job.spec().terminal()) {
    return fail(Code::kFailedPrecondition,
                job.spec().window()
                    ? fmt::format("job {} has windows: https://{}/#/screen/{}", number,
                                  client.session().account().endpoint.text(), number)
                    : fmt::format("job {} has no terminal; one gets it by: hearth run --terminal -- PROGRAM", number));
  }
  if (!has_ended(job)) return {};
  return fail(Code::kFailedPrecondition,
              fmt::format("job {} has ended; what it wrote: hearth logs {}", number, number));
}

// Of one with a terminal, where this device may see it: it may be another's.
std::optional<v1::SharedApp> find_shared(Client& client, std::uint64_t number) {
  const Result<v1::ListSharedAppsReply> reply = fetch_shared_apps(client);
  if (!reply) return std::nullopt;
  const auto found = std::ranges::find(reply->apps(), number, &v1::SharedApp::job_id);
  if (found == reply->apps().end() || !found->terminal()) return std::nullopt;
  return *found;
}

void say_who_controls(const v1::SharedApp& app) {
  if (app.right() != v1::APP_RIGHT_WATCH) return;
  const std::string& who = app.controller().empty() ? app.owner() : app.controller();
  say(plain(fmt::format("{} has the controller: what you type is not taken{}", who,
                        app.is_yours() ? fmt::format(" (have it back: hearth app pass {})", app.job_id()) : "")));
}

net::Async<Result<int>> attach_to(Client& client, std::uint64_t number, bool is_shared) {
  const Result<v1::Job> job = co_await fetch_job(client, number);
  const bool is_hidden = !job && job.error().code == Code::kNotFound && is_shared;
  if (!job && !is_hidden) co_return std::unexpected(client.explain(job.error()));
  if (job) {
    if (Result<void> good = check_job(client, *job); !good) co_return std::unexpected(good.error());
  }
  const auto attachment = std::make_shared<Attachment>(client, number);
  const Result<Attachment::End> end = co_await attachment->run();
  if (!end) co_return std::unexpected(end.error());
  if (end->how == Attachment::End::How::kLeft)
    say(fmt::format("left job {}, which goes on: hearth attach {}", number, number));
  if (end->how != Attachment::End::How::kJob) co_return end->exit_code;
  const Result<v1::Job> ended = co_await fetch_job(client, number);
  if (!ended) co_return std::unexpected(client.explain(ended.error()));
  say(fmt::format("job {} has ended", number));
  if (const std::string text = failure_text(*ended); !text.empty()) say(text);
  co_return exit_code_of(*ended);
}

}  // namespace

Result<int> attach(const Context& context, const JobOptions& options) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  if (!is_terminal(STDIN_FILENO) || !is_terminal(STDOUT_FILENO)) {
    return fail(Code::kFailedPrecondition,
                fmt::format("this is no terminal; what the program writes is told by: hearth logs --follow {}", *job));
  }
  Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const std::optional<v1::SharedApp> shared = find_shared(**client, *job);
  if (shared) say_who_controls(*shared);
  return (*client)->loop().run_until_done(attach_to(**client, *job, shared.has_value()));
}

}  // namespace hearth::cli
