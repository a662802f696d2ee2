// `hearth drive sync`: a folder of this PC and one of the drive, kept the same.
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "sync/run.h"
#include "sync/watch.h"

namespace hearth::cli {
namespace {

constexpr Duration kAskedEvery = seconds(15);  // the drive, whether something is new there

// "LAPTOP 2026-11-27", of characters that names of files may have anywhere.
std::string label_of_now() {
  std::array<char, 65> host{};
  ::gethostname(host.data(), host.size() - 1);
  std::string name;
  for (const char c : std::string_view(host.data())) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_') name += c;
  }
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  ::localtime_r(&now, &day);
  return fmt::format("{} {:04}-{:02}-{:02}", name.empty() ? "PC" : name, day.tm_year + 1900, day.tm_mon + 1,
                     day.tm_mday);
}

// What DIR is bound to already, or is to be from now on.
Result<sync::Binding> binding_of(const sync::StateFile& state, const std::string& hub, std::string folder) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  if (!folder.empty() && !folder.starts_with('/')) folder.insert(0, "/");
  if (!state.is_bound()) return sync::Binding{.hub = hub, .folder = folder.empty() ? "/" : folder};
  const sync::Binding& bound = state.state().binding;
  if (bound.hub != hub) {
    return fail(Code::kFailedPrecondition,
                "DIR is kept the same as a drive of another pool, or of another PC of this one; to begin anew with "
                "this drive, remove DIR/.hearth-sync/state");
  }
  if (folder.empty() || folder == bound.folder) return bound;
  return fail(Code::kFailedPrecondition,
              fmt::format("--folder {}: DIR is kept the same as {} of the drive; to begin anew with another folder, "
                          "remove DIR/.hearth-sync/state",
                          plain(folder), plain(bound.folder)));
}

void print_lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) print(plain(line) + "\n");
}

std::string joined(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths) text += (text.empty() ? "" : ", ") + plain(path);
  return text;
}

void tell(const Context& context, const sync::Report& report) {
  std::vector<std::string> alike;
  for (const std::vector<std::string>& paths : report.collisions) {
    alike.insert(alike.end(), paths.begin(), paths.end());
    say(fmt::format("left as they are, their names are too alike: {}", joined(paths)));
  }
  for (const std::string& folder : report.closed) {
    say(fmt::format(
        "{}: the drive has closed it to this device (other people's own folder): what lies here stays as it "
        "is, and nothing of it is sent or removed there until it is open again",
        plain(folder)));
  }
  for (const std::string& remark : report.remarks) say(plain(remark));
  for (const std::string& name : report.conflicts) {
    say(fmt::format("changed on both sides, both are kept; the one from here is {}", plain(name)));
  }
  for (const std::string& problem : report.problems) say("error: " + plain(problem));
  if (context.json) {
    const auto count = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
    print(object_json({{"sent", count(report.sent)},
                       {"fetched", count(report.fetched)},
                       {"removed_here", count(report.removed_here)},
                       {"removed_there", count(report.removed_there)},
                       {"conflicts", report.conflicts},
                       {"collisions", alike},
                       {"closed", report.closed},
                       {"left", report.remarks},
                       {"problems", report.problems},
                       {"planned", report.planned},
                       {"bytes_sent", count(report.bytes_sent)},
                       {"bytes_received", count(report.bytes_received)}}));
    return;
  }
  print_lines(report.planned);
  say(fmt::format("{} sent, {} fetched, {} removed here, {} removed there, {} conflicts; {} out, {} in", report.sent,
                  report.fetched, report.removed_here, report.removed_there, report.conflicts.size(),
                  format_bytes(report.bytes_sent), format_bytes(report.bytes_received)));
}

bool did_something(const sync::Report& report) {
  return report.sent + report.fetched + report.removed_here + report.removed_there + report.conflicts.size() +
             report.problems.size() >
         0;
}

class Syncing {
 public:
  Syncing(const Context& context, const DriveOptions& options, Client& client, sync::LocalFolder& local,
          sync::StateFile& state)
      : context_(context), options_(options), client_(client), local_(local), state_(state) {}

  Result<sync::Report> once() {
    ProgressLine progress;
    sync::RemoteFolder remote(client_.loop(), client_.session(), state_.state().binding.folder);
    sync::Run run(local_, remote, state_,
                  {.label = label_of_now(),
                   .dry_run = options_.dry_run,
                   .even_if_emptied = options_.emptied,
                   .progress = [&](const std::string& text) { progress.show(plain(text)); }});
    Result<sync::Report> report = run.go();
    if (!report) return std::unexpected(client_.explain(report.error()));
    return report;
  }

  // Until somebody ends it, which it may be at any moment.
  [[noreturn]] void go_on() {
    sync::Watch watch(local_.directory());
    std::string told;                 // the last error: an evening without the hub is one line
    std::vector<std::string> closed;  // as it was told last
    for (bool is_first = true;; is_first = false) {
      watch.renew();
      const Result<sync::Report> report = once();
      const std::string error = report ? "" : plain(report.error().message);
      if (!report && error != told) say("error: " + error);
      told = error;
      if (report && (is_first || did_something(*report) || report->closed != closed)) tell(context_, *report);
      if (report) closed = report->closed;
      watch.wait(kAskedEvery);
    }
  }

 private:
  const Context& context_;
  const DriveOptions& options_;
  Client& client_;
  sync::LocalFolder& local_;
  sync::StateFile& state_;
};

}  // namespace

Result<int> sync_drive(const Context& context, const DriveOptions& options) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  std::error_code error;
  const std::filesystem::path directory = std::filesystem::canonical(options.directory, error);
  if (error) return fail_errno(error.value(), plain(options.directory));
  const Result<std::unique_ptr<sync::LocalFolder>> local = sync::LocalFolder::open(
      directory, options.dry_run ? sync::LocalFolder::To::kLook : sync::LocalFolder::To::kChange);
  if (!local) return std::unexpected(local.error());
  Result<sync::StateFile> state = sync::StateFile::open((*local)->own("state"));
  if (!state) return std::unexpected(state.error());
  const Result<sync::Binding> binding = binding_of(*state, (*client)->session().account().hub_identity, options.folder);
  if (!binding) return std::unexpected(binding.error());
  if (!state->is_bound()) state->bind(*binding);
  Syncing syncing(context, options, **client, **local, *state);
  if (options.watch) syncing.go_on();
  const Result<sync::Report> report = syncing.once();
  if (!report) return std::unexpected(report.error());
  tell(context, *report);
  return report->problems.empty() && report->collisions.empty() ? 0 : 1;
}

}  // namespace hearth::cli
