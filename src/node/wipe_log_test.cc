#include "node/wipe_log.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

// A machine on which something may remain.
class FakeHost final : public sandbox::Host {
 public:
  Result<std::unique_ptr<sandbox::Sandbox>> prepare(const std::string&, const sandbox::Limits&,
                                                    const sandbox::Setup&) override {
    return fail(Code::kUnimplemented, "no sandboxes here");
  }
  Result<fs::path> encrypted_directory() override { return fail(Code::kUnimplemented, "no disk here"); }
  bool has_lost_files() const override { return false; }
  Result<fs::path> memory_directory(std::uint64_t) override { return fail(Code::kUnimplemented, "no memory here"); }
  std::vector<sandbox::Check> self_test() override { return {}; }
  void use_oci_runtime(const std::string&) override {}
  std::vector<sandbox::LevelReport> levels() override { return {}; }
  void stop_trying() override {}
  std::string full_network_lack() const override { return ""; }
  std::string swap_risk() const override { return ""; }
  std::vector<std::string> traces(const std::string& name) const override {
    return name == "7-0-1" ? remains : std::vector<std::string>();
  }
  std::vector<std::string> storage_of(sandbox::Level) const override { return {"memory", "a vault"}; }
  std::string description() const override { return "none"; }

  std::vector<std::string> remains;
};

class WipeLogTest : public testing::Test {
 protected:
  WipeLogTest() {
    std::string pattern = testing::TempDir() + "wipe_log_test.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    open();
  }
  ~WipeLogTest() override { fs::remove_all(directory_); }

  void open() {
    Result<std::unique_ptr<WipeLog>> opened = WipeLog::open(directory_, key_, host_);
    ASSERT_TRUE(opened) << opened.error().message;
    log_ = std::move(*opened);
  }
  std::vector<v1::WipeStatement> kept() const {
    std::vector<v1::WipeStatement> found;
    std::ifstream in(directory_ / "wipes.jsonl");
    for (std::string line; std::getline(in, line);) {
      Result<v1::WipeRecord> record = account::wipe_from_line(line);
      found.push_back(record ? account::verify_wipe(*record).value_or(v1::WipeStatement()) : v1::WipeStatement());
    }
    return found;
  }
  bool is_noted(const std::string& name) const { return fs::exists(directory_ / "attempts" / name); }

  const AttemptId attempt_{.task = {.job = {7}, .index = 0}, .epoch = 1};
  net::IdentityKey key_ = net::IdentityKey::generate();
  FakeHost host_;
  fs::path directory_;
  std::unique_ptr<WipeLog> log_;
};

TEST_F(WipeLogTest, SignsWhatItSees) {
  ASSERT_TRUE(log_->begin(attempt_, sandbox::Level::kMicroVm));
  EXPECT_TRUE(is_noted("7-0-1"));
  const v1::WipeRecord record = log_->end(attempt_, sandbox::Level::kMicroVm);
  EXPECT_FALSE(is_noted("7-0-1"));
  const Result<v1::WipeStatement> statement = account::verify_wipe(record);
  ASSERT_TRUE(statement) << statement.error().message;
  EXPECT_EQ(statement->job_id(), 7U);
  EXPECT_EQ(statement->level(), "microvm");
  EXPECT_EQ(statement->storage_size(), 2);
  EXPECT_EQ(statement->remains_size(), 0);
  EXPECT_FALSE(statement->after_crash());
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].SerializeAsString(), record.statement());
}

TEST_F(WipeLogTest, NamesTheWorkspaceThatStaysAlsoAfterACrash) {
  ASSERT_TRUE(log_->begin(attempt_, sandbox::Level::kFence, "work"));
  open();
  log_->end_crashed();
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].workspace(), "work");
  EXPECT_EQ(kept()[0].level(), "fence");
  const v1::WipeStatement gone = *account::verify_wipe(log_->workspace_wiped("work", {"/x"}));
  EXPECT_EQ(gone.workspace(), "work");
  EXPECT_EQ(gone.job_id(), 0U);
  EXPECT_EQ(gone.remains_size(), 1);
}

TEST_F(WipeLogTest, WhatRemainsIsNamedAndLookedAtAgain) {
  host_.remains = {"mount /srv/boxes/7-0-1"};
  ASSERT_TRUE(log_->begin(attempt_, sandbox::Level::kFence));
  const v1::WipeRecord record = log_->end(attempt_, sandbox::Level::kFence);
  EXPECT_EQ(account::verify_wipe(record)->remains(0), "mount /srv/boxes/7-0-1");
  EXPECT_TRUE(is_noted("7-0-1"));
  host_.remains.clear();
  open();
  log_->end_crashed();
  EXPECT_FALSE(is_noted("7-0-1"));
  ASSERT_EQ(kept().size(), 2U);
  EXPECT_TRUE(kept()[1].after_crash());
  EXPECT_EQ(kept()[1].remains_size(), 0);
}

TEST_F(WipeLogTest, FilesThatAreNoAttemptsAreLeftAlone) {
  for (const char* name : {"x", "1-2", "1-2-3-4", "1--3", "-1-2-3"}) {
    std::ofstream(directory_ / "attempts" / name) << "fence";
  }
  log_->end_crashed();
  EXPECT_TRUE(kept().empty());
  EXPECT_TRUE(is_noted("1-2-3-4"));
}

TEST_F(WipeLogTest, TheLogIsBounded) {
  std::ofstream(directory_ / "wipes.jsonl") << std::string(kMaxWipeLogBytes, 'x');
  log_->end(attempt_, sandbox::Level::kFence);
  EXPECT_EQ(kept().size(), 1U);
  EXPECT_EQ(fs::file_size(directory_ / "wipes.1.jsonl"), kMaxWipeLogBytes);
}

}  // namespace
}  // namespace hearth::node
