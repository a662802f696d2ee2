// `hearth up --standby-of` and `hearth standby`: a second PC's hub that keeps a copy of the pool, and who lets it take
// over.
#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/pairing.h"
#include "cli/service.h"
#include "cli/values.h"
#include "hearth/v1/hubs.pb.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

constexpr Duration kTakeOverLimit = seconds(30);

std::string describe_moment(std::int64_t unix_millis) {
  return unix_millis == 0 ? "never" : format_age({unix_millis}, wall_now());
}

// How the copy of the drive stands, in a line; and what else there is to be known of it.
std::vector<std::string> describe_copy(const v1::DriveCopyState& copy, const std::string& pc) {
  std::vector<std::string> lines;
  if (copy.whole()) {
    lines.push_back(
        fmt::format("the drive: its copy is whole, looked at {}", describe_moment(copy.whole_unix_millis())));
  } else {
    lines.push_back(fmt::format("the drive: its copy is {} files, {} behind, and was last whole {}",
                                format_count(copy.files_behind()), format_bytes(copy.bytes_behind()),
                                describe_moment(copy.whole_unix_millis())));
  }
  if (!copy.trouble().empty()) lines.push_back("it does not get on: " + plain(copy.trouble()));
  if (copy.set_aside() > 0) {
    lines.push_back(fmt::format("{} files that the drive of {} had and this one has not are kept there, in {}",
                                format_count(copy.set_aside()), pc, plain(copy.aside())));
    lines.push_back(
        "look at them there; bring back what is wanted with: hearth drive put FILE /; then remove that folder");
  }
  return lines;
}

// PCs that have one name are told apart by where they are.
std::string name_among(const v1::Hub& hub, const v1::StatusReply& reply) {
  const bool alone = std::ranges::count(reply.hubs(), hub.name(), &v1::Hub::name) < 2;
  return plain(alone ? hub.name() : fmt::format("{} ({})", hub.name(), hub.endpoints()));
}

std::string describe_hub(const v1::Hub& hub, const std::string& name) {
  if (hub.holds()) return name + " holds the pool";
  if (!hub.alive()) return name + " is away";
  if (hub.in_step()) return name + " stands by with every record and file";
  if (hub.records_behind()) return name + " stands by, and has yet to get records";
  return fmt::format("{} stands by, {} files behind", name, format_count(hub.files_behind()));
}

// As it was last written here, whoever answers now; empty: nothing was.
v1::DriveCopyState kept_copy(const Home& home) {
  const Result<std::string> text = read_small_file(home.hub() / "drive-copy");
  v1::DriveCopyState copy;
  if (!text || !copy.ParseFromString(*text)) copy.Clear();
  return copy;
}

void say_what_the_drive_lacks(const Context& context) {
  const v1::DriveCopyState copy = kept_copy(context.home);
  if (copy.ByteSizeLong() == 0) return say("no copy of the drive was kept here: its files are not here");
  const std::string whole = describe_moment(copy.whole_unix_millis());
  if (copy.whole()) return say("the drive is served from the copy here, which was whole " + whole);
  say(fmt::format(
      "the drive is served from the copy here, which was last whole {}, and lacked {} files, {}, as far as is "
      "known: they are on the other PC, which keeps what differs when it comes back (hearth standby)",
      whole, format_count(copy.files_behind()), format_bytes(copy.bytes_behind())));
}

