// The program: wires the command line to the daemons, and is the one place that knows everything.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "account/account.h"
#include "base/bytes.h"
#include "base/log.h"
#include "cli/backups.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/documents.h"
#include "cli/home.h"
#include "cli/tools.h"
#include "egress/address.h"
#include "egress/post.h"
#include "hearth/v1/drive.pb.h"
#include "hub/hub.h"
#include "hub/moving.h"
#include "hub/pair_store.h"
#include "net/async.h"
#include "net/crypto.h"
#include "net/mdns.h"
#include "node/node.h"
#include "presence/presence.h"
#include "sandbox/confined.h"
#include "sandbox/sandbox.h"
#include "slurm/host.h"
#include "slurm/run_attempt.h"
#include "store/shared.h"
#ifdef HEARTH_WITH_PAGE
#include "web/page.h"
#endif

namespace hearth {
namespace {

constexpr std::size_t kFingerprintBytes = 10;

std::vector<hub::PageFile> page_of_this_program() {
#ifdef HEARTH_WITH_PAGE
  return page_files();
#else
  return {};
#endif
}

// What reads pictures for the hub sees nothing of this PC but the programs of /usr.
drive::PictureHelpers picture_helpers() {
  const std::filesystem::path program = cli::pictures_program();
  if (!std::filesystem::exists(program)) return {};
  const auto start = [program]() -> Result<drive::PictureHelper> {
    const Result<sandbox::Confined> started = sandbox::start_confined(
        {.name = "hearth-pictures", .program = program, .bwrap = "bwrap", .shown = {}, .network = false});
    if (!started) return std::unexpected(started.error());
    return drive::PictureHelper{.process = started->process, .socket = started->socket};
  };
  return {.start = start, .end = sandbox::end_confined};
}

// The backups of the drive are the command line's, which remembers how they went.
std::optional<v1::DriveBackup> backup_of_drive(const cli::Home& home) {
  const Result<std::vector<cli::BackupTarget>> targets = cli::load_targets(home);
  if (!targets || targets->empty()) return std::nullopt;
  v1::DriveBackup backup;
  WallTime newest;
  for (const cli::BackupTarget& one : *targets) {
    newest = std::max(newest, one.succeeded);
    backup.set_targets(backup.targets() + 1);
    if (one.was_away) backup.set_away(backup.away() + 1);
    if (!one.was_away && !one.failure.empty()) backup.set_failed(backup.failed() + 1);
    if (!one.damage.empty()) backup.set_damaged(backup.damaged() + 1);
  }
  if (newest.unix_millis > 0) backup.mutable_succeeded()->set_unix_millis(newest.unix_millis);
  return backup;
}

// The hub of this PC, with what it makes of this PC's own command line and node.
class HubDaemon {
 public:
  explicit HubDaemon(const cli::HubStart& start) : start_(start), home_{start.home} {}

  Result<void> run() {
    Result<hub::LocalDevice> command_line = local_device(home_.cli(), cli::host_name() + " cli", false);
    if (!command_line) return std::unexpected(command_line.error());
    Result<hub::LocalDevice> node = local_device(home_.node(), cli::host_name(), true);
    if (!node) return std::unexpected(node.error());
    locals_ = {{home_.cli(), *command_line}, {home_.node(), *node}};
    Result<std::unique_ptr<hub::Hub>> hub =
        hub::Hub::start(loop_, {.directory = home_.hub(),
                                .store = start_.store,
                                .drive = home_.drive(),
                                .drive_copy_rate = start_.drive_rate,
                                .pictures = picture_helpers(),
                                .backup = [this] { return backup_of_drive(home_); },
                                .pc_name = cli::host_name(),
                                .address = start_.address,
                                .port = start_.port,
                                .pool_name = start_.name,
                                .local_devices = {*command_line, *node},
                                .page = page_of_this_program(),
                                .post =
                                    [this](hub::WebhookMessage message) {
                                      return poster_.post({.url = std::move(message.url),
                                                           .headers = std::move(message.headers),
                                                           .body = std::move(message.body),
                                                           .may_be_private = message.may_be_private});
                                    },
                                .refusal_of_host = egress::refusal_of_host,
                                .on_failure =
                                    [this](const Error& error) {
                                      failure_ = std::unexpected(error);
                                      stop();
                                    },
                                .on_change = [this] { note_change(); }});
    if (!hub) return std::unexpected(hub.error());
    hub_ = std::move(*hub);
    note_change();
    if (!failure_) return failure_;
    loop_.on_signal({SIGTERM, SIGINT}, [this](int) { stop(); });
    loop_.run();
    return failure_;
  }

