// `hearth env`: environments are made on this PC and known to the pool by name.
#include <algorithm>
#include <filesystem>
#include <ranges>

#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "blob/local_file.h"
#include "blob/transfer.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/follow.h"
#include "cli/image.h"
#include "cli/output.h"
#include "cli/recipes.h"
#include "cli/values.h"
#include "hearth/v1/environments.pb.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMaxDescription = 1000;

std::unexpected<Error> wrong(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

std::string recipe_names() {
  std::string names;
  for (const Recipe& recipe : recipes()) names += fmt::format("{}{}", names.empty() ? "" : ", ", recipe.name);
  return names;
}

// The hub's rule, see hearth.v1.Environment; told before minutes of work.
Result<void> check_name(const std::string& name) {
  if (is_short_name(name) && name != "host") return {};
  return wrong(
      fmt::format("{}: a name has 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first, and is not "
                  "\"host\"",
                  plain(name)));
}

std::vector<std::string> split(const std::vector<std::string>& lists) {
  std::vector<std::string> words;
  for (const std::string& list : lists) {
    for (const auto part : std::views::split(list, ',')) {
      if (!std::string_view(part).empty()) words.emplace_back(std::string_view(part));
    }
  }
  return words;
}

// What is to be made, from the options; exactly one source must be given.
struct Plan {
  std::vector<std::string> packages;
  std::string directory;
  std::string archive;
  std::string description;
};

Result<Plan> plan_build(const EnvironmentOptions& options) {
  if (Result<void> named = check_name(options.name); !named) return std::unexpected(named.error());
  const int sources = (options.packages.empty() ? 0 : 1) + (options.recipe.empty() ? 0 : 1) +
                      (options.directory.empty() ? 0 : 1) + (options.archive.empty() ? 0 : 1);
  if (sources != 1) {
    return wrong(fmt::format("give one of --packages LIST, --recipe NAME ({}), --from-dir DIR and --from-oci FILE",
                             recipe_names()));
  }
  Plan plan{.packages = split(options.packages),
            .directory = options.directory,
            .archive = options.archive,
            .description = {}};
  if (!options.recipe.empty()) {
    const Recipe* recipe = find_recipe(options.recipe);
    if (recipe == nullptr)
      return wrong(fmt::format("--recipe {}: there are: {}", plain(options.recipe), recipe_names()));
    plan.packages.assign(recipe->packages.begin(), recipe->packages.end());
    plan.description = recipe->what;
  } else if (!plan.directory.empty()) {
    plan.description = "directory " + plain(std::filesystem::path(plan.directory).lexically_normal().string());
  } else if (!plan.archive.empty()) {
    plan.description = "container image " + plain(std::filesystem::path(plan.archive).filename().string());
  } else {
    plan.description = "packages";
    for (const std::string& package : plan.packages) plan.description += " " + plain(package);
  }
  if (plan.description.size() > kMaxDescription) plan.description = plan.description.substr(0, kMaxDescription) + "...";
  return plan;
}

Result<std::filesystem::path> make_image(const Workshop& workshop, const Plan& plan) {
  if (!plan.directory.empty()) return image_of_directory(workshop, plan.directory);
  if (!plan.archive.empty()) return image_of_oci(workshop, plan.archive);
  return image_of_packages(workshop, plan.packages);
}

Result<v1::ListEnvironmentsReply> fetch_environments(Client& client) {
  return client.call<v1::ListEnvironmentsReply>("hearth.v1.EnvironmentService/List", v1::ListEnvironmentsRequest());
}

Result<v1::Environment> find_environment(const v1::ListEnvironmentsReply& reply, const std::string& name) {
  const auto found = std::ranges::find(reply.environments(), name, &v1::Environment::name);
  if (found != reply.environments().end()) return *found;
  std::string names;
  for (const v1::Environment& one : reply.environments()) names += (names.empty() ? "" : ", ") + one.name();
  return fail(Code::kNotFound,
              fmt::format("there is no environment {}; {}", plain(name),
                          names.empty() ? "there is none yet: hearth env build" : "there are: " + names));
}

Result<v1::Blob> send_image(Client& client, const std::filesystem::path& image) {
  const Result<blob::HashedFile> hashed = blob::hash_file(image);
  if (!hashed) return std::unexpected(hashed.error());
  const Result<Fd> file = blob::open_unchanged(image, *hashed);
  if (!file) return std::unexpected(file.error());
  blob::Transfer transfer(client.session().client(), client.workers(),
                          [&client] { return client.session().last_token(); });
  ProgressLine progress;
  const std::string what = fmt::format("sending {} to the hub", format_bytes(hashed->size));
  return client.loop().run_until_done([&]() -> net::Async<Result<v1::Blob>> {
    const Result<std::string> token = co_await client.session().token();
    if (!token) co_return std::unexpected(token.error());
    Pulse pulse(client.loop(), seconds(1), [&]() -> net::Async<void> {
      progress.show(what);
      co_await keep_fresh(client);
    });
    Result<v1::Blob> sent = co_await transfer.send_file(file->get(), hashed->size, hashed->sha256);
    co_await pulse.stop();
    co_return sent;
  }());
}

Result<void> fetch_image(Client& client, const v1::Environment& environment, const std::filesystem::path& file) {
  blob::Transfer transfer(client.session().client(), client.workers(),
                          [&client] { return client.session().last_token(); });
  ProgressLine progress;
  return client.loop().run_until_done([&]() -> net::Async<Result<void>> {
    const Result<std::string> token = co_await client.session().token();
    if (!token) co_return std::unexpected(token.error());
    Pulse pulse(client.loop(), seconds(1), [&] { return keep_fresh(client); });
    Result<void> fetched = co_await transfer.fetch_file(environment.image(), file, false, [&](std::uint64_t bytes) {
      progress.show("fetching " + progress_bar(bytes, environment.image().size(), 30));
    });
    co_await pulse.stop();
    co_return fetched;
  }());
}

}  // namespace

