// For tests: the stores that there are, each opened in a folder of its own, and rows to put there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/postgres/private_server.h"
#include "store/shared.h"
#include "store/store.h"

namespace hearth::store {

struct Backend {
  const char* name;
  Result<std::unique_ptr<Store>> (*open)(const std::filesystem::path& scratch);  // the same folder: the same store
};

inline Result<std::unique_ptr<Store>> open_in_folder(const std::filesystem::path& scratch) {
  return open_sqlite(scratch / "pool.db");
}

// One server for all tests of this program; each folder is a pool of its own there.
inline const Result<std::unique_ptr<PrivateServer>>& private_server() {
  static const Result<std::unique_ptr<PrivateServer>> server = PrivateServer::start();
  return server;
}

inline Result<std::unique_ptr<Store>> open_in_postgres(const std::filesystem::path& scratch) {
  static std::map<std::filesystem::path, std::int64_t> pools;
  const std::int64_t pool = pools.try_emplace(scratch, pools.size() + 1).first->second;
  if (!private_server()) return std::unexpected(private_server().error());
  Result<std::unique_ptr<DatabaseStore>> store = open_postgres({.url = (*private_server())->url(), .pool = pool});
  if (!store) return std::unexpected(store.error());
  const Result<Meeting> meeting = (*store)->meet({.identity = "only", .name = "pc"});
  if (!meeting) return std::unexpected(meeting.error());
  CHECK(meeting->holding);
  return std::move(*store);
}

inline constexpr Backend kBackends[] = {{"Sqlite", &open_in_folder}, {"Postgres", &open_in_postgres}};

inline JobRow job_row(std::uint64_t id) {
  JobRow job;
  job.request = {{id}, {3}, 10, {2, std::uint64_t{1} << 33U, 1}, 4, {}};
  job.spec = std::string("\0spec", 5);
  job.ring = Ring::kFriend;
  job.environment = std::string("\0image", 6);
  job.request_id = "request-" + std::to_string(id);
  job.submitted = {1'700'000'000'123};
  return job;
}

inline TaskRow task_row(std::uint64_t job, std::uint32_t index, pool::TaskState state) {
  return {{{job}, index}, state, 2, 3, 1, {7}, {1'000}, {2'000}, std::string("out\0come", 8)};
}

inline DeviceRow device_row(std::uint64_t id, const std::string& name) {
  return {{id}, name, 2, 1, "key of " + name, {5}, {6}, false, Ring::kMember, {8}, {9}};
}

class StoreConformance : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "hearth-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    scratch_ = pattern;
    if (const Result<std::unique_ptr<Store>> here = GetParam().open(scratch_);
        !here && here.error().code == Code::kUnavailable) {
      GTEST_SKIP() << "SKIPPED: " << here.error().message;
    }
    open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(scratch_);
  }

  void open() {
    store_.reset();
    Result<std::unique_ptr<Store>> opened = GetParam().open(scratch_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void commit(const Batch& batch) {
    const Result<void> done = store_->commit(batch);
    ASSERT_TRUE(done) << done.error().message;
  }
  Code refused(const Batch& batch) {
    const Result<void> done = store_->commit(batch);
    CHECK(!done);
    return done.error().code;
  }

  std::filesystem::path scratch_;
  std::unique_ptr<Store> store_;
};

}  // namespace hearth::store
