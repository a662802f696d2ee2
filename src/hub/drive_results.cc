#include "hub/drive_results.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/log.h"
#include "blob/transfer.h"
#include "drive/files.h"
#include "hearth/v1/jobs.pb.h"
#include "hub/drive_scope.h"

namespace hearth::hub {
namespace {

constexpr std::string_view kMarks = "results";
constexpr Duration kAgainAfter = minutes(1);
constexpr std::size_t kMaxTroubleBytes = 512;
constexpr std::uint32_t kTasksAtOnce = 500;
constexpr std::size_t kCopiedAtOnce = 64 << 20;
constexpr std::size_t kComparedAtOnce = 64 << 10;

// Blocks.
Result<void> make_mark(const drive::Folder& folder, JobId job, const std::string& trouble = "") {
  const Result<std::filesystem::path> marks = folder.own(kMarks);
  if (!marks) return std::unexpected(marks.error());
  return folder.write_own(fmt::format("{}/{}", kMarks, job.value), std::string(utf8_prefix(trouble, kMaxTroubleBytes)));
}

void remove_mark(const drive::Folder& folder, JobId job) {
  if (const Result<std::filesystem::path> marks = folder.own(kMarks)) {
    ::unlink((*marks / std::to_string(job.value)).c_str());
  }
}

// Whether an open file of the drive has the same bytes. Blocks.
bool is_same(int file, std::uint64_t bytes, const blob::Reader& blob) {
  if (bytes != blob.size()) return false;
  std::array<char, kComparedAtOnce> there;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the read
  std::array<char, kComparedAtOnce> here;   // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the read
  for (std::uint64_t at = 0; at < bytes;) {
    const ssize_t one = ::pread(file, there.data(), there.size(), static_cast<off_t>(at));
    const ssize_t other = ::pread(blob.file(), here.data(), here.size(), static_cast<off_t>(at));
    if (one <= 0 || one != other || !std::equal(there.begin(), there.begin() + one, here.begin())) return false;
    at += static_cast<std::uint64_t>(one);
  }
  return true;
}

// What a program that failed has left may be half a picture: it stays with its job.
bool is_result(v1::FailureReason reason) {
  return reason == v1::FAILURE_REASON_UNSPECIFIED || reason == v1::FAILURE_REASON_OUTPUT;
}

}  // namespace

void DriveResults::start() {
  running_ = true;
  loop_.spawn(run());
}

net::Async<void> DriveResults::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

void DriveResults::job_ended(JobId job) {
  if (waiting_.contains(job)) wake();
}

void DriveResults::job_removed(JobId job, DeviceId) {
  if (!waiting_.contains(job) && !troubles_.contains(job)) return;
  waiting_.insert(job);  // its mark goes
  wake();
}

void DriveResults::describe(v1::Job& job) const {
  job.set_drive_outputs_due(waiting_.contains({job.id()}));
  if (const auto found = troubles_.find({job.id()}); found != troubles_.end()) {
    job.set_drive_outputs_trouble(found->second);
  }
}

void DriveResults::note_trouble(JobId job, const std::string& trouble) {
  if (trouble.empty()) {
    troubles_.erase(job);
  } else {
    troubles_[job] = is_utf8(trouble) ? utf8_prefix(trouble, kMaxTroubleBytes) : "a name is no text";
  }
}

void DriveResults::wake() {
  is_due_ = true;
  woken_.notify();
}

net::Async<Result<void>> DriveResults::expect(JobId job) {
  const Result<drive::Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<void> marked = co_await workers_.run([&] { return make_mark(**folder, job); });
  if (!marked) co_return marked;
  waiting_.insert(job);
  wake();  // it may have ended already
  co_return Result<void>();
}

net::Async<void> DriveResults::run() {
  co_await find_marks();
  while (!stopping_) {
    is_due_ = false;
    bool is_over = true;
    for (const JobId job : std::set<JobId>(waiting_)) {
      if (stopping_ || engine_.live_job(job) != nullptr) continue;
      const auto known = troubles_.find(job);
      const std::string before = known == troubles_.end() ? std::string() : known->second;
      if (const Result<void> delivered = co_await deliver(job); !delivered) {
        is_over = false;
        if (delivered.error().message == before) continue;  // said already
        log_warning("results of a job are not in the drive yet: " + delivered.error().message, {{"job", job.value}});
      }
    }
    if (is_due_ || stopping_) continue;
    if (is_over) {
      co_await woken_.wait();
    } else {
      co_await woken_.wait(kAgainAfter);
    }
  }
  running_ = false;
  stopped_.notify();
}

// The drive's folder is not made for this.
net::Async<void> DriveResults::find_marks() {
  std::error_code error;
  if (!std::filesystem::exists(drive_.root() / drive::Path::kOwnFolder / kMarks, error)) co_return;
  using Marks = std::map<JobId, std::string>;
  const Marks found = co_await workers_.run([&] {
    Marks jobs;
    for (const auto& mark : Entries(drive_.root() / drive::Path::kOwnFolder / kMarks, error)) {
      const std::string name = mark.path().filename();
      JobId job;
      const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), job.value);
      if (wrong != std::errc() || end != name.data() + name.size()) continue;
      std::ifstream in(mark.path(), std::ios::binary);
      std::string trouble(kMaxTroubleBytes, '\0');
      in.read(trouble.data(), static_cast<std::streamsize>(trouble.size()));
      trouble.resize(static_cast<std::size_t>(in.gcount()));
      jobs[job] = trouble;
    }
    return jobs;
  });
  for (const auto& [job, trouble] : found) {
    if (trouble.empty()) waiting_.insert(job);
    note_trouble(job, trouble);
  }
}

