// Programs of the pool that read the family's drive and put their results there.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "hearth/v1/drive.pb.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class DriveJobsTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    fs::create_directories(here());
    fs::create_directories(there("photos/old"));
    for (const char* name : {"photos/a.raw", "photos/b.raw", "photos/c.txt", "photos/old/d.raw"}) {
      std::ofstream(there(name)) << name;
    }
  }
  fs::path there(const std::string& name) { return pool().home() / "drive" / name; }
  static std::string text(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // In a directory of its own, so that what comes back here is seen.
  fs::path here() const { return scratch().path() / "here"; }
  Ended run(std::vector<std::string> arguments, const std::string& script) {
    arguments.insert(arguments.begin(), "run");
    arguments.insert(arguments.end(), {"--", "sh", "-c", script});
    return pool().cli(arguments, {.cwd = here()});
  }
  static constexpr const char* kConvert = "for f in *.raw; do tr a-z A-Z <$f >${f%.raw}.jpg; done";
};

TEST_F(DriveJobsTest, FilesOfTheDriveAreReadAndResultsLieBesideThem) {
  const Ended ended = run({"--input", "drive:/photos/*.raw", "--output", "drive:/photos/jpg/"}, kConvert);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("its results are in /photos/jpg/ of the drive"));
  ASSERT_TRUE(eventually(seconds(20), [&] { return fs::exists(there("photos/jpg/b.jpg")); }));
  EXPECT_EQ(text(there("photos/jpg/a.jpg")), "PHOTOS/A.RAW");
  EXPECT_FALSE(fs::exists(there("photos/jpg/d.jpg"))) << "of a folder that was not named";
  EXPECT_FALSE(fs::exists(there("photos/jpg/a.raw"))) << "an input is no result";
  EXPECT_TRUE(eventually(seconds(20), [&] { return fs::is_empty(there(".hearth/results")); })) << "its mark stays";
  EXPECT_TRUE(fs::is_empty(here())) << "and here, too";
}

TEST_F(DriveJobsTest, ResultsReplaceNothing) {
  fs::create_directories(there("jpg"));
  std::ofstream(there("jpg/a.jpg")) << "mine";
  std::ofstream(there("jpg/b.jpg")) << "PHOTOS/B.RAW";
  EXPECT_EQ(run({"--input", "drive:photos", "--output", "*.jpg", "--output", "drive:jpg"},
                "cd photos; " + std::string(kConvert) + "; mv *.jpg ..")
                .exit_code,
            0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return fs::exists(there("jpg/a (2).jpg")); }));
  EXPECT_TRUE(eventually(seconds(20), [&] { return fs::is_empty(there(".hearth/results")); }));
  EXPECT_EQ(text(there("jpg/a.jpg")), "mine");
  EXPECT_FALSE(fs::exists(there("jpg/b (2).jpg"))) << "the same again";
}

TEST_F(DriveJobsTest, ResultsMayLieAtTheTop) {
  EXPECT_EQ(run({"--output", "drive:/"}, "mkdir sub; echo hello >sub/a.txt").exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return fs::exists(there("sub/a.txt")); }));
  EXPECT_EQ(text(there("sub/a.txt")), "hello\n");
}

// The hub dies when the job's end is on the disk, or before: its results arrive all the same, once.
TEST_F(DriveJobsTest, ResultsArriveThoughTheHubDies) {
  const Ended ended =
      run({"--detach", "--input", "drive:/photos/a.raw", "--output", "drive:/out"}, "sleep 2; cp a.raw result");
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  ASSERT_EQ(::kill(pool().hub_process(), SIGKILL), 0);
  ASSERT_TRUE(eventually(seconds(60), [&] { return fs::exists(there("out/result")); }));
  EXPECT_TRUE(eventually(seconds(20), [&] { return fs::is_empty(there(".hearth/results")); }));
  EXPECT_EQ(std::distance(fs::directory_iterator(there("out")), fs::directory_iterator()), 1);
}

TEST_F(DriveJobsTest, ResultsThatCannotComeStayWithTheJobAndThatIsSaid) {
  EXPECT_THAT(run({"--output", "drive:/photos/c.txt"}, "echo a >b").err, HasSubstr("/photos/c.txt is a file"));
  EXPECT_THAT(run({"--output", "drive:/photos/c.txt/d"}, "echo a >b").err, HasSubstr("/photos/c.txt is a file"));
  const Ended ended = run({"--output", "drive:/photos"}, "mkdir c.txt; echo a >c.txt/x; echo b >y");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("its results are not all in /photos of the drive: c.txt/x: "));
  EXPECT_THAT(ended.err, HasSubstr("hearth get 1"));
  EXPECT_EQ(text(there("photos/y")), "b\n") << "the others came";
  const auto told = [&] { return pool().cli({"job", "1"}).out; };
  EXPECT_THAT(told(), HasSubstr("c.txt/x"));
  const pid_t hub = pool().hub_process();
  ASSERT_EQ(::kill(hub, SIGKILL), 0);
  EXPECT_TRUE(eventually(seconds(60), [&] { return told().contains("c.txt/x"); })) << "also after a restart";
  ASSERT_EQ(pool().cli({"rm", "1"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return fs::is_empty(there(".hearth/results")); }));
}