Result<int> await_hold(const Context& context) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kTakeOverLimit.micros);
  while (endpoint_of(context.home).stands_by) {
    if (std::chrono::steady_clock::now() > end) {
      return fail(Code::kDeadlineExceeded,
                  fmt::format("this PC's hub has not taken over yet; see {}", context.home.log().string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  say("this PC's hub holds the pool now");
  say_what_the_drive_lacks(context);
  if (context.json) print(object_json({{"holds", true}}));
  return 0;
}

}  // namespace

std::string hubs_text(const v1::StatusReply& reply) {
  std::string text;
  bool in_step = false;
  for (const v1::Hub& hub : reply.hubs()) {
    const std::string name = name_among(hub, reply);
    text += fmt::format("  {}{}\n", text.empty() ? "hubs      " : "          ", describe_hub(hub, name));
    in_step = in_step || (hub.in_step() && hub.alive());
    if (!hub.has_drive_copy() || !hub.alive()) continue;
    for (const std::string& line : describe_copy(hub.drive_copy(), name)) text += "            " + line + "\n";
  }
  if (reply.hubs_size() > 0 && !in_step) {
    text +=
        "            no hub stands by with everything: if the holder's disk is lost now, something is lost with it\n";
  }
  if (!reply.witness().empty()) text += fmt::format("            {} bears witness\n", plain(reply.witness()));
  return text;
}

namespace {

// Only once all is found to be in order here: the pool's owner is asked.
Result<v1::HubCard> introduce(const Context& context, const std::string& link, const v1::HubCard& card,
                              std::string& pool) {
  if (Result<void> made = make_directory(context.home.cli()); !made) return std::unexpected(made.error());
  const Result<account::Account> account = pair_device(context.home.cli(), link, host_name() + " cli", false);
  if (!account) return std::unexpected(account.error());
  pool = account->pool_name;
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::AddStandbyRequest request;
  *request.mutable_hub() = card;
  const Result<v1::AddStandbyReply> reply =
      (*client)->call<v1::AddStandbyReply>("hearth.v1.HubService/AddStandby", request);
  if (!reply) return std::unexpected(reply.error());
  return reply->holder();
}

}  // namespace

Result<void> stand_by_for(const Context& context, const Config& config, const std::string& link) {
  std::error_code absent;
  if (std::filesystem::exists(context.home.hub() / "pool.db", absent)) {
    return fail(Code::kFailedPrecondition,
                "this PC has a pool of its own, or stands by already: --standby-of is for the first time, in a home of "
                "its own (--home DIR)");
  }
  if (!config.store.empty()) return fail(Code::kInvalidArgument, "--standby-of and --store exclude each other");
  const HubStart start{
      .home = context.home.root, .address = config.address, .port = config.port, .name = config.name, .store = ""};
  std::string pool;
  const Result<void> begun = context.programs->begin_standby(
      start, [&](const v1::HubCard& card) { return introduce(context, link, card, pool); });
  if (!begun) return begun;
  say(fmt::format("this PC stands by for {} from now on", plain(pool)));
  return {};
}

Result<int> show_standby(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::StatusReply> status =
      (*client)->call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  if (!status) {
    // What is kept here is known all the same.
    const v1::DriveCopyState copy = kept_copy(context.home);
    if (endpoint_of(context.home).stands_by && copy.ByteSizeLong() > 0) {
      for (const std::string& line : describe_copy(copy, "the holder")) say(line);
    }
    return std::unexpected(status.error());
  }
  if (context.json) {
    print(message_json(*status));
    return 0;
  }
  if (status->hubs_size() == 0) {
    print(
        "no other hub stands by: if this PC is lost, the pool is.\n"
        "another PC keeps a copy and stands by: hearth up --standby-of LINK, on that PC, by the link of: hearth invite "
        "--role owner\n");
    return 0;
  }
  print(hubs_text(*status));
  return 0;
}

Result<int> remove_standby(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::RemoveStandbyReply> reply =
      (*client)->call<v1::RemoveStandbyReply>("hearth.v1.HubService/RemoveStandby", v1::RemoveStandbyRequest());
  if (!reply) return std::unexpected(reply.error());
  say(
      fmt::format("{} stands by no more; its copies stay there, of the records in its home's folder hub, of the drive "
                  "in its PC's folder of the drive, until they are "
                  "removed by hand",
                  plain(reply->name())));
  if (context.json) print(object_json({{"removed", reply->name()}}));
  return 0;
}

Result<int> set_witness(const Context& context, const StandbyOptions& options) {
  if (options.node.empty() != options.none) {
    return fail(Code::kInvalidArgument, "either NODE or --none is needed: hearth standby witness NODE");
  }
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  v1::SetWitnessRequest request;
  request.set_node(options.node);
  const Result<v1::SetWitnessReply> reply =
      (*client)->call<v1::SetWitnessReply>("hearth.v1.HubService/SetWitness", request);
  if (!reply) return std::unexpected(reply.error());
  say(options.none
          ? std::string("nobody bears witness: the hub that stands by takes over only by hearth standby promote")
          : fmt::format("{} bears witness: the hub that stands by takes over by itself", plain(options.node)));
  if (context.json) print(object_json({{"witness", options.node}}));
  return 0;
}

Result<int> promote(const Context& context, const StandbyOptions& options) {
  if (!Lock::holder(context.home)) return fail(Code::kFailedPrecondition, "this PC's hub is not up: hearth up");
  if (!endpoint_of(context.home).stands_by)
    return fail(Code::kFailedPrecondition, "this PC's hub holds the pool already");
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  v1::HandOverRequest request;
  request.set_without_drive(options.force);
  const Result<v1::HandOverReply> handed =
      client ? (*client)->call<v1::HandOverReply>("hearth.v1.HubService/HandOver", request)
             : std::unexpected(client.error());
  if (handed) return await_hold(context);
  if (!is_passing(handed.error()) && handed.error().code != Code::kNotFound) return std::unexpected(handed.error());
  if (!options.force) {
    return fail(
        Code::kUnavailable,
        "the hub that holds the pool does not answer, so it cannot hand over. If its PC is lost or off, let this "
        "one take over with: hearth standby promote --force. What was told there while this one was behind is "
        "lost then; and if it still runs, cut off from here, there are two pools");
  }
  if (Result<void> told = write_file_atomically(context.home.hub() / "take-over", ""); !told) {
    return std::unexpected(told.error());
  }
  return await_hold(context);
}

}  // namespace hearth::cli