Result<int> build_environment(const Context& context, const EnvironmentOptions& options) {
  const Result<Plan> plan = plan_build(options);
  if (!plan) return std::unexpected(plan.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  // A hub that is away is said before the work.
  if (const Result<v1::ListEnvironmentsReply> there = fetch_environments(**client); !there) {
    return std::unexpected(there.error());
  }
  const Result<Workshop> workshop = Workshop::open(context.home.cli());
  if (!workshop) return std::unexpected(workshop.error());
  const Result<std::filesystem::path> image = make_image(*workshop, *plan);
  if (!image) return std::unexpected(image.error());
  const Result<v1::Blob> sent = send_image(**client, *image);
  if (!sent) return fail(sent, "sending the image to the hub");
  v1::PutEnvironmentRequest request;
  request.set_name(options.name);
  *request.mutable_image() = *sent;
  request.set_description(plan->description);
  const Result<v1::PutEnvironmentReply> put =
      (*client)->call<v1::PutEnvironmentReply>("hearth.v1.EnvironmentService/Put", request);
  if (!put) return std::unexpected(put.error());
  if (context.json) {
    print(message_json(put->environment()));
  } else {
    print(fmt::format("{}  {}  {}\n", options.name, to_hex(sent->sha256()), format_bytes(sent->size())));
    say(fmt::format("run a program in it with: hearth run --env {} -- PROGRAM", options.name));
  }
  return 0;
}

Result<int> list_environments(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListEnvironmentsReply> reply = fetch_environments(**client);
  if (!reply) return std::unexpected(reply.error());
  if (context.json) {
    print(message_json(*reply));
    return 0;
  }
  Table table({{"NAME"}, {"SIZE", true}, {"MADE"}, {"IMAGE"}, {"WHAT"}});
  for (const v1::Environment& one : reply->environments()) {
    table.add({one.name(), format_bytes(one.image().size()), format_age({one.made().unix_millis()}, wall_now()),
               to_hex(one.image().sha256()).substr(0, 12), one.description()});
  }
  if (table.empty()) say("no environments but \"host\", each node's own /usr; make one with: hearth env build");
  if (!table.empty()) print(table.text());
  return 0;
}

Result<int> remove_environment(const Context& context, const EnvironmentOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListEnvironmentsReply> there = fetch_environments(**client);
  if (!there) return std::unexpected(there.error());
  if (const Result<v1::Environment> found = find_environment(*there, options.name); !found) {
    return std::unexpected(found.error());
  }
  v1::RemoveEnvironmentRequest request;
  request.set_name(options.name);
  const Result<v1::RemoveEnvironmentReply> removed =
      (*client)->call<v1::RemoveEnvironmentReply>("hearth.v1.EnvironmentService/Remove", request);
  if (!removed) return std::unexpected(removed.error());
  say(fmt::format("{} is gone; jobs that were submitted with it go on", options.name));
  if (context.json) print(object_json({{"name", options.name}, {"removed", true}}));
  return 0;
}

Result<int> export_environment(const Context& context, const EnvironmentOptions& options) {
  if (options.to_oci.empty()) return wrong("--to-oci FILE is needed: where the container image goes");
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<v1::ListEnvironmentsReply> there = fetch_environments(**client);
  if (!there) return std::unexpected(there.error());
  const Result<v1::Environment> found = find_environment(*there, options.name);
  if (!found) return std::unexpected(found.error());
  const Result<Workshop> workshop = Workshop::open(context.home.cli());
  if (!workshop) return std::unexpected(workshop.error());
  const std::filesystem::path image = workshop->directory() / "image.squashfs";
  if (Result<void> fetched = fetch_image(**client, *found, image); !fetched) return std::unexpected(fetched.error());
  if (Result<void> done = export_to_oci(*workshop, image, options.name, options.to_oci); !done) {
    return std::unexpected(done.error());
  }
  say(fmt::format("{} is in {}; for example: podman load -i {}", options.name, plain(options.to_oci),
                  plain(options.to_oci)));
  if (context.json) print(object_json({{"name", options.name}, {"file", options.to_oci}}));
  return 0;
}

}  // namespace hearth::cli