TEST_F(DriveJobsTest, ANameIsMeantAsItIsWhereABackslashSaysSo) {
  std::ofstream(there("photos/[ab].raw")) << "brackets";
  const std::string script = "ls; cat *";
  EXPECT_THAT(run({"--input", "drive:/photos/\\[ab].raw"}, script).out, testing::EndsWith("[ab].raw\nbrackets"));
  EXPECT_THAT(run({"--input", "drive:/photos/[ab].raw"}, "ls").out, HasSubstr("a.raw\nb.raw\n"));
}

TEST_F(DriveJobsTest, WhatIsWrongIsSaidBeforeAnythingRuns) {
  EXPECT_THAT(run({"--input", "drive:/none/*.raw"}, "true").err,
              HasSubstr("nothing in the drive is called '/none/*.raw'"));
  EXPECT_THAT(run({"--input", "drive:/../etc"}, "true").err, HasSubstr("drive_inputs"));
  EXPECT_THAT(
      run({"--input", "drive:/photos/a.raw", "--input", "drive:/photos/old/d.raw", "--input", "drive:/photos/old/*"},
          "true")
          .err,
      Not(HasSubstr("error")))
      << "the same file twice";
  fs::copy(there("photos/a.raw"), there("photos/old/a.raw"));
  EXPECT_THAT(run({"--input", "drive:/photos/*.raw", "--input", "drive:/photos/old/*.raw"}, "true").err,
              HasSubstr("would both be laid out as 'a.raw'"));
  EXPECT_EQ(run({"--output", "drive:"}, "true").exit_code, 2);
  EXPECT_EQ(run({"--output", "drive:/a", "--output", "drive:/b"}, "true").exit_code, 2);
}

TEST_F(DriveJobsTest, TheDriveIsForDevicesOfRingHome) {
  Api other(pair_device(pool(), "other", v1::ROLE_MEMBER));
  ASSERT_EQ(pool().cli({"devices", "ring", "other", "friend"}).exit_code, 0);
  v1::SubmitRequest request;
  request.set_request_id(std::string(16, 'r'));
  request.mutable_spec()->add_argv("true");
  request.mutable_spec()->add_drive_inputs("/photos/a.raw");
  const auto code = [&] {
    const auto reply = other.call<v1::SubmitReply>("hearth.v1.JobService/Submit", request);
    return reply ? Code::kUnknown : reply.error().code;
  };
  EXPECT_EQ(code(), Code::kPermissionDenied);
  request.mutable_spec()->clear_drive_inputs();
  request.mutable_spec()->add_outputs("*");
  request.mutable_spec()->set_drive_outputs("/photos");
  EXPECT_EQ(code(), Code::kPermissionDenied);
}

TEST_F(DriveJobsTest, ADeviceThatHasLeftRingHomePutsNothingThere) {
  Api other(pair_device(pool(), "other", v1::ROLE_MEMBER));
  v1::SubmitRequest request;
  request.set_request_id(std::string(16, 'r'));
  for (const char* word : {"sh", "-c", "sleep 2; echo late >late"}) request.mutable_spec()->add_argv(word);
  request.mutable_spec()->add_outputs("*");
  request.mutable_spec()->set_drive_outputs("/late");
  ASSERT_TRUE(other.call<v1::SubmitReply>("hearth.v1.JobService/Submit", request));
  ASSERT_EQ(pool().cli({"devices", "ring", "other", "friend"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] { return pool().cli({"job", "1"}).out.contains("may not reach that"); }));
  EXPECT_FALSE(fs::exists(there("late")));
}

TEST_F(DriveJobsTest, AScheduleReadsWhatIsThereThen) {
  const Ended added = pool().cli({"schedule", "add", "0 3 1 1 *", "--name", "yearly", "--input", "drive:/photos/*.raw",
                                  "--output", "drive:/out", "--", "sh", "-c", kConvert});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  std::ofstream(there("photos/new.raw")) << "new";
  ASSERT_EQ(pool().cli({"schedule", "run-now", "yearly"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(60), [&] { return fs::exists(there("out/new.jpg")); }));
}

}  // namespace
}  // namespace hearth::e2e
