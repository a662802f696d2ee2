// `hearth app`: programs with windows, text programs and web programs, shown on the page.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/sending.h"
#include "cli/tools.h"
#include "cli/values.h"
#include "hearth/v1/apps.pb.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxApps = 200;  // as apps.proto has these
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxWords = 64;
constexpr std::size_t kMaxBytes = 4 << 10;
constexpr Range kGpus = {0, 16};
constexpr std::uint32_t kCores = 2;  // the program's, and its picture's, if it has one
constexpr std::uint64_t kMemory = 2ULL << 30;
constexpr std::int64_t kTimeLimitSeconds = 30LL * 24 * 3600;  // it lives until it is told to end

Result<Json> load_apps(const Home& home) {
  std::error_code failure;
  if (!std::filesystem::exists(home.apps(), failure)) return Json{{"apps", Json::array()}};
  const Result<std::string> text = read_small_file(home.apps());
  if (!text) return std::unexpected(text.error());
  Json apps = Json::parse(*text, nullptr, false);
  if (apps.is_object() && apps.contains("apps") && apps["apps"].is_array()) return apps;
  return fail(Code::kFailedPrecondition, home.apps().string() + " cannot be read: mend it, or remove it");
}

Result<void> save_apps(const Home& home, const Json& apps) {
  if (Result<void> made = make_directory(home.node()); !made) return made;
  return write_file_atomically(home.apps(), apps.dump(1) + "\n");
}

bool has_name(const Json& app, const std::string& name) {
  return app.is_object() && app.contains("name") && app["name"] == name;
}

Result<void> check_app(const AppOptions& options) {
  if (options.name.empty() || options.name.size() > kMaxName || !is_plain_utf8(options.name)) {
    return fail(Code::kInvalidArgument, "NAME: 1 to 128 bytes of text");
  }
  if (options.terminal && !options.web.empty()) {
    return fail(Code::kInvalidArgument, "--terminal and --web: a program has one of them");
  }
  if (options.program.empty() || options.program.front().empty()) {
    return fail(Code::kInvalidArgument, "the program is missing: hearth app add NAME -- PROGRAM ARGUMENTS");
  }
  std::size_t bytes = 0;
  for (const std::string& word : options.program) bytes += word.size();
  if (options.program.size() > kMaxWords || bytes > kMaxBytes || !std::ranges::all_of(options.program, is_plain_utf8)) {
    return fail(
        Code::kInvalidArgument,
        "PROGRAM: at most 64 words, 4 KiB in all, each of UTF-8 without line ends; put a longer one into a file");
  }
  return {};
}

bool is_there(const std::string& program) {
  return has_program(program) &&
         (!program.starts_with('/') || program.starts_with("/usr/") || program.starts_with("/bin/"));
}

Result<v1::ListAppsReply> fetch_apps(Client& client) {
  return client.call<v1::ListAppsReply>("hearth.v1.AppService/List", v1::ListAppsRequest());
}

struct Found {
  std::uint64_t node_id = 0;
  std::string node;
  v1::App app;
};

Result<Found> find_app(Client& client, const AppOptions& options) {
  const Result<v1::ListAppsReply> reply = fetch_apps(client);
  if (!reply) return std::unexpected(reply.error());
  std::vector<Found> found;
  for (const auto& node : reply->nodes()) {
    const auto app = std::ranges::find(node.apps(), options.name, &v1::App::name);
    const bool is_meant = options.node.empty() || options.node == node.node();
    if (app != node.apps().end() && is_meant) found.push_back({node.node_id(), node.node(), *app});
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty() && !options.node.empty() &&
      std::ranges::find(reply->nodes(), options.node, &v1::ListAppsReply::OfNode::node) == reply->nodes().end()) {
    return fail(Code::kNotFound, fmt::format("--on {}: no connected PC of this name has apps; all PCs: hearth nodes",
                                             plain(options.node)));
  }
  if (found.empty()) {
    return fail(Code::kNotFound, fmt::format("no connected PC has an app {}; those that there are: hearth app list",
                                             plain(options.name)));
  }
  std::string nodes;
  for (const Found& one : found) nodes += (nodes.empty() ? "" : ", ") + plain(one.node);
  return fail(Code::kInvalidArgument,
              fmt::format("{} have an app {}: say which with --on NODE", nodes, plain(options.name)));
}

bool has_window(const v1::App& app) { return !app.terminal() && app.web_port() == 0; }

