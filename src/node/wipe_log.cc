#include "node/wipe_log.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/entries.h"
#include "base/log.h"
#include "base/wall_clock.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

std::optional<AttemptId> attempt_named(std::string_view name) {
  std::array<std::uint64_t, 3> numbers{};
  for (std::uint64_t& number : numbers) {
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc()) return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    const bool is_last = &number == &numbers.back();
    if (name.empty() != is_last || (!is_last && name.front() != '-')) return std::nullopt;
    if (!is_last) name.remove_prefix(1);
  }
  return AttemptId{.task = {.job = {numbers[0]}, .index = static_cast<std::uint32_t>(numbers[1])},
                   .epoch = static_cast<std::uint32_t>(numbers[2])};
}

Result<void> write_to(const fs::path& file, int flags, std::string_view text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  if (fd < 0) return fail_errno(errno, "writing " + file.string());
  const ssize_t count = ::write(fd, text.data(), text.size());
  const int error = count < 0 ? errno : ENOSPC;
  ::close(fd);
  if (count != static_cast<ssize_t>(text.size())) return fail_errno(error, "writing " + file.string());
  return {};
}

}  // namespace

std::string attempt_name(AttemptId attempt) {
  return std::to_string(attempt.task.job.value) + "-" + std::to_string(attempt.task.index) + "-" +
         std::to_string(attempt.epoch);
}

Result<std::unique_ptr<WipeLog>> WipeLog::open(const fs::path& directory, const net::IdentityKey& key,
                                               const sandbox::Host& host) {
  std::error_code error;
  fs::create_directories(directory / "attempts", error);
  if (error) return fail_errno(error.value(), "making " + (directory / "attempts").string());
  return std::make_unique<WipeLog>(directory, key, host);
}

WipeLog::WipeLog(fs::path directory, const net::IdentityKey& key, const sandbox::Host& host)
    : directory_(std::move(directory)), key_(key), host_(host) {}

Result<void> WipeLog::begin(AttemptId attempt, sandbox::Level level, const std::string& workspace) {
  return write_to(directory_ / "attempts" / attempt_name(attempt), O_TRUNC,
                  std::string(sandbox::name_of(level)) + "\n" + workspace);
}

v1::WipeRecord WipeLog::end(AttemptId attempt, sandbox::Level level, const std::string& workspace) {
  return end(attempt, level, workspace, false);
}

v1::WipeRecord WipeLog::end(AttemptId attempt, sandbox::Level level, const std::string& workspace, bool after_crash) {
  const std::string name = attempt_name(attempt);
  const std::vector<std::string> storage = host_.storage_of(level);
  const std::vector<std::string> remains = host_.traces(name);
  v1::WipeStatement statement;
  statement.set_job_id(attempt.task.job.value);
  statement.set_task(attempt.task.index);
  statement.set_epoch(attempt.epoch);
  statement.set_level(std::string(sandbox::name_of(level)));
  statement.mutable_storage()->Assign(storage.begin(), storage.end());
  statement.set_workspace(workspace);
  statement.set_after_crash(after_crash);
  v1::WipeRecord record = sign_and_keep(std::move(statement), remains);
  // What remains is looked at again when the node starts the next time.
  if (remains.empty()) ::unlink((directory_ / "attempts" / name).c_str());
  return record;
}

v1::WipeRecord WipeLog::workspace_wiped(const std::string& name, const std::vector<std::string>& remains) {
  v1::WipeStatement statement;
  statement.add_storage("disk");
  statement.set_workspace(name);
  return sign_and_keep(std::move(statement), remains);
}

v1::WipeRecord WipeLog::sign_and_keep(v1::WipeStatement statement, const std::vector<std::string>& remains) {
  statement.mutable_remains()->Assign(remains.begin(), remains.end());
  statement.mutable_wiped()->set_unix_millis(wall_now().unix_millis);
  v1::WipeRecord record = account::sign_wipe(key_, statement);
  if (Result<void> kept = append(account::wipe_to_line(record) + "\n"); !kept) {
    log_warning("the record of a wipe could not be kept here: " + kept.error().message);
  }
  return record;
}

Result<void> WipeLog::append(const std::string& line) {
  const std::lock_guard lock(mutex_);
  const fs::path file = directory_ / "wipes.jsonl";
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) + line.size() > kMaxWipeLogBytes) {
    ::rename(file.c_str(), (directory_ / "wipes.1.jsonl").c_str());
  }
  return write_to(file, O_APPEND, line);
}

void WipeLog::end_crashed() {
  std::error_code error;
  std::map<AttemptId, std::pair<sandbox::Level, std::string>> left;
  for (const auto& entry : Entries(directory_ / "attempts", error)) {
    const std::optional<AttemptId> attempt = attempt_named(entry.path().filename().string());
    if (!attempt) continue;
    std::ifstream file(entry.path());
    std::string level;
    std::string workspace;
    std::getline(file, level);
    std::getline(file, workspace);
    left.emplace(*attempt, std::pair(sandbox::level_named(level).value_or(sandbox::Level::kFence), workspace));
  }
  for (const auto& [attempt, what] : left) end(attempt, what.first, what.second, true);
  if (!left.empty()) log_info("wiped what an earlier process left", {{"tasks", left.size()}});
}

}  // namespace hearth::node
