// `hearth attach`: a text program's terminal, in this one.
#include <unistd.h>

#include <fmt/format.h>

#include "cli/attachment.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

net::Async<Result<int>> attach_to(Client& client, std::uint64_t number) {
  const Result<v1::Job> job = co_await fetch_job(client, number);
  if (!job) co_return std::unexpected(client.explain(job.error()));
  if (!job->spec().terminal()) {
    co_return fail(
        Code::kFailedPrecondition,
        job->spec().window()
            ? fmt::format("job {} has windows: https://{}/#/screen/{}", number,
                          client.session().account().endpoint.text(), number)
            : fmt::format("job {} has no terminal; one gets it by: hearth run --terminal -- PROGRAM", number));
  }
  if (has_ended(*job)) {
    co_return fail(Code::kFailedPrecondition,
                   fmt::format("job {} has ended; what it wrote: hearth logs {}", number, number));
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
                fmt::format("this is no terminal; what the program writes is told by: hearth logs -f {}", *job));
  }
  Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  return (*client)->loop().run_until_done(attach_to(**client, *job));
}

}  // namespace hearth::cli
