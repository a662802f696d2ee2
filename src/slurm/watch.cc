#include "slurm/watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/fd.h"
#include "slurm/judge.h"

namespace hearth::slurm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kFilesPause = milliseconds(200);
constexpr auto kJobsPause = seconds(2);
constexpr auto kKillPause = milliseconds(400);  // while one is waited for that was cancelled
constexpr auto kSupplyPause = seconds(6);
// An end that was written may take a while to be seen here.
constexpr auto kFilesLag = seconds(4);
// A job that was just submitted may not be listed yet.
constexpr auto kListingLag = seconds(20);
constexpr std::chrono::microseconds kShortPatience = seconds(2);
constexpr std::size_t kMaxEnd = 16 << 20;
constexpr std::size_t kMaxSaid = 4096;
constexpr std::size_t kPiece = 1 << 20;

std::chrono::microseconds span_of(Duration span) { return std::chrono::microseconds(span.micros); }

// The end of what Slurm and the shell printed.
std::string last_words(const std::filesystem::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return "";
  const off_t all = status.st_size;
  std::string said(std::min<std::size_t>(static_cast<std::size_t>(all), kMaxSaid), '\0');
  const ssize_t count = ::pread(fd.get(), said.data(), said.size(), all - static_cast<off_t>(said.size()));
  said.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return said;
}

}  // namespace

Watch::Watch(const Cluster& cluster, const Supply& first)
    : cluster_(cluster), supply_(first), files_([this] { look_at_files(); }), slurm_([this] { talk_to_slurm(); }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  files_.join();
  slurm_.join();
}

void Watch::add(const std::shared_ptr<Job>& job) {
  const std::lock_guard lock(mutex_);
  job->submitted = Clock::now();
  jobs_.push_back(job);
}

void Watch::kill(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard lock(mutex_);
    if (job->end || std::exchange(job->kill_wanted, true)) return;
  }
  changed_.notify_all();
}

void Watch::remove(const std::shared_ptr<Job>& job) {
  const std::lock_guard calling(calling_);
  const std::lock_guard lock(mutex_);
  std::erase(jobs_, job);
}

bool Watch::wait_for_end(const std::shared_ptr<Job>& job, Duration limit) {
  std::unique_lock lock(mutex_);
  const auto patience = waited_in_vain_ ? std::min(span_of(limit), kShortPatience) : span_of(limit);
  const bool is_over = changed_.wait_for(lock, patience, [&] { return job->end.has_value(); });
  waited_in_vain_ = !is_over;
  return is_over;
}

std::optional<End> Watch::end_of(const std::shared_ptr<Job>& job) const {
  const std::lock_guard lock(mutex_);
  return job->end;
}

Supply Watch::supply() const {
  const std::lock_guard lock(mutex_);
  return supply_;
}

sandbox::Room Watch::room() const {
  const std::lock_guard lock(mutex_);
  const Amount open = open_to(supply_, own_);
  const double all = supply_.usable.cores;
  return {.cores = open.cores,
          .memory_bytes = open.memory_bytes,
          .gpus = open.gpus,
          .load = all > 0 ? std::min(1.0, supply_.used.cores / all) : 0,
          .lack = lack_};
}

// --- files

void Watch::look_at_files() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::vector<std::shared_ptr<Job>> jobs = jobs_;
    lock.unlock();
    for (const std::shared_ptr<Job>& job : jobs) {
      const std::lock_guard calling(calling_);
      lock.lock();
      const bool is_here = std::ranges::find(jobs_, job) != jobs_.end() && !job->end;
      const bool is_to_stop = is_here && job->kill_wanted && !std::exchange(job->stop_written, true);
      std::optional<End> end = is_here ? overdue_end(*job) : std::nullopt;
      lock.unlock();
      // The quick way; Slurm's is the sure one.
      if (is_to_stop) static_cast<void>(write_whole(job->files.stop(), ""));
      if (!is_here || !look_at(*job, end)) continue;
      lock.lock();
      job->end = end;
      lock.unlock();
      changed_.notify_all();
      job->on_exit(end->exit);
    }
    lock.lock();
    changed_.wait_for(lock, kFilesPause, [this] { return stopping_; });
  }
}

// Whether it has ended; `end` says how, and is what holds if the attempt tells nothing.
bool Watch::look_at(Job& job, std::optional<End>& end) {
  // The end is looked for first: what was printed before it is there then.
  const Result<std::string> text = read_file(job.files.end(), kMaxEnd);
  read_log(job);
  if (text) {
    Result<End> told = parse_end(*text);
    if (!told) {
      log_warning(told.error().message, {{"file", job.files.end().string()}});
      told = End{.exit = {.message = told.error().message, .fate = sandbox::Fate::kLost}, .outputs = {}, .refusal = {}};
    }
    end = std::move(*told);
  }
  return end.has_value();
}