// No more than its PC lends, or it would wait for ever.
Result<v1::Resources> resources_for(Client& client, const Found& found) {
  v1::Resources resources;
  resources.set_memory_bytes(kMemory);
  resources.set_cores(has_window(found.app) ? kCores : 1);
  resources.set_gpus(found.app.gpus());
  if (resources.cores() == 1 && resources.gpus() == 0) return resources;
  const auto reply = client.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  if (!reply) return std::unexpected(reply.error());
  const auto node = std::ranges::find(reply->nodes(), found.node_id, &v1::Node::id);
  if (node == reply->nodes().end()) return resources;
  resources.set_cores(std::clamp(node->offered().cores(), 1U, resources.cores()));
  resources.set_gpus(std::min(node->offered().gpus(), resources.gpus()));
  return resources;
}

std::string kind_of(const v1::App& app) {
  if (app.web_port() != 0) return fmt::format("web {}", app.web_port());
  return app.terminal() ? "terminal" : "window";
}

}  // namespace

Result<int> list_apps(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  Result<v1::ListAppsReply> reply = fetch_apps(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"}, {"ON"}, {"PROGRAM"}, {""}, {""}});
  for (const auto& node : reply->nodes()) {
    for (const v1::App& app : node.apps()) {
      std::string program;
      for (const std::string& word : app.argv()) program += (program.empty() ? "" : " ") + word;
      table.add({app.name(), node.node(), program, kind_of(app), app.added() ? "added" : ""});
    }
  }
  if (table.empty()) say("no connected PC has apps; hearth doctor says there what is missing");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> add_app(const Context& context, const AppOptions& options) {
  if (Result<void> checked = check_app(options); !checked) return std::unexpected(checked.error());
  Json app = {{"name", options.name}, {"argv", options.program}};
  if (options.terminal) app["terminal"] = true;
  if (!options.web.empty()) {
    const Result<std::uint16_t> port = parse_port("--web", options.web);
    if (!port) return std::unexpected(port.error());
    app["web"] = *port;
  }
  if (!options.gpus.empty()) {
    const Result<std::uint64_t> gpus = parse_count("--gpu", options.gpus, kGpus);
    if (!gpus) return std::unexpected(gpus.error());
    app["gpus"] = *gpus;
  }
  Result<Json> apps = load_apps(context.home);
  if (!apps) return std::unexpected(apps.error());
  Json& list = (*apps)["apps"];
  const std::size_t was_there =
      std::erase_if(list.get_ref<Json::array_t&>(), [&](const Json& one) { return has_name(one, options.name); });
  if (list.size() >= kMaxApps) return fail(Code::kResourceExhausted, "this PC has 200 apps; remove one");
  list.push_back(std::move(app));
  if (Result<void> saved = save_apps(context.home, *apps); !saved) return std::unexpected(saved.error());
  say(fmt::format("{} is among the apps of this PC{}", plain(options.name),
                  was_there > 0 ? ", in the place of the one that was called so" : ""));
  if (!is_there(options.program.front())) {
    say(fmt::format("but {} is no program that can run here now: apps see what lies in /usr alone",
                    plain(options.program.front())));
  }
  return 0;
}

Result<int> remove_app(const Context& context, const AppOptions& options) {
  Result<Json> apps = load_apps(context.home);
  if (!apps) return std::unexpected(apps.error());
  auto& list = (*apps)["apps"].get_ref<Json::array_t&>();
  if (std::erase_if(list, [&](const Json& one) { return has_name(one, options.name); }) == 0) {
    return fail(
        Code::kNotFound,
        fmt::format("no app {} was added on this PC; those of its menus go with their packages", plain(options.name)));
  }
  if (Result<void> saved = save_apps(context.home, *apps); !saved) return std::unexpected(saved.error());
  return 0;
}

Result<int> start_app(const Context& context, const AppOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<Found> found = find_app(**client, options);
  if (!found) return std::unexpected(found.error());
  const Result<v1::Resources> resources = resources_for(**client, *found);
  if (!resources) return std::unexpected(resources.error());
  v1::SubmitRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_name(found->app.name());
  *spec.mutable_argv() = found->app.argv();
  spec.set_tasks(1);
  *spec.mutable_resources() = *resources;
  spec.set_time_limit_seconds(kTimeLimitSeconds);
  spec.set_window(has_window(found->app));
  spec.set_terminal(found->app.terminal());
  spec.set_web_port(found->app.web_port());
  spec.set_where(fmt::format("name == {0}{1}{0}", found->node.contains('\'') ? '"' : '\'', found->node));
  const Result<std::uint64_t> job = (*client)->loop().run_until_done(submit_job(**client, std::move(request)));
  if (!job) return std::unexpected((*client)->explain(job.error()));
  print(context.json ? object_json({{"job_id", fmt::format("{}", *job)}}) : fmt::format("{}\n", *job));
  return 0;
}

}  // namespace hearth::cli
