#include "cli/restic.h"

#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kPartlyRead = 3;  // restic's exit code: a snapshot was made, of what could be read
// restic 0.14 waits for itself for ever where the target is full at the wrong moment (its packerUploader::QueuePacker,
// called by Flush once the uploads have failed). Its longest pause between two tries is 90 s.
constexpr std::chrono::minutes kMostIdle{3};
constexpr std::uintmax_t kLittleRoom = 128 << 20;  // what it writes at once, and takes away again if it fails
constexpr const char* kTag = "hearth-drive";
constexpr const char* kRepository = "repository";  // files of the workshop
constexpr const char* kCertificate = "certificate.pem";

// As people keep photographs: every day of a week, every week of a month, every month of a year.
const std::vector<std::string> kKept = {"--keep-last",   "3", "--keep-daily",   "7",
                                        "--keep-weekly", "5", "--keep-monthly", "12"};

std::string repository_of(const std::string& where) { return is_directory_target(where) ? "local:" + where : where; }

}  // namespace

Result<Restic> Restic::open(const Home& home, std::string where, std::string key) {
  Result<Workshop> workshop = Workshop::open(home.cli());
  if (!workshop) return std::unexpected(workshop.error());
  Restic restic(std::move(*workshop), home.hub() / "backup-cache", std::move(where), std::move(key));
  if (Result<void> prepared = restic.prepare(home); !prepared) return std::unexpected(prepared.error());
  return restic;
}

// An address may hold a password, which must not stand among a process's arguments.
Result<void> Restic::prepare(const Home& home) {
  std::string repository = repository_of(where_);
  if (is_granted_target(where_)) {
    Result<std::unique_ptr<SpaceDoor>> door = SpaceDoor::open(home, where_);
    if (!door) return std::unexpected(door.error());
    door_ = std::move(*door);
    repository = door_->repository();
    Result<void> written = write_file_atomically(workshop_.directory() / kCertificate, door_->certificate());
    if (!written) return written;
  }
  return write_file_atomically(workshop_.directory() / kRepository, repository);
}

Tool Restic::tool(std::vector<std::string> words) const {
  std::vector<std::string> argv = {"restic", "--repository-file", (workshop_.directory() / kRepository).string(),
                                   "--cache-dir", cache_.string()};
  if (door_) argv.insert(argv.end(), {"--cacert", (workshop_.directory() / kCertificate).string()});
  argv.insert(argv.end(), words.begin(), words.end());
  Tool tool{.argv = std::move(argv),
            .package = "restic",
            .variables = {"RESTIC_*", "RESTIC_PASSWORD=" + key_, "RESTIC_PROGRESS_FPS=1", "LC_ALL=C"},
            .most_idle = kMostIdle};
  tool.is_hopeless = [this](std::string_view said) { return is_hopeless(said) || (door_ && door_->refusal()); };
  return tool;
}

// It may have met a full disk without a word, see kMostIdle.
Error Restic::explain_idle(Error idle) const {
  std::error_code error;
  const fs::space_info space = fs::space(where_, error);
  if (is_directory_target(where_) && !error && space.available < kLittleRoom) {
    return explain_restic("no space left on device", where_);
  }
  idle.message = shown_target(where_) + ": " + idle.message;
  return idle;
}

Result<Ran> Restic::ask(const std::string& what, const Tool& tool,
                        const std::function<std::string(const std::string& line)>& progress) const {
  if (door_) door_->forget_refusal();
  Result<Ran> ran = workshop_.ask(what, tool, progress);
  const std::optional<Error> refusal = door_ ? door_->refusal() : std::nullopt;
  if (refusal && (!ran || ran->exit_code != 0)) return std::unexpected(*refusal);
  if (!ran && ran.error().code == Code::kDeadlineExceeded) return std::unexpected(explain_idle(ran.error()));
  if (ran && ran->exit_code != 0 && ran->exit_code != kPartlyRead) {
    return std::unexpected(explain_restic(ran->said, where_));
  }
  return ran;
}