net::Async<Result<void>> DriveResults::deliver(JobId job) {
  const Result<drive::Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<std::optional<store::JobRow>> row =
      co_await engine_.ask([job](store::Store& store) { return store.load_job(job); });
  if (!row) co_return std::unexpected(row.error());
  v1::JobSpec spec;
  if (*row && !spec.ParseFromString((*row)->spec)) co_return fail(Code::kDataLoss, "the job's record cannot be read");
  const Result<drive::Path> path = drive::Path::parse(spec.drive_outputs());
  const DeviceId owner = *row ? (*row)->request.owner : DeviceId();
  const Result<drive::Scope> scope = drive_scope(devices_, accounts_, drive_, owner);
  Target target{.job = job,
                .folder = path.value_or(drive::Path()),
                .holder = {.device = owner, .name = devices_.name(owner), .tokens = {}},
                .scope = scope.value_or(drive::Scope())};
  // The results of one that may no longer reach the drive stay with the job; one that was removed has none.
  const bool is_due = *row && path && scope && scope->reaches(*path);
  if (*row && !is_due) {
    target.trouble = "its device may not reach that folder any more";
    log_warning("results of a job do not come into the drive: " + target.trouble, {{"job", job.value}});
  }
  for (std::uint32_t first = 0; is_due && first < (*row)->request.tasks; first += kTasksAtOnce) {
    const Result<std::vector<store::TaskRow>> tasks =
        co_await engine_.ask([&](store::Store& store) { return store.load_tasks(job, first, kTasksAtOnce, false); });
    if (!tasks) co_return std::unexpected(tasks.error());
    for (const store::TaskRow& task : *tasks) {
      v1::Outcome outcome;
      if (!outcome.ParseFromString(task.outcome) || !outcome.has_outputs()) continue;
      if (!is_result(outcome.reason())) continue;
      const Result<void> put = co_await put_outputs(target, outcome.outputs());
      if (put) continue;
      note_trouble(job, put.error().message);
      changed_(job, owner);
      co_return put;
    }
  }
  const bool is_whole = target.trouble.empty() || !*row;
  const Result<void> noted = co_await workers_.run([&]() -> Result<void> {
    if (!is_whole) return make_mark(**folder, job, target.trouble);
    remove_mark(**folder, job);
    return {};
  });
  if (!noted) co_return noted;
  waiting_.erase(job);
  note_trouble(job, is_whole ? "" : target.trouble);
  changed_(job, owner);
  co_return Result<void>();
}

net::Async<Result<void>> DriveResults::put_outputs(Target& target, v1::Blob tree) {
  const Result<std::string> bytes =
      co_await workers_.run([&] { return blobs_.load(tree.sha256(), blob::kMaxTreeBytes); });
  v1::Tree files;
  if (!bytes || !files.ParseFromString(*bytes)) {
    target.trouble = "the results of a task are not here any more";
    log_warning("results that are not here do not come into the drive",
                {{"job", target.job.value}, {"tree", to_hex(tree.sha256())}});
    co_return Result<void>();
  }
  for (const v1::TreeFile& file : files.files()) {
    const Result<void> put = co_await put_file(target, file);
    const bool is_hopeless =
        !put && (put.error().code == Code::kNotFound || put.error().code == Code::kInvalidArgument ||
                 put.error().code == Code::kPermissionDenied);
    if (is_hopeless) {
      if (target.trouble.empty()) target.trouble = fmt::format("{}: {}", file.path(), put.error().message);
      log_warning("a result does not come into the drive: " + put.error().message,
                  {{"job", target.job.value}, {"file", file.path()}});
    } else if (!put) {
      co_return put;
    }
  }
  co_return Result<void>();
}

net::Async<Result<void>> DriveResults::put_file(const Target& target, const v1::TreeFile& file) {
  const std::string above = target.folder.is_root() ? "" : target.folder.text();
  const Result<drive::Path> path = target.scope.inside(above + "/" + file.path());
  if (!path) co_return std::unexpected(path.error());
  const Result<drive::Folder*> folder = co_await drive_.open();
  if (!folder) co_return std::unexpected(folder.error());
  const Result<blob::Reader> blob = co_await workers_.run([&] { return blobs_.read(file.blob().sha256()); });
  if (!blob) co_return std::unexpected(blob.error());
  // From before the hub was interrupted, or of another task.
  const bool is_there = co_await workers_.run([&] {
    const Result<std::pair<Fd, drive::Entry>> there = (*folder)->read(*path);
    return there && is_same(there->first.get(), there->second.bytes, *blob);
  });
  if (is_there) co_return Result<void>();
  Result<drive::Incoming> incoming = co_await workers_.run([&] { return (*folder)->receive(blob->size()); });
  if (!incoming) co_return std::unexpected(incoming.error());
  for (std::uint64_t at = 0, copied = 1; copied > 0; at += copied) {
    const Result<std::uint64_t> some = co_await workers_.run(
        [&] { return drive::copy_some(blob->file(), at, incoming->descriptor(), kCopiedAtOnce); });
    if (!some) co_return fail(some, "writing a result");
    copied = *some;
  }
  const Result<void> finished = co_await workers_.run([&] { return incoming->finish(); });
  if (!finished) co_return finished;
  const auto place = [&](drive::Folder& where) -> Result<drive::Placed> {
    if (Result<void> made = where.make_parents(*path); !made) return std::unexpected(made.error());
    const Result<drive::Path> free = where.free_name(*path);
    if (!free) return std::unexpected(free.error());
    return where.place(*std::move(incoming), *free, {});
  };
  const Result<drive::Placed> placed =
      co_await drive_.change(target.holder, {{.path = *path, .reach = drive::Touched::Reach::kName}}, place);
  co_return placed ? Result<void>() : std::unexpected(placed.error());
}

}  // namespace hearth::hub
