// Workspaces on a real disk: one attempt at a time, kept across a restart, measured, bounded, and wiped.
#include "node/workspaces.h"

#include <fstream>

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "sandbox/testing.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;
using net::Async;
using testing::HasSubstr;

constexpr WorkspaceId work_of(std::uint64_t device) { return {{device}, "work"}; }

class NodeWorkspaces : public testing::Test {
 public:
  void SetUp() override {
    loop_ = std::make_unique<net::Loop>();
    workers_ = std::make_unique<net::Workers>(2);
    Result<std::unique_ptr<WipeLog>> wipes = WipeLog::open(host_.directory(), key_, *host_.operator->());
    ASSERT_TRUE(wipes) << wipes.error().message;
    wipes_ = std::move(*wipes);
    open();
    come_to("home");
  }
  void open() {
    workspaces_ = std::make_unique<Workspaces>(*loop_, *workers_, *wipes_, place_);
    Result<void> opened = workspaces_->open();
    ASSERT_TRUE(opened) << opened.error().message;
    workspaces_->set_limit(10 * kMiB);
  }
  void come_to(const std::string& hub) { workspaces_->belong_to(hub); }
  Result<std::unique_ptr<Workspaces::Use>> enter(const WorkspaceId& id, std::uint64_t bytes = kMiB) {
    return loop_->run_until_done(workspaces_->enter(id, bytes));
  }
  v1::WipeStatement wipe(const WorkspaceId& id) {
    return account::verify_wipe(loop_->run_until_done(workspaces_->wipe(id))).value_or(v1::WipeStatement());
  }
  std::size_t on_disk() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(place_), fs::directory_iterator()));
  }
  static void fill(const Workspaces::Use& use, const std::string& name, std::size_t bytes) {
    std::ofstream(use.directory() / name) << std::string(bytes, 'x') << std::flush;
  }

  sandbox::TestHost host_;  // first: it wants a process of one thread
  fs::path place_ = host_.directory() / "workspaces";
  net::IdentityKey key_ = net::IdentityKey::generate();
  std::unique_ptr<WipeLog> wipes_;
  std::unique_ptr<Workspaces> workspaces_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Workers> workers_;  // last: what it has begun is finished first
};

