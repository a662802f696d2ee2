// What must hold when the disk or the clock misbehaves: a clear error, nothing lost.
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "harness/api.h"
#include "harness/clock.h"
#include "harness/pool.h"
#include "harness/raw.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A hub with a small disk: a tmpfs that this test and its processes alone see. 256 MiB of it the hub keeps free of
// blobs.
class FullDiskTest : public PoolFixture {
 protected:
  void SetUp() override {
    const std::string ids = std::to_string(::getuid()) + " " + std::to_string(::getuid()) + " 1";
    const bool root = ::geteuid() == 0;
    ASSERT_EQ(::unshare(root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER), 0)
        << "no mount namespace of one's own: the test cannot make a small disk";
    if (!root) std::ofstream("/proc/self/uid_map") << ids;
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    Pool& small = add_pool("main");
    fs::create_directories(small.home() / "hub");
    ASSERT_EQ(::mount("small", (small.home() / "hub").c_str(), "tmpfs", 0, "size=300m"), 0);
    small.up();
    small.await_node();
  }

  void TearDown() override {
    pool().down();
    EXPECT_EQ(::umount2((pool().home() / "hub").c_str(), MNT_DETACH), 0);
    PoolFixture::TearDown();
  }

  // Takes all room that is left.
  void fill() {
    const int file = ::open(filler().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    const std::string page(4096, 'f');
    while (::write(file, page.data(), page.size()) > 0) {
    }
    ::close(file);
  }
  fs::path filler() { return pool().home() / "hub" / "filler"; }
};

TEST_F(FullDiskTest, NothingIsLostAndTheHubGoesOn) {
  Api api(pool());
  const auto before = api.submit(shell("sleep 3; echo kept"));
  ASSERT_TRUE(before) << text_of(before.error());
  api.wait_until_running(*before);
  fill();

  // The log and the end of the running task cannot be stored now; and no new job can.
  Error refused;
  EXPECT_TRUE(eventually(seconds(30), [&] {
    fill();
    const auto job = api.submit(shell(std::string(100'000, '#')));
    if (!job) refused = job.error();
    return !job;
  })) << "a full disk takes jobs for ever";
  EXPECT_THAT(refused.message, testing::AnyOf(HasSubstr("disk"), HasSubstr("full"), HasSubstr("space")));
  const unsigned status = api.put_blob(net::sha256(std::string(kMiB, 'b')), std::string(kMiB, 'b'));
  EXPECT_EQ(status, 507U);
  // The running task ends meanwhile: its log must wait for room.
  EXPECT_TRUE(eventually(seconds(20), [&] { return guests_of(pool().node_process()).empty(); }));
  pause_for(seconds(2));
  // What needs no disk is answered.
  EXPECT_TRUE(api.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest()));

  fs::remove(filler());
  const v1::Job kept = api.wait(*before);
  EXPECT_EQ(kept.state(), v1::JOB_STATE_SUCCEEDED) << kept.DebugString();
  EXPECT_EQ(api.log_text(api.get(*before, 1).tasks(0).outcome()), "kept\n");
  Result<std::uint64_t> after = fail(Code::kUnknown, "");
  EXPECT_TRUE(eventually(seconds(30), [&] {
    after = api.submit(shell("echo again"));
    return after.has_value();
  })) << text_of(after.error());
  if (after) EXPECT_EQ(api.wait(*after).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(FullDiskTest, AHubThatDiesOnAFullDiskComesBackWithItsJobs) {
  Api api(pool());
  const auto before = api.submit(shell("sleep 2; echo kept"));
  ASSERT_TRUE(before) << text_of(before.error());
  fill();
  ::kill(pool().hub_process(), SIGKILL);
  pause_for(seconds(2));
  fs::remove(filler());
  const v1::Job kept = api.wait(*before);
  EXPECT_EQ(kept.state(), v1::JOB_STATE_SUCCEEDED) << kept.DebugString();
}

// A hub whose disk can be told to fail: what is written does not get there.
class FailedDiskTest : public PoolFixture {
 protected:
  void SetUp() override {
    Pool& failing = add_pool("main");
    failing.set_env("LD_PRELOAD", HEARTH_DISK_SHIM);
    failing.set_env("HEARTH_TEST_DISK", sign());
    failing.up();
    failing.await_node();
  }
  fs::path sign() const { return scratch().path() / "disk-fails"; }
};

TEST_F(FailedDiskTest, TheHubSaysSoEndsAndGoesOnFromWhatIsOnTheDisk) {
  Api api(pool());
  const auto before = api.submit(shell("sleep 3; echo kept"));
  ASSERT_TRUE(before) << text_of(before.error());
  api.wait_until_running(*before);
  const pid_t hub = pool().hub_process();
  const std::string request_id = net::random_bytes(16);
  write_text(sign(), "");
  EXPECT_FALSE(api.submit(shell("echo once"), request_id)) << "a job was acknowledged that is not on the disk";
  EXPECT_TRUE(eventually(seconds(30), [&] { return !alive(hub); })) << "the hub goes on";
  EXPECT_TRUE(eventually(
      seconds(30), [&] { return read_text(pool().home() / "log").find("the hub cannot go on") != std::string::npos; }));
  EXPECT_THAT(read_text(pool().home() / "log"), HasSubstr("check the disk"));

  fs::remove(sign());
  Result<std::uint64_t> again = fail(Code::kUnknown, "");
  EXPECT_TRUE(eventually(seconds(60), [&] {
    again = api.submit(shell("echo once"), request_id);
    return again.has_value();
  })) << text_of(again.error());
  const v1::Job kept = api.wait(*before);
  EXPECT_EQ(kept.state(), v1::JOB_STATE_SUCCEEDED) << kept.DebugString();
  EXPECT_EQ(api.log_text(api.get(*before, 1).tasks(0).outcome()), "kept\n");
  if (again) EXPECT_EQ(api.wait(*again).state(), v1::JOB_STATE_SUCCEEDED);
  const auto jobs = api.call<v1::ListJobsReply>("hearth.v1.JobService/List", v1::ListJobsRequest());
  ASSERT_TRUE(jobs);
  EXPECT_EQ(jobs->jobs_size(), 2) << jobs->DebugString();
}

class DamageTest : public PoolFixture {
 protected:
  fs::path file_of(const std::string& digest) {
    const std::string name = to_hex(digest);
    for (const auto& entry : fs::recursive_directory_iterator(pool().home() / "hub" / "blobs")) {
      const std::string path = entry.path().string();
      std::string digits;
      for (const char c : path) {
        if (c != '/') digits += c;
      }
      if (entry.is_regular_file() && digits.ends_with(name)) return entry.path();
    }
    ADD_FAILURE() << "the blob has no file";
    return "/nowhere";
  }

  void damage(const std::string& digest) {
    const fs::path file = file_of(digest);
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(10);
    stream.put('!');
    ASSERT_TRUE(stream.good());
  }

  v1::JobSpec job_with(Api& api, const v1::Blob& data) {
    v1::Tree tree;
    v1::TreeFile& file = *tree.add_files();
    file.set_path("data");
    *file.mutable_blob() = data;
    v1::JobSpec spec = shell("wc -c < data");
    *spec.mutable_inputs() = api.put(tree.SerializeAsString());
    return spec;
  }

  void expect_noticed_and_mended(const std::string& content) {
    Api api(pool());
    const v1::Blob data = api.put(content);
    const v1::JobSpec spec = job_with(api, data);
    damage(data.sha256());
    const auto job = api.submit(spec);
    if (job) {
      const v1::Job ended = api.wait(*job);
      EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED) << "damaged input was used";
      EXPECT_EQ(ended.first_failure().reason(), v1::FAILURE_REASON_START) << ended.DebugString();
      EXPECT_THAT(ended.first_failure().message(), testing::AnyOf(HasSubstr("damaged"), HasSubstr("not have")));
    } else {
      EXPECT_EQ(job.error().code, Code::kFailedPrecondition) << text_of(job.error());
    }
    EXPECT_EQ(api.put(content).sha256(), data.sha256());
    EXPECT_EQ(api.get_blob(data.sha256()).value_or(""), content) << "a new upload mends it";
    const auto again = api.submit(spec);
    ASSERT_TRUE(again) << text_of(again.error());
    EXPECT_EQ(api.wait(*again).state(), v1::JOB_STATE_SUCCEEDED) << api.job(*again).DebugString();
  }
};

TEST_F(DamageTest, ASmallBlobIsNoticedAndMended) { expect_noticed_and_mended(std::string(5000, 's')); }

TEST_F(DamageTest, ALargeBlobIsNoticedAndMended) { expect_noticed_and_mended(std::string(3 * kMiB, 'l')); }

TEST_F(DamageTest, ATruncatedBlobIsNoticedAndMended) {
  Api api(pool());
  const std::string content(100'000, 't');
  const v1::Blob data = api.put(content);
  fs::permissions(file_of(data.sha256()), fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(file_of(data.sha256()), 1000);
  EXPECT_FALSE(api.get_blob(data.sha256())) << "half a blob was served";
  EXPECT_EQ(api.put(content).sha256(), data.sha256());
  EXPECT_EQ(api.get_blob(data.sha256()).value_or(""), content);
}

class ClockTest : public PoolFixture {
 protected:
  void SetUp() override {
    clock_.emplace(add_pool("main"), scratch());
    pool().up();
    pool().await_node();
  }
  MovableClock& clock() { return *clock_; }
  static std::int64_t now_millis() {
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }

 private:
  std::optional<MovableClock> clock_;
};

TEST_F(ClockTest, TheCalendarMayJump) {
  constexpr seconds kDay = std::chrono::hours(24);
  Api api(pool());
  const std::string session = api.token();
  const auto running = api.submit(shell("sleep 4; echo done"));
  ASSERT_TRUE(running) << text_of(running.error());
  api.wait_until_running(*running);
  for (const seconds jump : {-kDay, kDay, seconds(0)}) {
    clock().move_calendar(jump);
    v1::JobSpec limited = shell("sleep 1");
    limited.set_time_limit_seconds(30);
    const auto job = api.submit(limited);
    ASSERT_TRUE(job) << text_of(job.error());
    const v1::Job ended = api.wait(*job);
    EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED) << ended.DebugString();
    const std::int64_t shown = ended.submitted().unix_millis() - now_millis();
    EXPECT_NEAR(static_cast<double>(shown), static_cast<double>(jump.count() * 1000), 60'000)
        << "the clock was not moved: nothing was tested";
  }
  EXPECT_EQ(api.token(false), session) << "the session ended with the day";
  const v1::Job ended = api.wait(*running);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED) << ended.DebugString();
  EXPECT_EQ(api.get(*running, 1).tasks(0).attempts(), 1U);
  EXPECT_TRUE(pool().node_connected());
}

TEST_F(ClockTest, SessionsRunOut) {
  Api api(pool());
  const std::string token = api.token();
  net::Client& client = api.session().client();
  const auto call = [&]<class Reply>(std::string_view method, const auto& request, const Reply&) {
    return api.loop().run_until_done(net::call<Reply>(client, method, token, request));
  };
  v1::InviteRequest invitation;
  invitation.set_role(v1::ROLE_MEMBER);
  EXPECT_TRUE(call("hearth.v1.DeviceService/Invite", invitation, v1::InviteReply()));
  clock().move_steady(seconds(61));
  const auto stale = call("hearth.v1.DeviceService/Invite", invitation, v1::InviteReply());
  ASSERT_FALSE(stale) << "a proof older than a minute lets nobody in";
  EXPECT_EQ(stale.error().code, Code::kUnauthenticated);
  EXPECT_TRUE(call("hearth.v1.NodeService/Status", v1::StatusRequest(), v1::StatusReply()));
  clock().move_steady(seconds(15 * 60 + 5));
  const auto expired = call("hearth.v1.NodeService/Status", v1::StatusRequest(), v1::StatusReply());
  ASSERT_FALSE(expired) << "a session lasts 15 minutes";
  EXPECT_EQ(expired.error().code, Code::kUnauthenticated);
  EXPECT_EQ(
      https(pool().endpoint().port, "GET", "/blob/" + std::string(64, '0'), {{"Authorization", "Bearer " + token}}, "")
          .status,
      401U);
  EXPECT_TRUE(api.call<v1::InviteReply>("hearth.v1.DeviceService/Invite", invitation)) << "a new proof opens it again";
}

}  // namespace
}  // namespace hearth::e2e
