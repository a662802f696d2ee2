// `hearth app share` and its like: whom an app is shared with, and who has its controller.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/audience.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

std::string text_of(const v1::AudienceMember& member, const std::string& controller) {
  const std::string_view what = member.person() == controller ? "controls"
                                : member.may_control()        ? "may control"
                                                              : "watches";
  return fmt::format("{}{} {}", member.is_device() ? "device " : "", member.person(), what);
}

std::string text_of(const v1::SharedApp& app) {
  std::vector<std::string> people;
  for (const v1::AudienceMember& member : app.audience()) people.push_back(text_of(member, app.controller()));
  return fmt::format("{}", fmt::join(people, ", "));
}

std::string text_of_viewers(const v1::SharedApp& app) {
  std::vector<std::string> names;
  for (const v1::AppViewer& viewer : app.viewers()) {
    names.push_back(viewer.players() == 0 ? viewer.device()
                                          : fmt::format("{} by link {}", viewer.players(), viewer.device()));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

// Of a call about one app: how it is shared from now on.
template <class Reply, class Request>
Result<int> change(const Context& context, const AudienceOptions& options, const char* method, Request request) {
  const Result<std::uint64_t> job = parse_job(options.job);
  if (!job) return std::unexpected(job.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  request.set_job_id(*job);
  const Result<Reply> reply = (*client)->call<Reply>(fmt::format("hearth.v1.AudienceService/{}", method), request);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  const v1::SharedApp& app = reply->app();
  say(plain(app.audience().empty() ? fmt::format("job {} is shared with nobody", *job)
                                   : fmt::format("job {}: {}", *job, text_of(app))));
  return 0;
}

}  // namespace

Result<v1::ListSharedAppsReply> fetch_shared_apps(Client& client) {
  return client.call<v1::ListSharedAppsReply>("hearth.v1.AudienceService/List", v1::ListSharedAppsRequest());
}

Result<int> list_shared_apps(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListSharedAppsReply> reply = fetch_shared_apps(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"JOB"}, {"APP"}, {"OF"}, {"YOU"}, {"SHARED WITH"}, {"CONTROLLER"}, {"WATCHED BY"}});
  for (const v1::SharedApp& app : reply->apps()) {
    table.add({fmt::format("{}", app.job_id()), app.name(), app.owner(),
               app.right() == v1::APP_RIGHT_CONTROL ? "control" : "watch", text_of(app),
               app.controller().empty() ? app.owner() : app.controller(), text_of_viewers(app)});
  }
  if (table.empty()) say("no app is shared; one that runs: hearth app share JOB --with PEOPLE");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> share_app(const Context& context, const AudienceOptions& options) {
  v1::ShareAppRequest request;
  request.mutable_people()->Assign(options.people.begin(), options.people.end());
  request.set_may_control(options.may_control);
  return change<v1::ShareAppReply>(context, options, "Share", std::move(request));
}

Result<int> unshare_app(const Context& context, const AudienceOptions& options) {
  v1::UnshareAppRequest request;
  request.mutable_people()->Assign(options.people.begin(), options.people.end());
  return change<v1::UnshareAppReply>(context, options, "Unshare", std::move(request));
}

Result<int> pass_controller(const Context& context, const AudienceOptions& options) {
  v1::PassControllerRequest request;
  request.set_person(options.person);
  return change<v1::PassControllerReply>(context, options, "Pass", std::move(request));
}

}  // namespace hearth::cli