TEST_F(NodeWorkspaces, AreKeptAcrossARestartAndAreTheirDevicesOwn) {
  {
    const auto use = enter(work_of(3), 2 * kMiB);
    ASSERT_TRUE(use) << use.error().message;
    struct stat status{};
    ASSERT_EQ(::stat((*use)->directory().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
    fill(**use, "x", 10);
  }
  open();
  come_to("home");
  EXPECT_EQ(workspaces_->bytes(), 2 * kMiB);
  EXPECT_EQ(workspaces_->here(), std::vector<WorkspaceId>{work_of(3)});
  EXPECT_TRUE(fs::exists((*enter(work_of(3)))->directory() / "x"));
  EXPECT_EQ((*enter(work_of(3)))->bytes(), 2 * kMiB) << "it never shrinks";
  EXPECT_FALSE(fs::exists((*enter(work_of(4)))->directory() / "x"));
}

TEST_F(NodeWorkspaces, OneAttemptAtATimeHasOne) {
  auto first = *enter(work_of(3));
  bool has_entered = false;
  loop_->spawn([](NodeWorkspaces& test, bool& entered) -> Async<void> {
    const auto use = co_await test.workspaces_->enter(work_of(3), kMiB);
    entered = use.has_value();
  }(*this, has_entered));
  EXPECT_TRUE(enter(work_of(4))) << "another is free";
  EXPECT_FALSE(has_entered);
  first.reset();
  EXPECT_TRUE(enter(work_of(3)));
  EXPECT_TRUE(has_entered) << "it came first";
}

TEST_F(NodeWorkspaces, StayWithinTheOwnersLimit) {
  ASSERT_TRUE(enter(work_of(3), 6 * kMiB));
  const auto refused = enter(work_of(4), 5 * kMiB);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("hearth limit --workspaces"));
  EXPECT_TRUE(enter(work_of(4), 4 * kMiB));
  EXPECT_FALSE(enter(work_of(3), 7 * kMiB)) << "nor does it grow over it";
  EXPECT_TRUE(enter(work_of(3), kMiB));
  workspaces_->set_limit(7 * kMiB);
  EXPECT_TRUE(enter(work_of(3), kMiB)) << "what there is keeps its room";
  EXPECT_FALSE(enter(work_of(3), 7 * kMiB));
  workspaces_->set_limit(10 * kMiB);
  wipe(work_of(4));
  EXPECT_TRUE(enter(work_of(3), 10 * kMiB));
  workspaces_->set_limit(0);
  EXPECT_FALSE(enter(work_of(3), kMiB)) << "none is admitted";
}

TEST_F(NodeWorkspaces, WhatTheyHoldIsMeasuredAndMoreThanAllowedIsNotEntered) {
  {
    const auto use = *enter(work_of(3));
    EXPECT_EQ(use->measure().excess, "");
    fill(*use, "small", 100'000);
    EXPECT_GE(use->measure().bytes, 100'000U);
    EXPECT_EQ(use->measure().excess, "");
    fill(*use, "large", kMiB);
    EXPECT_THAT(use->measure().excess, HasSubstr("more than its 1 MiB"));
  }
  const auto refused = enter(work_of(3));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("hearth workspace rm work"));
  EXPECT_TRUE(enter(work_of(3), 3 * kMiB)) << "it may hold more now";
}

TEST_F(NodeWorkspaces, FilesWithoutContentCountToo) {
  const auto use = *enter(work_of(3));
  for (int i = 0; i < 1100; ++i) fill(*use, std::to_string(i), 0);
  EXPECT_NE(use->measure().excess, "");
}

TEST_F(NodeWorkspaces, AreWipedOnceNobodyHasThemAndThatIsSigned) {
  auto use = *enter(work_of(3));
  fs::create_directories(use->directory() / "a" / "b");
  fs::create_directory_symlink("/etc", use->directory() / "link");
  fs::permissions(use->directory() / "a", fs::perms::none);
  bool is_wiped = false;
  loop_->spawn([](NodeWorkspaces& test, bool& wiped) -> Async<void> {
    co_await test.workspaces_->wipe(work_of(3));
    wiped = true;
  }(*this, is_wiped));
  ASSERT_TRUE(enter(work_of(4)));
  EXPECT_FALSE(is_wiped);
  use.reset();
  const v1::WipeStatement statement = wipe(work_of(3));
  EXPECT_TRUE(is_wiped);
  EXPECT_EQ(statement.workspace(), "work");
  EXPECT_EQ(statement.job_id(), 0U);
  EXPECT_EQ(statement.remains_size(), 0);
  EXPECT_EQ(on_disk(), 1U) << "the other's";
  EXPECT_EQ(wipe({{9}, "never"}).workspace(), "never") << "what is not there is gone";
  loop_->run_until_done(workspaces_->wipe_all());
  EXPECT_TRUE(workspaces_->empty());
  EXPECT_EQ(on_disk(), 0U);
  EXPECT_TRUE(fs::exists("/etc/passwd"));
}

TEST_F(NodeWorkspaces, WhatACrashLeftHalfMadeOrHalfRemovedIsGoneAtTheNextStart) {
  ASSERT_TRUE(enter(work_of(3)));
  fs::create_directories(place_ / "leaving-0011-3-old" / "files");
  fs::create_directories(place_ / "0011-3-new" / "files");
  open();
  EXPECT_EQ(on_disk(), 1U);
}

TEST_F(NodeWorkspaces, AnotherPoolSeesNothingOfThem) {
  ASSERT_TRUE(enter(work_of(3)));
  come_to("elsewhere");
  const auto use = enter(work_of(3));
  ASSERT_TRUE(use);
  for (int i = 0; i < 1000 && on_disk() > 1; ++i) loop_->run_until_done(net::sleep_for(milliseconds(5)));
  EXPECT_EQ(on_disk(), 1U) << "what the other pool's jobs left is wiped";
  EXPECT_TRUE(fs::exists((*use)->directory()));
}

// A hello that tells of more is refused, and the PC would be out of its pool for good.
TEST_F(NodeWorkspaces, AreNoMoreThanAHubIsToldOf) {
  ASSERT_TRUE(enter(work_of(1)));
  const fs::path first = *fs::directory_iterator(place_);
  const std::string hub = first.filename().string().substr(0, first.filename().string().find('-'));
  for (std::size_t i = 2; i <= Workspaces::kMost + 1; ++i) {
    const fs::path path = place_ / (hub + "-" + std::to_string(i) + "-work");
    fs::create_directory(path);
    std::ofstream(path / "bytes") << 1;
  }
  open();
  come_to("home");
  EXPECT_EQ(workspaces_->here().size(), Workspaces::kMost);
  const auto use = enter(work_of(99'999));
  ASSERT_FALSE(use);
  EXPECT_THAT(use.error().message, HasSubstr("10000 workspaces"));
  EXPECT_TRUE(enter(work_of(7))) << "one that is there";
}

TEST_F(NodeWorkspaces, NamesLeadNowhereElse) {
  for (const char* name : {"", "..", "../x", "a/b", ".x"}) {
    EXPECT_EQ(enter({{3}, name}).error().code, Code::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace hearth::node
