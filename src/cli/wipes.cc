// `hearth verify-wipe`: checks, without asking anybody, what nodes signed about wiping.
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "account/wipe_record.h"
#include "base/bytes.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/values.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::cli {
namespace {

constexpr std::uint32_t kTasksPerCall = 1000;
constexpr std::size_t kMaxLineBytes = 64 << 10;
constexpr std::size_t kMostComplaints = 20;

// What became of the records that were looked at.
struct Tally {
  std::uint64_t verified = 0;
  std::map<std::string, std::uint64_t> by_key;
  std::map<std::string, std::uint64_t> storage;
  std::vector<std::string> remains;   // of whom something does
  std::vector<std::string> unproved;  // of whom no record says that nothing does

  void add(const std::string& what, const v1::WipeRecord& record) {
    const Result<v1::WipeStatement> statement = account::verify_wipe(record);
    if (!statement) return doubt(what, statement.error().message);
    for (const std::string& left : statement->remains()) remains.push_back(what + ": remains: " + left);
    if (!statement->remains().empty()) return;
    ++verified;
    ++by_key[account::key_name(record.node_key())];
    for (const std::string& kind : statement->storage()) ++storage[kind];
    if (statement->workspace().empty() || statement->job_id() == 0) return;
    ++storage["a workspace, which stays on the disk until it is removed"];
  }
  void doubt(const std::string& what, const std::string& why) { unproved.push_back(what + ": " + why); }
};

std::string name_of(const v1::WipeStatement& statement) {
  return fmt::format("job {}, task {}, attempt {}", statement.job_id(), statement.task(), statement.epoch());
}

// A record vouches for the attempt that it names and no other.
void check_task(std::uint64_t job, const v1::Task& task, Tally& tally, std::string& lines) {
  const std::string what = fmt::format("job {}, task {}", job, task.index());
  if (!task.outcome().has_wiped()) {
    // Tasks that never came to run have nothing to wipe.
    if (task.attempts() == 0) return;
    if (task.ended().unix_millis() == 0) {
      tally.doubt(what, "it has not ended; what it leaves is wiped then");
    } else if (task.state() == v1::TASK_STATE_CANCELLED) {
      tally.doubt(what, "it was cancelled before its node said how it ended; on that PC: hearth verify-wipe");
    } else {
      tally.doubt(what, "its node signed nothing");
    }
    return;
  }
  const v1::WipeRecord& record = task.outcome().wiped();
  lines += account::wipe_to_line(record) + "\n";
  v1::WipeStatement statement;
  statement.ParseFromString(record.statement());
  if (statement.job_id() != job || statement.task() != task.index()) {
    return tally.doubt(what, "the record is about " + name_of(statement));
  }
  tally.add(what, record);
}

Result<std::string> check_job(Client& client, std::uint64_t job, Tally& tally) {
  std::string lines;
  v1::GetJobRequest request;
  request.set_job_id(job);
  request.set_task_limit(kTasksPerCall);
  for (std::uint32_t tasks = 1; request.first_task() < tasks;) {
    const Result<v1::GetJobReply> reply = client.call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
    if (!reply) return std::unexpected(reply.error());
    tasks = reply->job().spec().tasks();
    for (const v1::Task& task : reply->tasks()) check_task(job, task, tally, lines);
    request.set_first_task(request.first_task() + kTasksPerCall);
  }
  return lines;
}

Result<void> check_file(const std::filesystem::path& file, Tally& tally) {
  std::ifstream in(file);
  if (!in) return fail_errno(errno, "opening " + file.string());
  std::uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string what = fmt::format("{}, line {}", file.filename().string(), ++number);
    Result<v1::WipeRecord> record = line.size() > kMaxLineBytes
                                        ? Result<v1::WipeRecord>(fail(Code::kInvalidArgument, "it is too long"))
                                        : account::wipe_from_line(line);
    if (record) {
      tally.add(what, *record);
    } else {
      tally.doubt(what, record.error().message);
    }
  }
  return {};
}

// What this PC's own node keeps.
Result<void> check_own_log(const Home& home, Tally& tally) {
  const std::filesystem::path newest = home.node() / "wipes.jsonl";
  if (!std::filesystem::exists(newest)) {
    return fail(Code::kNotFound,
                "no guest's task has been wiped on this PC yet; a job's are checked with: hearth verify-wipe JOB");
  }
  for (const std::filesystem::path& file : {home.node() / "wipes.1.jsonl", newest}) {
    if (!std::filesystem::exists(file)) continue;
    if (Result<void> checked = check_file(file, tally); !checked) return checked;
  }
  return {};
}

Result<void> save(const std::string& file, const std::string& lines) {
  std::ofstream out(file, std::ios::trunc);
  out << lines << std::flush;
  if (!out) return fail_errno(errno, "writing " + file);
  return {};
}

void list(const char* heading, const std::vector<std::string>& complaints) {
  for (std::size_t i = 0; i < std::min(kMostComplaints, complaints.size()); ++i) say(heading + plain(complaints[i]));
  if (complaints.size() > kMostComplaints) say(fmt::format("... and {} more", complaints.size() - kMostComplaints));
}

int report(const Context& context, const Tally& tally) {
  const bool is_undoubted = tally.remains.empty() && tally.unproved.empty();
  const bool is_clean = is_undoubted && tally.verified > 0;
  if (context.json) {
    std::vector<std::string> keys;
    for (const auto& [key, count] : tally.by_key) keys.push_back(key);
    print(object_json({{"verified", static_cast<std::int64_t>(tally.verified)},
                       {"keys", keys},
                       {"not_wiped", tally.remains},
                       {"not_verified", tally.unproved}}));
    return is_clean ? 0 : 1;
  }
  list("NOT WIPED     ", tally.remains);
  list("NOT VERIFIED  ", tally.unproved);
  if (tally.verified == 0 && is_undoubted) {
    say("nothing was verified: there is no record of a wipe; a task has one once it has run on a node");
    return 1;
  }
  std::string text = tally.verified == 0
                         ? std::string()
                         : fmt::format("{} attempt(s) verified: nothing of them remains\n", tally.verified);
  for (const auto& [kind, count] : tally.storage) text += fmt::format("  {:>7} kept in {}\n", count, plain(kind));
  for (const auto& [key, count] : tally.by_key)
    text += fmt::format("  {:>7} signed by the node with key {}\n", count, key);
  print(text);
  return is_clean ? 0 : 1;
}

}  // namespace

Result<int> verify_wipe(const Context& context, const WipeOptions& options) {
  Tally tally;
  if (!options.file.empty() && !options.job.empty()) {
    return fail(Code::kInvalidArgument, "JOB and --file: one of them is checked at a time");
  }
  if (!options.file.empty()) {
    if (Result<void> checked = check_file(options.file, tally); !checked) return std::unexpected(checked.error());
  } else if (options.job.empty()) {
    if (Result<void> checked = check_own_log(context.home, tally); !checked) return std::unexpected(checked.error());
  } else {
    const Result<std::uint64_t> job = parse_job(options.job);
    if (!job) return std::unexpected(job.error());
    const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
    if (!client) return std::unexpected(client.error());
    const Result<std::string> lines = check_job(**client, *job, tally);
    if (!lines) return std::unexpected(lines.error());
    if (!options.save.empty()) {
      if (Result<void> saved = save(options.save, *lines); !saved) return std::unexpected(saved.error());
    }
  }
  return report(context, tally);
}

}  // namespace hearth::cli