void Watch::read_log(Job& job) {
  const Fd fd(::open(job.files.log().c_str(), O_RDONLY | O_CLOEXEC));
  std::string piece(fd ? kPiece : 0, '\0');
  while (fd) {
    const ssize_t count = ::pread(fd.get(), piece.data(), piece.size(), static_cast<off_t>(job.log_offset));
    if (count <= 0) return;
    job.log_offset += static_cast<std::uint64_t>(count);
    if (!job.log.feed(std::string_view(piece).substr(0, static_cast<std::size_t>(count)), job.on_output)) return;
  }
}

// By Slurm's word alone, once no other one can be on its way. Under the lock.
std::optional<End> Watch::overdue_end(const Job& job) const {
  if (!job.verdict || (!job.kill_wanted && Clock::now() - job.verdict_at < kFilesLag)) return std::nullopt;
  return End{.exit = *job.verdict, .outputs = {}, .refusal = {}};
}

// --- Slurm

void Watch::talk_to_slurm() {
  Clock::time_point next_jobs;
  Clock::time_point next_supply = Clock::now() + kSupplyPause;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool kills = std::ranges::any_of(jobs_, [](const auto& job) { return job->kill_wanted && !job->end; });
    const bool untold =
        std::ranges::any_of(jobs_, [](const auto& job) { return job->kill_wanted && !job->kill_told && !job->end; });
    const Clock::time_point now = Clock::now();
    const bool with_supply = now >= next_supply;
    const bool with_jobs = with_supply || (!jobs_.empty() && (kills || now >= next_jobs));
    lock.unlock();
    if (untold) tell_kills();
    if (with_jobs) ask_for_jobs(with_supply);
    lock.lock();
    if (with_jobs) next_jobs = Clock::now() + kJobsPause;
    if (with_supply) next_supply = Clock::now() + kSupplyPause;
    changed_.wait_for(lock, kKillPause, [this] {
      return stopping_ || std::ranges::any_of(
                              jobs_, [](const auto& job) { return job->kill_wanted && !job->kill_told && !job->end; });
    });
  }
}

void Watch::tell_kills() {
  std::vector<std::shared_ptr<Job>> told;
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const std::shared_ptr<Job>& job : jobs_) {
      if (!job->kill_wanted || job->kill_told || job->end) continue;
      job->kill_told = true;
      told.push_back(job);
      ids.push_back(job->id);
    }
  }
  if (const Result<void> done = cluster_.cancel(ids); !done) {
    log_warning("jobs could not be cancelled in the cluster: " + done.error().message);
    std::this_thread::sleep_for(kKillPause);
    const std::lock_guard lock(mutex_);
    for (const std::shared_ptr<Job>& job : told) job->kill_told = false;
  }
}

// What there is and what of it is ours, at the same moment as nearly as can be.
void Watch::ask_for_jobs(bool with_supply) {
  Result<Supply> supply = with_supply ? cluster_.supply() : Result<Supply>(Supply{});
  const Result<std::map<std::uint64_t, JobLine>> lines = supply ? cluster_.jobs() : std::unexpected(supply.error());
  if (lines) take(*lines);
  const std::lock_guard lock(mutex_);
  const std::string lack = lines ? "" : "its cluster does not answer: " + lines.error().message;
  if (lack != lack_ && !lack.empty()) log_warning(lack);
  if (with_supply || !lines) lack_ = lack;
  if (!lines || !with_supply) return;
  supply_ = std::move(*supply);
  own_ = {};
  for (const auto& [id, line] : *lines) {
    if (!is_running(line.state)) continue;
    own_.cores += line.holds.cores;
    own_.memory_bytes += line.holds.memory_bytes;
    own_.gpus += line.holds.gpus;
  }
}

void Watch::take(const std::map<std::uint64_t, JobLine>& lines) {
  const Clock::time_point now = Clock::now();
  std::vector<std::pair<std::shared_ptr<Job>, std::optional<JobLine>>> over;
  {
    const std::lock_guard lock(mutex_);
    for (const std::shared_ptr<Job>& job : jobs_) {
      if (job->verdict || job->end) continue;
      const auto found = lines.find(job->id);
      if (found == lines.end() && now - job->submitted < kListingLag) continue;
      const std::optional<JobLine> line = found == lines.end() ? std::nullopt : std::optional(found->second);
      if (line && line->state == "PENDING" && now - job->submitted >= span_of(kLongestWait)) {
        job->gave_up = gave_up_waiting(*line);
        job->kill_wanted = true;
      }
      if (!line || has_ended(line->state)) over.emplace_back(job, line);
    }
  }
  for (const auto& [job, line] : over) {
    // Without the lock: the file system may take its time, and the node's loop asks what room there is.
    std::string said = last_words(job->files.slurm_out());
    const std::lock_guard lock(mutex_);
    job->verdict = job->gave_up ? job->gave_up : judge(line, job->id, job->kill_wanted, std::move(said));
    job->verdict_at = now;
  }
}

}  // namespace hearth::slurm