Result<std::string> Restic::identify() const {
  const Result<Ran> ran = ask("looking at the target", tool({"cat", "config", "--no-lock"}));
  if (!ran) return std::unexpected(ran.error());
  const nlohmann::json config = nlohmann::json::parse(ran->printed, nullptr, false);
  if (!config.is_object() || !config.contains("id") || !config["id"].is_string()) {
    return fail(Code::kDataLoss, shown_target(where_) + ": what lies there cannot be read");
  }
  return config["id"].get<std::string>();
}

Result<std::string> Restic::create() const {
  if (const Result<Ran> ran = ask("preparing the target", tool({"init", "--repository-version", "2"})); !ran) {
    return std::unexpected(ran.error());
  }
  return identify();
}

Result<void> Restic::clear_dead_locks() const {
  const Result<Ran> ran = ask("looking at the target", tool({"unlock"}));
  if (!ran) return std::unexpected(ran.error());
  return {};
}

Result<BackupRun> Restic::back_up(const fs::path& drive) const {
  const std::string own = exact_pattern((drive / ".hearth").string());
  Tool backup = tool({"backup", ".", "--json", "--host", "hearth", "--tag", kTag, "--exclude", own + "/*", "--exclude",
                      "!" + own + "/trash", "--exclude", "!" + own + "/versions", "--exclude", "!" + own + "/private"});
  backup.directory = drive;
  const Result<Ran> ran = ask("backing up", backup, backup_progress);
  if (!ran) return std::unexpected(ran.error());
  const Result<BackupSummary> summary = parse_summary(ran->printed);
  if (!summary) return std::unexpected(summary.error());
  return BackupRun{.summary = *summary, .left_out = ran->exit_code == kPartlyRead ? ran->said : ""};
}

Result<void> Restic::thin_out() const {
  std::vector<std::string> words = {"forget", "--json", "--tag", kTag, "--group-by", "", "--prune"};
  words.insert(words.end(), kKept.begin(), kKept.end());
  const Result<Ran> ran = ask("thinning out old snapshots", tool(std::move(words)));
  if (!ran) return std::unexpected(ran.error());
  return {};
}

Result<std::vector<Snapshot>> Restic::snapshots() const {
  const Result<Ran> ran = ask("looking at the target", tool({"snapshots", "--json", "--no-lock", "--tag", kTag}));
  if (!ran) return std::unexpected(ran.error());
  return parse_snapshots(ran->printed);
}

Result<std::uint64_t> Restic::held_bytes() const {
  const Result<Ran> ran = ask("counting", tool({"stats", "--mode", "raw-data", "--json", "--no-lock"}));
  if (!ran) return std::unexpected(ran.error());
  const nlohmann::json stats = nlohmann::json::parse(ran->printed, nullptr, false);
  if (!stats.is_object() || !stats.contains("total_size") || !stats["total_size"].is_number_unsigned()) {
    return fail(Code::kDataLoss, "restic did not say how much it holds");
  }
  return stats["total_size"].get<std::uint64_t>();
}

Result<std::vector<SnapshotEntry>> Restic::entries(const Snapshot& snapshot, const std::string& path) const {
  const Result<Ran> ran = ask("looking into the snapshot", tool({"ls", "--json", "--no-lock", snapshot.id, path}));
  if (!ran) return std::unexpected(ran.error());
  return parse_entries(ran->printed);
}

Result<void> Restic::restore(const Snapshot& snapshot, const std::string& path, const fs::path& into) const {
  std::vector<std::string> words = {"restore", "--no-lock", snapshot.id, "--target", into.string()};
  if (path != "/") words.insert(words.end(), {"--include", exact_pattern(path)});
  const Result<Ran> ran = ask("recovering", tool(std::move(words)));
  if (!ran) return std::unexpected(ran.error());
  return {};
}

Result<std::vector<std::string>> Restic::check() const {
  const Result<Ran> ran = workshop_.ask("reading all of it", tool({"check", "--read-data", "--no-lock"}));
  if (!ran) return std::unexpected(ran.error());
  if (ran->exit_code == 0) return std::vector<std::string>();
  const Error error = explain_restic(ran->said, where_);
  if (error.code != Code::kDataLoss) return std::unexpected(error);
  return parse_damage(ran->said);
}

}  // namespace hearth::cli