 private:
  Result<hub::LocalDevice> local_device(const std::filesystem::path& directory, const std::string& name, bool as_node) {
    if (Result<void> made = cli::make_directory(directory); !made) return std::unexpected(made.error());
    const Result<net::IdentityKey> key = net::IdentityKey::load_or_create(directory / "identity.pem");
    if (!key) return std::unexpected(key.error());
    return hub::LocalDevice{.name = name, .as_node = as_node, .key_spki = key->public_key_spki()};
  }

  // Of what the hub says of itself.
  void note_change() {
    for (const auto& [directory, device] : locals_) {
      if (Result<void> saved = save_account(directory, device); !saved && failure_) {
        failure_ = saved;
        stop();
      }
    }
    if (hub_->holds() && !std::exchange(announced_, true)) announcement_ = announce(*hub_);
  }

  Result<void> save_account(const std::filesystem::path& directory, const hub::LocalDevice& device) {
    const DeviceId id = hub_->local_device(device.key_spki);
    if (id == DeviceId{}) return {};
    // A hub that listens on one address only is reached there by its own PC too.
    const bool everywhere = start_.address == "0.0.0.0" || start_.address == "::";
    return account::save_account(directory,
                                 {.endpoint = {.host = everywhere ? "127.0.0.1" : start_.address, .port = hub_->port()},
                                  .hub_identity = hub_->identity_key(),
                                  .device = id,
                                  .pool_name = hub_->pool_name(),
                                  .other_hubs = hub_->other_hubs()});
  }

  std::unique_ptr<net::Announcement> announce(const hub::Hub& hub) {
    const std::string fingerprint = to_base64url(net::sha256(hub.identity_key()).substr(0, kFingerprintBytes));
    Result<std::unique_ptr<net::Announcement>> announcement =
        net::Announcement::publish(hub.pool_name(), hub.port(), fingerprint);
    if (announcement) return std::move(*announcement);
    log_info(announcement.error().message);
    return nullptr;
  }

  void stop() {
    if (std::exchange(stopping_, true)) return;
    loop_.spawn([](HubDaemon& daemon) -> net::Async<void> {
      co_await daemon.hub_->stop();
      daemon.loop_.stop();
    }(*this));
  }

