#include "slurm/watch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"

namespace hearth::slurm {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::EndsWith;

bool eventually(const std::function<bool()>& is_so) {
  for (int i = 0; i < 300; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(100ms);
  }
  return false;
}

// A cluster of one machine whose programs are scripts; it knows one job, 17.
class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    std::string name = (fs::temp_directory_path() / "hearth-slurm-test-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    before_ = std::getenv("PATH");
    ::setenv("PATH", (root_.string() + ":" + before_).c_str(), 1);
    script("sinfo",
           "case \"$*\" in *--version*) echo slurm 23.11.4;; *--Node*) echo 'm1 idle 0/2/0/2 4000 0 (null) N/A';; "
           "*) echo 'main*|up|infinite';; esac");
    script("sbatch", "true");
    script("scancel", "true");
    say_job("RUNNING");
    job_->id = 17;
    job_->files.directory = root_ / "attempt";
    job_->on_output = [](sandbox::Stream, std::string_view) {};
    job_->on_exit = [this](const sandbox::Exit& exit) { ended_.set_value(exit); };
    fs::create_directory(job_->files.directory);
  }
  ~WatchTest() override {
    ::setenv("PATH", before_.c_str(), 1);
    fs::remove_all(root_);
  }

  void script(const std::string& name, const std::string& text) {
    const fs::path fresh = root_ / (name + ".new");
    std::ofstream(fresh) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(fresh, fs::perms::owner_all);
    fs::rename(fresh, root_ / name);
  }
  void say_job(const std::string& state) {
    script("squeue",
           "case \"$*\" in *--version*) echo slurm 23.11.4;; *) echo '17|" + state + "|1|100M|N/A|None';; esac");
  }
  void begin() {
    Result<Cluster> cluster = Cluster::open({}, "hearth-test");
    CHECK(cluster.has_value());
    cluster_.emplace(std::move(*cluster));
    watch_ = std::make_unique<Watch>(*cluster_, Supply{});
    watch_->add(job_);
  }

  fs::path root_;
  std::string before_;
  std::optional<Cluster> cluster_;
  std::shared_ptr<Job> job_ = std::make_shared<Job>();
  std::promise<sandbox::Exit> ended_;
  std::unique_ptr<Watch> watch_;
};

TEST_F(WatchTest, ALostJobsLastWordsAreItsLast) {
  std::ofstream(job_->files.slurm_out()) << std::string(20'000, 'x') << "\nthe machine caught fire\n";
  say_job("FAILED");
  begin();
  std::future<sandbox::Exit> ended = ended_.get_future();
  ASSERT_EQ(ended.wait_for(30s), std::future_status::ready);
  EXPECT_THAT(ended.get().message, EndsWith("the machine caught fire"));
}

// What the node's loop asks is answered however long the shared file system takes.
TEST_F(WatchTest, AFileSystemThatDoesNotAnswerHoldsUpNobodyElse) {
  ASSERT_EQ(::mkfifo(job_->files.slurm_out().c_str(), 0600), 0);
  say_job("FAILED");
  begin();
  std::this_thread::sleep_for(4s);
  std::future<void> asked = std::async(std::launch::async, [this] { static_cast<void>(watch_->room()); });
  EXPECT_EQ(asked.wait_for(2s), std::future_status::ready);
  const int answer = ::open(job_->files.slurm_out().c_str(), O_RDWR | O_CLOEXEC);  // which has two ends then
  std::future<sandbox::Exit> ended = ended_.get_future();
  EXPECT_EQ(ended.wait_for(30s), std::future_status::ready);
  ::close(answer);
}

TEST_F(WatchTest, ASilentClusterIsWaitedForOnce) {
  begin();
  watch_->kill(job_);
  EXPECT_FALSE(watch_->wait_for_end(job_, seconds(1)));
  std::future<bool> again = std::async(std::launch::async, [this] { return watch_->wait_for_end(job_, minutes(10)); });
  ASSERT_EQ(again.wait_for(60s), std::future_status::ready);
  EXPECT_FALSE(again.get());
  say_job("CANCELLED");
  EXPECT_TRUE(eventually([&] { return watch_->wait_for_end(job_, seconds(1)); }));
}

TEST_F(WatchTest, AKilledAttemptIsToldBySharedFilesToo) {
  begin();
  watch_->kill(job_);
  EXPECT_TRUE(eventually([&] { return fs::exists(job_->files.stop()); }));
  say_job("CANCELLED");
  EXPECT_TRUE(watch_->wait_for_end(job_, seconds(30)));
}

}  // namespace
}  // namespace hearth::slurm
