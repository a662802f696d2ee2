// What is particular to a store in one SQLite file: damage, a full disk, a second process, other versions.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/check.h"
#include "base/sizes.h"
#include "store/sqlite/database.h"
#include "store/sqlite/schema.h"
#include "store/store.h"

namespace {

// The error of every fsync of this program; 0: they are real.
std::atomic<int> fsync_error = 0;

int sync_unless_told(int file, long number) {
  if (const int error = fsync_error; error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(number, file));
}

}  // namespace

// In place of the C library's, for SQLite too.
extern "C" int fsync(int file) { return sync_unless_told(file, SYS_fsync); }
extern "C" int fdatasync(int file) { return sync_unless_told(file, SYS_fdatasync); }

namespace hearth::store {
namespace {

namespace fs = std::filesystem;

Batch big_job(std::uint64_t id) {
  Batch batch;
  batch.jobs.resize(1);
  batch.jobs[0].request.id = {id};
  batch.jobs[0].request_id = std::to_string(id);
  batch.jobs[0].spec = std::string(20'000, 's');
  return batch;
}

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void overwrite(const fs::path& file, std::streamoff offset, const std::string& bytes) {
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(offset);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(out.flush().good());
}

void execute(const fs::path& file, const std::string& sql) {
  sqlite3* connection = nullptr;
  CHECK(sqlite3_open(file.c_str(), &connection) == SQLITE_OK);
  CHECK(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
}

// What a program of its own gets that opens the file: 0, or the error's code.
int code_in_another_process(const fs::path& file) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<std::unique_ptr<Store>> opened = open_sqlite(file);
    std::_Exit(opened ? 0 : static_cast<int>(opened.error().code));
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

class SqliteStore : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hearth-sqlite-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    scratch_ = pattern;
    file_ = scratch_ / "pool.db";
  }
  void TearDown() override { fs::remove_all(scratch_); }

  std::unique_ptr<Store> open() {
    Result<std::unique_ptr<Store>> opened = open_sqlite(file_);
    CHECK(opened);
    return std::move(*opened);
  }
  Error refusal() {
    const Result<std::unique_ptr<Store>> opened = open_sqlite(file_);
    return opened ? Error{Code::kUnknown, "it was opened"} : opened.error();
  }
  void fill() {
    Batch batch = big_job(1);
    batch.jobs[0].spec.clear();
    batch.tasks.resize(2'000);
    for (TaskRow& task : batch.tasks) task.task = {{1}, static_cast<std::uint32_t>(&task - batch.tasks.data())};
    CHECK(open()->commit(batch));
  }

  fs::path scratch_;
  fs::path file_;
};

TEST_F(SqliteStore, TheFileItselfRefusesToChangeTheAuditLog) {
  Batch batch;
  batch.audit = {{1, {5}, std::string(32, 'h'), "did it"}};
  CHECK(open()->commit(batch));
  for (const char* sql : {"UPDATE audit SET statement = x''", "DELETE FROM audit", "DELETE FROM audit WHERE number = 1",
                          "UPDATE audit SET number = 2"}) {
    const auto database = Database::open(file_);
    ASSERT_TRUE(database);
    EXPECT_FALSE((*database)->execute(sql)) << sql;
  }
  EXPECT_EQ(open()->load_audit(0, {}, 10)->front().statement, "did it");
}

TEST_F(SqliteStore, TheFileIsItsOwnersAlone) {
  const std::unique_ptr<Store> store = open();
  ASSERT_TRUE(store->commit(big_job(1)));
  for (const char* name : {"pool.db", "pool.db-wal"}) {
    struct stat status{};
    ASSERT_EQ(::stat((scratch_ / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
}

TEST_F(SqliteStore, ASecondOpenIsRefusedInThisAndInAnotherProcess) {
  std::unique_ptr<Store> store = open();
  for (int time = 0; time < 2; ++time) {  // being refused must not loosen the first one's lock
    EXPECT_EQ(refusal().code, Code::kFailedPrecondition);
    EXPECT_NE(refusal().message.find(file_.string()), std::string::npos);
    EXPECT_EQ(code_in_another_process(file_), static_cast<int>(Code::kFailedPrecondition));
    ASSERT_TRUE(store->commit(big_job(static_cast<std::uint64_t>(time) + 1)));
  }
  store.reset();
  EXPECT_EQ(code_in_another_process(file_), 0);
}

TEST_F(SqliteStore, RefusesANewerVersionsFileAndLeavesItAlone) {
  open();
  execute(file_, "PRAGMA user_version = 9999");
  const std::string before = read_whole(file_);
  const Error error = refusal();
  EXPECT_EQ(error.code, Code::kFailedPrecondition);
  EXPECT_NE(error.message.find("newer version of Hearth"), std::string::npos) << error.message;
  EXPECT_EQ(read_whole(file_), before);
}

TEST_F(SqliteStore, BringsAFileOfTheFirstVersionToThisOneAndKeepsItsJobs) {
  {
    const Result<std::unique_ptr<Database>> old = Database::open(file_);
    ASSERT_TRUE(old);
    ASSERT_TRUE(migrate(**old, 1));
    ASSERT_EQ(*(*old)->integer("PRAGMA user_version"), 1);
    ASSERT_TRUE(
        (*old)->execute("INSERT INTO jobs (id, state, owner, tasks, cores, memory_bytes, gpus, retries, "
                        "submitted, started, ended, request_id, spec) VALUES (7, 2, 3, 10, 2, 4096, 1, 4, 11, "
                        "12, 13, x'6964', x'73706563');"
                        "INSERT INTO job_after VALUES (7, 0, 5)"));
  }
  const std::unique_ptr<Store> store = open();
  const JobRow job = **store->load_job({7});
  EXPECT_EQ(job.state, pool::JobState::kQueued);
  EXPECT_EQ(job.request.owner.value, 3U);
  EXPECT_EQ(job.request.tasks, 10U);
  EXPECT_EQ(job.request.per_task, (Resources{2, 4096, 1}));
  EXPECT_EQ(job.request.retries, 4U);
  EXPECT_EQ(job.request.after, std::vector<JobId>{{5}});
  EXPECT_EQ(job.submitted.unix_millis, 11);
  EXPECT_EQ(job.started.unix_millis, 12);
  EXPECT_EQ(job.ended.unix_millis, 13);
  EXPECT_EQ(job.request_id, "id");
  EXPECT_EQ(job.spec, "spec");
  EXPECT_EQ((*store->find_request({3}, "id"))->value, 7U);
  EXPECT_EQ(store->load_live_jobs()->size(), 1U);
}

TEST_F(SqliteStore, BringsUsageThatKnewNoAccountsToThisVersion) {
  {
    const Result<std::unique_ptr<Database>> old = Database::open(file_);
    ASSERT_TRUE(old);
    ASSERT_TRUE(migrate(**old, 13));
    ASSERT_TRUE((*old)->execute("INSERT INTO usage VALUES (7, 3, 1, 0, 2, 4000, 5, 6, 8, 9)"));
  }
  const std::vector<UsageRow> usage = *open()->load_usage({}, 0, 100, 10);
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(std::tie(usage[0].owner, usage[0].day, usage[0].tasks, usage[0].core_millis, usage[0].result_bytes),
            std::make_tuple(DeviceId{3}, 7, 1, 4'000, 9));
  EXPECT_EQ(usage[0].unmetered_core_millis, 4'000) << "what it took is unknown";
  EXPECT_EQ(usage[0].account + usage[0].firm, "");
}

TEST_F(SqliteStore, BringsTasksThatKnewNoCopiesToThisVersion) {
  {
    const Result<std::unique_ptr<Database>> old = Database::open(file_);
    ASSERT_TRUE(old);
    ASSERT_TRUE(migrate(**old, 15));
    ASSERT_TRUE((*old)->execute("INSERT INTO tasks VALUES (7, 4, 4, 2, 3, 1, 9, 11, 12, x'6f7574')"));
  }
  const std::vector<TaskRow> tasks = *open()->load_tasks({7}, 0, 10, true);
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(std::tie(tasks[0].task.index, tasks[0].epoch, tasks[0].attempts, tasks[0].failures),
            std::make_tuple(4U, 2U, 3U, 1U));
  EXPECT_EQ(tasks[0].node, NodeId{9});
  EXPECT_EQ(tasks[0].ended, WallTime{12});
  EXPECT_EQ(tasks[0].outcome, "out");
  EXPECT_EQ(std::tie(tasks[0].copy_epoch, tasks[0].copy_node), std::make_tuple(0U, NodeId{}));
}

// After one, the kernel may have dropped what it could not write: a later fsync that succeeds proves nothing.
TEST_F(SqliteStore, AFailedFsyncIsFinalEvenIfTheNextOneWouldSucceed) {
  std::unique_ptr<Store> store = open();
  ASSERT_TRUE(store->commit(big_job(1)));
  for (const int error : {EIO, ENOSPC}) {
    fsync_error = error;
    const Result<void> failed = store->commit(big_job(2));
    fsync_error = 0;
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::kDataLoss) << failed.error().message;
    EXPECT_NE(failed.error().message.find(file_.string()), std::string::npos) << failed.error().message;
    const Result<void> later = store->commit(big_job(3));
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, Code::kDataLoss);
    EXPECT_EQ(store->purge(1).error().code, Code::kDataLoss);
    EXPECT_FALSE(store->load_job({2})->has_value());
    EXPECT_FALSE(store->load_job({3})->has_value());
    store.reset();
    store = open();
    EXPECT_TRUE(store->load_job({1})->has_value());
  }
  EXPECT_TRUE(store->commit(big_job(4)));
}

// What lies in the log may be in memory only, so it is written once more, and that must reach the disk.
TEST_F(SqliteStore, OpeningAfterACrashWaitsForTheDisk) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::unique_ptr<Store> store = open();
    CHECK(store->commit(big_job(1)));
    std::_Exit(0);  // without closing it
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_GT(fs::file_size(scratch_ / "pool.db-wal"), 0U);
  fsync_error = EIO;
  EXPECT_EQ(refusal().code, Code::kDataLoss);
  fsync_error = 0;
  EXPECT_TRUE(open()->load_job({1})->has_value());
}

TEST_F(SqliteStore, RefusesAnotherProgramsDatabase) {
  execute(file_, "CREATE TABLE bookmarks (url TEXT)");
  const Error error = refusal();
  EXPECT_EQ(error.code, Code::kFailedPrecondition);
  EXPECT_NE(error.message.find("another program"), std::string::npos) << error.message;
}

TEST_F(SqliteStore, AnEmptyFileIsFilled) {
  std::ofstream(file_).close();
  EXPECT_TRUE(open()->commit(big_job(1)));
  EXPECT_EQ(open()->last_job_id()->value, 1U);
}

TEST_F(SqliteStore, ADamagedHeaderIsNamedWithTheRemedy) {
  fill();
  overwrite(file_, 0, "No database at all, is it?");
  const Error error = refusal();
  EXPECT_EQ(error.code, Code::kDataLoss);
  EXPECT_NE(error.message.find(file_.string()), std::string::npos) << error.message;
  EXPECT_NE(error.message.find(".recover"), std::string::npos) << error.message;
}

TEST_F(SqliteStore, DamageInAnyPageIsFoundAtOpen) {
  fill();
  const std::string whole = read_whole(file_);
  const std::size_t page_size = 4096;
  ASSERT_GE(whole.size() / page_size, 10U);
  for (std::size_t page = 1; page < whole.size() / page_size; ++page) {
    overwrite(file_, static_cast<std::streamoff>(page * page_size), std::string(64, '\xA5'));
    EXPECT_EQ(refusal().code, Code::kDataLoss) << "page " << page << ": " << refusal().message;
    overwrite(file_, 0, whole);
  }
  EXPECT_EQ(*open()->count_tasks({1}), (std::array<std::uint32_t, 6>{0, 2'000}));
}

TEST_F(SqliteStore, ATruncatedFileIsFoundAtOpen) {
  fill();
  fs::resize_file(file_, fs::file_size(file_) / 2);
  EXPECT_EQ(refusal().code, Code::kDataLoss);
}

TEST_F(SqliteStore, AMissingFolderAndAFolderInItsPlaceAreErrors) {
  const Result<std::unique_ptr<Store>> missing = open_sqlite(scratch_ / "nowhere" / "pool.db");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  fs::create_directory(file_);
  EXPECT_NE(refusal().code, Code::kUnknown);
}

// In a process that is not root: root may write anything.
TEST_F(SqliteStore, AFileThatMayNotBeWrittenIsAPermissionError) {
  open();
  fs::permissions(scratch_, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  fs::permissions(file_, fs::perms::owner_read | fs::perms::others_read);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) std::_Exit(100);
    std::_Exit(static_cast<int>(refusal().code));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(Code::kPermissionDenied));
}

void write_text(const char* file, const std::string& text) {
  const int descriptor = ::open(file, O_WRONLY | O_CLOEXEC);
  CHECK(descriptor >= 0);
  CHECK(::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(descriptor);
}

// A file system of 2 MiB on `folder`, for this process alone.
void mount_small_disk(const fs::path& folder) {
  const uid_t user = ::getuid();
  const gid_t group = ::getgid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    std::cerr << "this test needs user namespaces: " << std::strerror(errno) << "\n";
    std::_Exit(1);
  }
  write_text("/proc/self/setgroups", "deny");
  write_text("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
  write_text("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
  if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=2m") != 0) {
    std::cerr << "cannot mount a small tmpfs: " << std::strerror(errno) << "\n";
    std::_Exit(1);
  }
}

std::uint64_t commit_until_full(Store& store) {
  for (std::uint64_t id = 1;; ++id) {
    const Result<void> done = store.commit(big_job(id));
    if (done) continue;
    CHECK(done.error().code == Code::kResourceExhausted);
    CHECK(done.error().message.find("make room") != std::string::npos);
    return id;
  }
}

[[noreturn]] void fill_a_disk_and_make_room(const fs::path& folder) {
  mount_small_disk(folder);
  const fs::path file = folder / "pool.db";
  std::ofstream(folder / "ballast") << std::string(kMiB, 'b');
  Result<std::unique_ptr<Store>> store = open_sqlite(file);
  CHECK(store);
  const std::uint64_t refused = commit_until_full(**store);
  CHECK(refused > 1);
  CHECK((*store)->last_job_id()->value == refused - 1);  // what failed has changed nothing
  CHECK(!(*store)->load_job({refused})->has_value());
  CHECK(!(*store)->commit(big_job(refused)));  // still full
  fs::remove(folder / "ballast");
  CHECK((*store)->commit(big_job(refused)));  // the same store goes on
  store->reset();
  store = open_sqlite(file);
  CHECK(store);
  for (std::uint64_t id = 1; id <= refused; ++id) CHECK((*store)->load_job({id})->has_value());
  CHECK((*store)->last_job_id()->value == refused);
  std::_Exit(0);
}

TEST_F(SqliteStore, AFullDiskFailsTheCommitChangesNothingAndIsOverOnceThereIsRoom) {
  EXPECT_EXIT(fill_a_disk_and_make_room(scratch_), testing::ExitedWithCode(0), "");
}

[[noreturn]] void open_on_a_full_disk(const fs::path& folder) {
  mount_small_disk(folder);
  std::ofstream ballast(folder / "ballast");
  while (ballast << std::string(4096, 'b') << std::flush) {
  }
  const Result<std::unique_ptr<Store>> store = open_sqlite(folder / "pool.db");
  CHECK(!store);
  CHECK(store.error().code == Code::kResourceExhausted);
  std::_Exit(0);
}

TEST_F(SqliteStore, OpeningOnAFullDiskSaysSo) {
  EXPECT_EXIT(open_on_a_full_disk(scratch_), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace hearth::store