  const cli::HubStart& start_;
  cli::Home home_;
  net::Loop loop_;
  egress::Resolver resolver_;
  egress::Poster poster_{
      {.resolve = [this](std::string host, Time due) { return resolver_.resolve(std::move(host), due); }}};
  std::unique_ptr<hub::Hub> hub_;
  std::vector<std::pair<std::filesystem::path, hub::LocalDevice>> locals_;
  bool announced_ = false;
  std::unique_ptr<net::Announcement> announcement_;
  bool stopping_ = false;
  Result<void> failure_;
};

// Every connection is an open file, and most systems begin with 1024: takes as many as this process may have.
void allow_many_files() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log_warning("the limit on open files cannot be raised");
}

int run_hub(const cli::HubStart& start) {
  allow_many_files();
  const Result<void> done = HubDaemon(start).run();
  if (done) return 0;
  log_error("the hub cannot go on: " + done.error().message);
  return 1;
}

// MicroVMs by emulation isolate nobody: the tests of this program alone set this.
bool insecure_tcg_for_tests() { return std::getenv("HEARTH_INSECURE_TCG_FOR_TESTS") != nullptr; }

std::vector<cli::Finding> check_store(const std::string& url) {
  const Result<store::StoreReport> report = store::examine_postgres({.url = url});
  if (!report) return {{"database", false, true, report.error().message, ""}};
  std::vector<cli::Finding> findings = {{"database", true, true, "PostgreSQL " + report->server_version, ""}};
  if (report->confirmed_by.empty()) {
    findings.push_back({"second server", false, false,
                        "no other server confirms a commit: what was acknowledged is lost with this one's disk",
                        "replicate it and set synchronous_standby_names, see packaging/postgresql/README.md"});
  } else {
    findings.push_back({"second server", true, false, "commits are confirmed by " + report->confirmed_by, ""});
  }
  if (!report->pool) {
    findings.push_back({"pool", true, false, "none yet: it is ready for one", ""});
  } else if (report->pool->filling) {
    findings.push_back({"pool", false, false, "a move into it was begun and is not complete",
                        "start the hub of the PC that it comes from"});
  } else {
    const std::string holder = report->pool->holder.empty() ? "no hub" : report->pool->holder;
    findings.push_back({"pool", true, false,
                        fmt::format("\"{}\", {} jobs, held by {}", report->pool->name, report->pool->jobs, holder),
                        ""});
  }
  return findings;
}

// What the hub would do when it starts.
Result<void> move_store(const cli::HubStart& start) {
  const cli::Home home{start.home};
  return hub::move_pool(
      {.directory = home.hub(), .store = start.store, .pc_name = cli::host_name(), .pool_name = start.name});
}

Result<void> begin_standby(const cli::HubStart& start,
                           const std::function<Result<v1::HubCard>(const v1::HubCard&)>& introduce) {
  const cli::Home home{start.home};
  return hub::begin_standby({.directory = home.hub(), .drive = home.drive(), .pc_name = cli::host_name()}, introduce);
}

slurm::Options cluster_of(const cli::NodeStart& start) {
  return {.state_directory = cli::Home{start.home}.node() / "slurm",
          .program = cli::this_program(),
          .terms = {.partition = start.slurm->partition, .account = start.slurm->account}};
}

int run_node(const cli::NodeStart& start) {
  node::RunOptions options{.directory = cli::Home{start.home}.node(),
                           .own_pool = start.own_pool,
                           .swarm_program = cli::swarm_program(),
                           .screen_program = cli::screen_program(),
                           .media_program = cli::media_program(),
                           .terminal_program = cli::terminal_program(),
                           .insecure_tcg_for_tests = insecure_tcg_for_tests()};
  if (start.slurm) options.open_host = [&start] { return slurm::open_host(cluster_of(start)); };
  return node::run(options);
}

std::vector<cli::Finding> check_slurm(const cli::NodeStart& start) {
  constexpr Duration kLimit = minutes(2);
  const Result<std::string> tried = slurm::try_cluster(cluster_of(start), kLimit);
  if (tried) return {{"cluster", true, true, *tried + ": a first job ran in its sandbox", ""}};
  const bool waits = tried.error().code == Code::kDeadlineExceeded;
  const std::string remedy = tried.error().message.contains("bubblewrap")
                                 ? "ask whoever runs the cluster to install bubblewrap on its machines"
                             : tried.error().code == Code::kUnavailable
                                 ? "this is to be run where sinfo answers, as on the cluster's login machine"
                                 : "";
  return {{"cluster", false, !waits, tried.error().message, remedy}};
}

cli::Finding finding_of(const sandbox::LevelReport& report) {
  return {"level " + std::string(sandbox::name_of(report.level)), report.passed, report.level == sandbox::Level::kFence,
          report.detail, report.remedy};
}

// In a directory of its own: the node's may be in use.
std::vector<cli::Finding> test_sandbox(const std::filesystem::path& home) {
  std::string directory = (std::filesystem::temp_directory_path() / "hearth-doctor-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    return {{"sandbox", false, true, directory + " cannot be made", "make room in the directory for temporary files"}};
  }
  std::vector<cli::Finding> findings;
  {
    const Result<std::unique_ptr<sandbox::Host>> host =
        sandbox::Host::open({.state_directory = directory,
                             .microvm = {.directory = cli::Home{home}.node() / "microvm",
                                         .insecure_tcg_for_tests = insecure_tcg_for_tests()}});
    if (!host) findings.push_back({"sandbox", false, true, host.error().message, ""});
    if (const Result<cli::Policy> policy = cli::load_policy(cli::Home{home}); host && policy) {
      (*host)->use_oci_runtime(policy->oci_runtime);
    }
    for (const sandbox::Check& check : host ? (*host)->self_test() : std::vector<sandbox::Check>()) {
      findings.push_back({check.name, check.ok, check.required, check.detail, check.remedy});
    }
    for (const sandbox::LevelReport& report : host ? (*host)->levels() : std::vector<sandbox::LevelReport>()) {
      findings.push_back(finding_of(report));
    }
  }
  std::error_code failure;
  std::filesystem::remove_all(directory, failure);
  return findings;
}

// By which this PC sees that its owner is here. None is required: what nothing can tell counts as the owner's presence.
std::vector<cli::Finding> look_for_owner_sources() {
  std::vector<cli::Finding> findings;
  for (const presence::SourceState& source : presence::Watcher::start({}, [](const presence::Sight&) {})->sources()) {
    findings.push_back({"owner: " + source.name, source.ok, false, source.detail,
                        source.ok ? "" : "nothing on a PC where nobody sits; else see hearth limit --owner-first"});
  }
  return findings;
}

// The sandbox first: its test needs a process of one thread.
std::vector<cli::Finding> test_this_pc(const std::filesystem::path& home) {
  std::vector<cli::Finding> findings = test_sandbox(home);
  for (cli::Finding& finding : look_for_owner_sources()) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  return hearth::cli::run(argc, argv,
                          {.hub = hearth::run_hub,
                           .node = hearth::run_node,
                           .self_test = hearth::test_this_pc,
                           .check_store = hearth::check_store,
                           .move_store = hearth::move_store,
                           .begin_standby = hearth::begin_standby,
                           .check_slurm = hearth::check_slurm,
                           .attempt = hearth::slurm::run_attempt});
}
