// `hearth schedule`: what the hub runs by the clock.
#include <ctime>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/sending.h"
#include "cli/values.h"
#include "hearth/v1/schedules.pb.h"

namespace hearth::cli {
namespace {

Result<v1::Overlap> parse_overlap(const std::string& text) {
  if (text.empty() || text == "skip") return v1::OVERLAP_SKIP;
  if (text == "allow") return v1::OVERLAP_ALLOW;
  return fail(Code::kInvalidArgument, fmt::format("--overlap {}: skip or allow is needed", plain(text)));
}

// What a program may be called as a schedule: its last part in small letters.
std::string name_from(const RunPlan& plan) {
  const std::string& program = plan.spec.argv(0);
  std::string name;
  for (const char c : program.substr(program.find_last_of('/') + 1)) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (is_short_name(name + small)) name += small;
  }
  return name.substr(0, 64);
}

Result<v1::ListSchedulesReply> fetch_schedules(Client& client) {
  return client.call<v1::ListSchedulesReply>("hearth.v1.ScheduleService/List", v1::ListSchedulesRequest());
}

// One's own, or that of the device that `options` names.
Result<v1::Schedule> find_schedule(Client& client, const ScheduleOptions& options) {
  const Result<v1::ListSchedulesReply> reply = fetch_schedules(client);
  if (!reply) return std::unexpected(reply.error());
  std::string names;
  for (const v1::Schedule& one : reply->schedules()) {
    const bool is_meant = options.device.empty() ? DeviceId{one.owner_id()} == client.session().account().device
                                                 : one.owner() == options.device;
    if (is_meant && one.name() == options.name) return one;
    if (is_meant) names += (names.empty() ? "" : ", ") + one.name();
  }
  return fail(Code::kNotFound,
              fmt::format("there is no schedule {}; {}", plain(options.name),
                          names.empty() ? "there is none: hearth schedule list" : "there are: " + names));
}

// With its year, where that is not this one: '0 0 29 2 *' may be years off.
std::string next_text(const v1::Schedule& schedule) {
  const WallTime next{schedule.next().unix_millis()};
  const auto year_of = [](WallTime moment) {
    const std::time_t seconds = moment.unix_millis / 1'000;
    std::tm local{};
    return ::localtime_r(&seconds, &local) == nullptr ? 0 : local.tm_year + 1900;
  };
  const bool is_this_year = next.unix_millis == 0 || year_of(next) == year_of(wall_now());
  return format_local(next) + (is_this_year ? "" : fmt::format(" {}", year_of(next)));
}

}  // namespace

Result<int> add_schedule(const Context& context, const ScheduleOptions& options) {
  const Result<v1::Overlap> overlap = parse_overlap(options.overlap);
  if (!overlap) return std::unexpected(overlap.error());
  if (options.run.program.empty()) {
    return fail(Code::kInvalidArgument, "no program is given: hearth schedule add CRON [OPTIONS] -- PROGRAM ARGS...");
  }
  Result<RunPlan> plan = plan_run(options.run);
  if (!plan) return std::unexpected(plan.error());
  for (const std::string& note : plan->notes) say(note);
  v1::AddScheduleRequest request;
  request.set_name(options.name.empty() ? name_from(*plan) : options.name);
  request.set_cron(options.cron);
  request.set_overlap(*overlap);
  if (!is_short_name(request.name())) {
    return fail(Code::kInvalidArgument,
                fmt::format("--name {}: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit "
                            "first, are needed",
                            plain(request.name())));
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  if (!plan->files.empty()) {
    if (const auto token = (*client)->loop().run_until_done((*client)->session().token()); !token)
      return std::unexpected((*client)->explain(token.error()));
    ProgressLine progress;
    const Result<v1::Blob> tree = (*client)->loop().run_until_done(send_inputs(**client, plan->files, progress));
    if (!tree) return std::unexpected((*client)->explain(fail(tree, "sending the inputs").error()));
    *plan->spec.mutable_inputs() = *tree;
  }
  plan->spec.set_name(request.name());
  *request.mutable_spec() = plan->spec;
  const Result<v1::AddScheduleReply> reply =
      (*client)->call<v1::AddScheduleReply>("hearth.v1.ScheduleService/Add", request);
  if (!reply) return std::unexpected(reply.error());
  say(fmt::format("{} runs next at {}", reply->schedule().name(), next_text(reply->schedule())));
  if (context.json) print(message_json(reply->schedule()));
  return 0;
}

Result<int> list_schedules(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListSchedulesReply> reply = fetch_schedules(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"}, {"WHOSE"}, {"WHEN"}, {"NEXT"}, {"LAST"}, {"JOB", true}, {"REMARK"}});
  for (const v1::Schedule& one : reply->schedules()) {
    table.add({one.name(), one.owner(), one.cron(), next_text(one), format_local({one.last_due().unix_millis()}),
               one.last_job() == 0 ? "-" : fmt::format("{}", one.last_job()),
               one.last_trouble().empty() ? "-" : one.last_trouble()});
  }
  if (table.empty()) say("no schedules; make one: hearth schedule add '0 3 * * *' -- PROGRAM");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> remove_schedule(const Context& context, const ScheduleOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Schedule> found = find_schedule(**client, options);
  if (!found) return std::unexpected(found.error());
  v1::RemoveScheduleRequest request;
  request.set_name(found->name());
  request.set_owner_id(found->owner_id());
  const Result<v1::RemoveScheduleReply> reply =
      (*client)->call<v1::RemoveScheduleReply>("hearth.v1.ScheduleService/Remove", request);
  if (!reply) return std::unexpected(reply.error());
  say(fmt::format("schedule {} is removed", found->name()));
  if (context.json) print(object_json({{"removed", found->name()}}));
  return 0;
}

Result<int> run_schedule(const Context& context, const ScheduleOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::Schedule> found = find_schedule(**client, options);
  if (!found) return std::unexpected(found.error());
  v1::RunScheduleRequest request;
  request.set_name(found->name());
  request.set_owner_id(found->owner_id());
  const Result<v1::RunScheduleReply> reply =
      (*client)->call<v1::RunScheduleReply>("hearth.v1.ScheduleService/RunNow", request);
  if (!reply) return std::unexpected(reply.error());
  print(context.json ? object_json({{"job_id", fmt::format("{}", reply->job_id())}})
                     : fmt::format("{}\n", reply->job_id()));
  return 0;
}

}  // namespace hearth::cli
