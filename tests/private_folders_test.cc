// Folders of the drive that are some people's own: who is shown them, by every way into the drive, and what they may
// hold.
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/process.h"
#include "harness/raw.h"
#include "hearth/v1/drive.pb.h"
#include "hearth/v1/links.pb.h"

namespace hearth::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class PrivateFoldersTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    for (const char* person : {"mia", "tom"}) {
      const Ended made = pool().cli({"token", "new", std::string(person) + "-pc"});
      tokens_[person] = made.out.substr(0, made.out.find('\n'));
      ASSERT_EQ(pool().cli({"account", "set", person}).exit_code, 0);
      const std::string phone = std::string(person) + "-phone";
      Api device(pair_device(pool(), phone, v1::ROLE_MEMBER));
      sessions_[person] = device.token(false);
      for (const std::string& one : {std::string(person) + "-pc", phone}) {
        ASSERT_EQ(pool().cli({"account", "assign", one, person}).exit_code, 0);
      }
    }
    write("mia/diary.txt", "dear diary");
    write("mia/photo.jpg", "no picture");
    write("both/plan.txt", "a plan");
    write("open.txt", "for all");
    own({"mia", "--for", "mia"});
    own({"both", "--for", "mia,tom"});
  }

  std::filesystem::path file(const std::string& name) { return pool().home() / "drive" / name; }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(file(name).parent_path());
    std::ofstream(file(name)) << text;
  }
  void own(std::vector<std::string> options) {
    options.insert(options.begin(), {"drive", "private"});
    const Ended ended = pool().cli(options);
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
  }
  // The status, and what is answered.
  std::string curl(const std::string& person, std::vector<std::string> options, const std::string& path) {
    options.insert(options.begin(), {"curl", "-sS", "-w", " %{http_code}", "--cacert",
                                     pool().home() / "hub" / "certificate.pem", "-u", "anybody:" + tokens_[person]});
    options.push_back("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path);
    const Ended ended = run_program(options);
    return ended.out + ended.err;
  }
  std::string call(const std::string& person, const std::string& method, const std::string& json) {
    const HttpAnswer answer =
        https(pool().endpoint().port, "POST", "/hearth.v1." + method,
              {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + sessions_[person]}}, json);
    return fmt::format("{} {}", answer.body, answer.status);
  }
  std::string url(const std::string& path) {
    return "https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path;
  }

  std::map<std::string, std::string> tokens_;
  std::map<std::string, std::string> sessions_;
};

TEST_F(PrivateFoldersTest, AreShownToTheirPeopleAlone) {
  EXPECT_EQ(curl("mia", {}, "/dav/mia/diary.txt"), "dear diary 200");
  EXPECT_EQ(curl("mia", {}, "/dav/both/plan.txt"), "a plan 200");
  EXPECT_EQ(curl("tom", {}, "/dav/both/plan.txt"), "a plan 200");
  EXPECT_EQ(curl("tom", {}, "/dav/open.txt"), "for all 200");
  const std::string theirs = "/mia is other people's own folder";
  for (const auto& [method, path] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/dav/mia/diary.txt"},
                                                        {"PROPFIND", "/dav/mia"},
                                                        {"DELETE", "/dav/mia"},
                                                        {"MKCOL", "/dav/mia/new"},
                                                        {"GET", "/dav/mia?zip"},
                                                        {"GET", "/dav/mia/diary.txt?version=1"},
                                                        {"GET", "/thumb/mia/photo.jpg"},
                                                        {"GET", "/sync/tree?path=/mia"},
                                                        {"LOCK", "/dav/mia/diary.txt"}}) {
    EXPECT_THAT(curl("tom", {"-X", method, "-H", "Depth: 1"}, path), AllOf(HasSubstr(theirs), HasSubstr(" 403")))
        << method << " " << path;
  }
  EXPECT_THAT(curl("tom", {"-T", file("open.txt")}, "/dav/mia/new.txt"), HasSubstr(" 403"));
  for (const char* method : {"COPY", "MOVE"}) {
    EXPECT_THAT(curl("tom", {"-X", method, "-H", "Destination: " + url("/dav/mine")}, "/dav/mia"), HasSubstr(" 403"));
    EXPECT_THAT(curl("tom", {"-X", method, "-H", "Destination: " + url("/dav/mia/x")}, "/dav/open.txt"),
                HasSubstr(" 403"));
  }
  const std::string bytes = curl(
      "tom",
      {"-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 1", "-H", "Upload-Metadata: path L21pYS94"},
      "/upload/");
  EXPECT_THAT(bytes, AllOf(HasSubstr(theirs), HasSubstr(" 403")));
  for (const auto& [name, json] : std::vector<std::pair<std::string, std::string>>{
           {"List", R"({"path":"/mia"})"},
           {"Search", R"({"path":"/mia","text":"diary"})"},
           {"MakeFolder", R"({"path":"/mia/x"})"},
           {"Move", R"({"paths":["/mia"],"folder":"/both"})"},
           {"Move", R"({"paths":["/open.txt"],"folder":"/mia","copy":true})"},
           {"Move", R"({"paths":["/open.txt"],"folder":"/","name":"mia"})"},
           {"Remove", R"({"paths":["/mia/diary.txt"]})"},
           {"ListVersions", R"({"path":"/mia/diary.txt"})"},
           {"RestoreVersion", R"({"path":"/mia/diary.txt","id":"1"})"}}) {
    EXPECT_THAT(call("tom", "DriveService/" + name, json), AllOf(HasSubstr("permission_denied"), HasSubstr(theirs)))
        << name;
  }
  EXPECT_THAT(call("tom", "LinkService/Make", R"({"path":"/mia","rights":{"see":true}})"),
              HasSubstr("permission_denied"));
  EXPECT_TRUE(std::filesystem::exists(file("mia/diary.txt")));
}

TEST_F(PrivateFoldersTest, AreLeftOutOfAllThatLooksAtTheWholeDrive) {
  const auto both = [&](const std::string& seen, const std::string& hidden) {
    EXPECT_THAT(hidden, Not(HasSubstr("diary")));
    EXPECT_THAT(hidden, Not(HasSubstr("\"mia\"")));
    EXPECT_THAT(hidden, Not(HasSubstr("mia/")));
    EXPECT_THAT(hidden, AllOf(HasSubstr("both"), HasSubstr("open.txt")));
    EXPECT_THAT(seen, AllOf(HasSubstr("mia"), HasSubstr("both"), HasSubstr("open.txt")));
  };
  const auto list = [&](const char* person) { return call(person, "DriveService/List", "{}"); };
  both(list("mia"), list("tom"));
  EXPECT_THAT(list("tom"), HasSubstr("\"total\":2"));
  const auto propfind = [&](const char* person) { return curl(person, {"-X", "PROPFIND", "-H", "Depth: 1"}, "/dav/"); };
  both(propfind("mia"), propfind("tom"));
  const auto tree = [&](const char* person) {
    const std::filesystem::path got = scratch().path() / person;
    EXPECT_THAT(curl(person, {"-o", got}, "/sync/tree?path=/"), HasSubstr("200"));
    return read_text(got);
  };
  both(tree("mia"), tree("tom"));
  const auto zip = [&](const char* person) {
    const std::filesystem::path got = scratch().path() / (std::string(person) + ".zip");
    EXPECT_THAT(curl(person, {"-o", got}, "/dav/?zip"), HasSubstr("200"));
    return run_program({"/usr/bin/python3", "-m", "zipfile", "-l", got}).out;
  };
  both(zip("mia"), zip("tom"));
  EXPECT_THAT(curl("tom", {"-d", "name=mia"}, "/dav/?zip"), HasSubstr(" 403"));
  EXPECT_THAT(call("mia", "DriveService/Search", R"({"text":"diary"})"), HasSubstr("/mia/diary.txt"));
  EXPECT_THAT(call("tom", "DriveService/Search", R"({"text":"diary"})"), Not(HasSubstr("/mia")));
  EXPECT_THAT(call("tom", "DriveService/Search", R"({"text":"dear","inside":true})"), Not(HasSubstr("/mia")));
  EXPECT_TRUE(
      eventually(seconds(60), [&] { return call("mia", "DriveService/Timeline", "{}").contains("/mia/photo.jpg"); }));
  EXPECT_THAT(call("tom", "DriveService/Timeline", "{}"), AllOf(Not(HasSubstr("/mia")), HasSubstr("200")));
}

TEST_F(PrivateFoldersTest, StayWhereTheyAre) {
  EXPECT_THAT(curl("mia", {"-X", "DELETE"}, "/dav/mia"), AllOf(HasSubstr("stays where it is"), HasSubstr(" 403")));
  EXPECT_THAT(call("mia", "DriveService/Move", R"({"paths":["/mia"],"folder":"/both"})"),
              HasSubstr("stays where it is"));
  EXPECT_THAT(call("mia", "DriveService/Remove", R"({"paths":["/both"]})"), HasSubstr("stays where it is"));
  write("other/a.txt", "a");
  EXPECT_THAT(curl("mia", {"-X", "MOVE", "-H", "Destination: " + url("/dav/mia")}, "/dav/other"),
              AllOf(HasSubstr("nothing takes the place"), HasSubstr(" 403")));
  EXPECT_THAT(curl("mia", {"-X", "MOVE", "-H", "Destination: " + url("/dav/mia/other")}, "/dav/other"),
              HasSubstr("201"));
}

TEST_F(PrivateFoldersTest, TheTrashIsTheirsToo) {
  ASSERT_THAT(curl("mia", {"-X", "DELETE"}, "/dav/mia/diary.txt"), HasSubstr("204"));
  ASSERT_THAT(curl("mia", {"-X", "DELETE"}, "/dav/open.txt"), HasSubstr("204"));
  const std::string hers = call("mia", "DriveService/ListTrash", "{}");
  EXPECT_THAT(hers, AllOf(HasSubstr("/mia/diary.txt"), HasSubstr("/open.txt")));
  EXPECT_THAT(call("tom", "DriveService/ListTrash", "{}"), AllOf(Not(HasSubstr("diary")), HasSubstr("/open.txt")));
  const std::size_t path = hers.find("/mia/diary.txt");
  const std::size_t at = hers.rfind(R"("id":")", path) + 6;
  const std::string id = hers.substr(at, hers.find('"', at) - at);
  EXPECT_THAT(call("tom", "DriveService/Restore", R"({"id":")" + id + "\"}"), HasSubstr("permission_denied"));
  EXPECT_THAT(call("tom", "DriveService/Erase", R"({"ids":[")" + id + "\"]}"), HasSubstr("permission_denied"));
  EXPECT_THAT(call("tom", "DriveService/Erase", R"({"all":true})"), HasSubstr(" 200"));
  EXPECT_THAT(call("mia", "DriveService/ListTrash", "{}"), AllOf(HasSubstr("diary"), Not(HasSubstr("/open.txt"))));
  EXPECT_THAT(call("mia", "DriveService/Restore", R"({"id":")" + id + "\"}"), HasSubstr("/mia/diary.txt"));
}

// Whoever loses a folder loses it at once, with what he was fetching and the links that he made.
TEST_F(PrivateFoldersTest, WhoeverLosesOneLosesItAtOnce) {
  ASSERT_EQ(run_program({"truncate", "-s", "4G", file("both/film")}).exit_code, 0);
  const std::string made = call("tom", "LinkService/Make", R"({"path":"/both","rights":{"see":true,"download":true}})");
  ASSERT_THAT(made, HasSubstr("#/link/"));
  Process fetching = Process::start(
      {"curl", "-sS", "-o", "/dev/null", "--limit-rate", "1M", "--cacert", pool().home() / "hub" / "certificate.pem",
       "-u", "anybody:" + tokens_["tom"], url("/dav/both/film")},
      {});
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().cli({"drive", "links"}).out.contains("/both"); }));
  pause_for(milliseconds(500));
  EXPECT_TRUE(fetching.running());
  own({"both", "--for", "mia"});
  EXPECT_TRUE(eventually(seconds(30), [&] { return !fetching.running(); }));
  EXPECT_THAT(curl("tom", {}, "/dav/both/plan.txt"), HasSubstr(" 403"));
  EXPECT_TRUE(eventually(seconds(30), [&] { return !pool().cli({"drive", "links"}).out.contains("/both"); }));
  Process hers = Process::start(
      {"curl", "-sS", "-o", "/dev/null", "--limit-rate", "1M", "--cacert", pool().home() / "hub" / "certificate.pem",
       "-u", "anybody:" + tokens_["mia"], url("/dav/both/film")},
      {});
  pause_for(milliseconds(500));
  EXPECT_TRUE(hers.running());
  ASSERT_EQ(pool().cli({"account", "assign", "mia-pc", "none"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] { return !hers.running(); }));
  EXPECT_THAT(curl("mia", {}, "/dav/mia/diary.txt"), HasSubstr(" 403"));
  own({"mia", "--for", "everyone"});
  EXPECT_EQ(curl("tom", {}, "/dav/mia/diary.txt"), "dear diary 200");
}

TEST_F(PrivateFoldersTest, SurviveARestartAndARecordThatCannotBeReadLetsNobodyIn) {
  pool().down();
  pool().up();
  EXPECT_THAT(curl("tom", {}, "/dav/mia/diary.txt"), HasSubstr(" 403"));
  EXPECT_EQ(curl("mia", {}, "/dav/mia/diary.txt"), "dear diary 200");
  const auto lets_nobody_in = [&] {
    for (const char* person : {"mia", "tom"}) {
      EXPECT_THAT(curl(person, {}, "/dav/open.txt"), AllOf(HasSubstr("private"), HasSubstr(" 500"))) << person;
    }
  };
  pool().down();
  std::ofstream(file(".hearth/private")) << "not what was written";
  pool().up();
  lets_nobody_in();
  pool().down();
  std::filesystem::remove(file(".hearth/private"));
  std::filesystem::create_symlink("private", file(".hearth/private"));  // to itself
  pool().up();
  lets_nobody_in();
}

TEST_F(PrivateFoldersTest, HoldNoMoreThanTheirLimit) {
  own({"mia", "--for", "mia", "--limit", "100KiB"});
  std::ofstream(scratch().path() / "60") << std::string(60 << 10, 'a');
  const auto put = [&](const std::string& name) {
    return curl("mia", {"-T", scratch().path() / "60"}, "/dav/mia/" + name);
  };
  EXPECT_THAT(put("a"), HasSubstr("201"));
  EXPECT_THAT(put("b"), AllOf(HasSubstr("/mia may hold 100"), HasSubstr(" 507")));
  EXPECT_THAT(put("a"), HasSubstr("204")) << "in the place of as much";
  EXPECT_THAT(curl("mia", {"-X", "COPY", "-H", "Destination: " + url("/dav/mia/c")}, "/dav/mia/a"), HasSubstr(" 507"));
  const std::string chunked =
      curl("mia", {"-T", scratch().path() / "60", "-H", "Transfer-Encoding: chunked"}, "/dav/mia/d");
  EXPECT_THAT(chunked, HasSubstr(" 507")) << "its length is known at its end";
  EXPECT_THAT(curl("mia",
                   {"-X", "POST", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Length: 61440", "-H",
                    "Upload-Metadata: path L21pYS94"},
                   "/upload/"),
              HasSubstr("/mia may hold 100"));
  write("big/60", std::string(60 << 10, 'b'));
  EXPECT_THAT(curl("mia", {"-X", "MOVE", "-H", "Destination: " + url("/dav/mia/big")}, "/dav/big"), HasSubstr(" 507"));
  EXPECT_TRUE(std::filesystem::exists(file("big/60")));
  EXPECT_THAT(pool().cli({"drive", "private"}).out, AllOf(HasSubstr("/mia"), HasSubstr("100 KiB")));
  // What goes makes room, though it passes through nobody's hands.
  std::filesystem::remove(file("mia/a"));
  EXPECT_TRUE(eventually(seconds(30), [&] { return put("b").contains("201"); }));
  EXPECT_FALSE(std::filesystem::exists(file("mia/d")));
}

TEST_F(PrivateFoldersTest, JobsReachWhatTheirDeviceDoes) {
  const Ended refused = pool().cli({"run", "--input", "drive:/mia/*.txt", "--", "cat", "diary.txt"});
  EXPECT_THAT(refused.err, HasSubstr("/mia is other people's own folder")) << "the owner's device is in no account";
  const Ended into = pool().cli({"run", "--output", "drive:/mia", "--", "sh", "-c", "echo a > b"});
  EXPECT_NE(into.exit_code, 0) << into.err;
  EXPECT_FALSE(std::filesystem::exists(file("mia/b")));
  // Nor by a result's own name.
  const Ended beside = pool().cli({"run", "--output", "mia/c", "--output", "d", "--output", "drive:/", "--", "sh", "-c",
                                   "mkdir mia; echo a > mia/c; echo d > d"});
  EXPECT_EQ(beside.exit_code, 1);
  EXPECT_THAT(beside.err, HasSubstr("mia/c"));
  EXPECT_TRUE(eventually(seconds(60), [&] { return std::filesystem::exists(file("d")); }));
  EXPECT_FALSE(std::filesystem::exists(file("mia/c")));
  const Ended all = pool().cli({"run", "--input", "drive:/*/*.txt", "--", "sh", "-c", "ls"});
  EXPECT_THAT(all.out + all.err, Not(HasSubstr("diary")));
}

TEST_F(PrivateFoldersTest, ResultsOfJobsWaitForRoomAndThatIsSaid) {
  own({"mia", "--for", "mia", "--limit", "100KiB"});
  const auto submit = [&](const std::string& script, const std::string& id) {
    return call("mia", "JobService/Submit",
                R"({"spec": {"argv": ["sh", "-c", ")" + script + R"("], "outputs": ["*"], "driveOutputs": "/mia"}, )" +
                    R"("requestId": ")" + id + "AAAAAAAAAAAAAAAAAAAAA==\"}");
  };
  EXPECT_THAT(submit("head -c 120000 /dev/zero > large", "A"), HasSubstr(" 200"));
  const auto told = [&] { return call("mia", "JobService/Get", R"({"jobId": "1"})"); };
  EXPECT_TRUE(eventually(seconds(60), [&] { return told().contains("/mia may hold 100"); })) << told();
  EXPECT_THAT(told(), HasSubstr("\"driveOutputsDue\":true"));
  own({"mia", "--for", "mia", "--limit", "1MiB"});
  EXPECT_THAT(submit("echo > small", "B"), HasSubstr(" 200")) << "with which the first one is tried again";
  EXPECT_TRUE(eventually(seconds(60), [&] { return std::filesystem::exists(file("mia/large")); }));
  EXPECT_TRUE(eventually(seconds(60), [&] { return !told().contains("driveOutputsTrouble"); })) << told();
}

TEST_F(PrivateFoldersTest, WhatCannotBeIsSaidPlainly) {
  EXPECT_THAT(pool().cli({"drive", "private", "x", "--for", "nobody"}).err, HasSubstr("hearth account set nobody"));
  EXPECT_THAT(pool().cli({"drive", "private", "a/b", "--for", "mia"}).err, HasSubstr("slash"));
  EXPECT_THAT(pool().cli({"drive", "private", "open.txt", "--for", "mia"}).err, HasSubstr("/open.txt"));
  EXPECT_THAT(pool().cli({"drive", "private", "x"}).err, HasSubstr("--for"));
  EXPECT_THAT(pool().cli({"drive", "private", "x", "--limit", "1GB"}).err, HasSubstr("everybody's"));
  EXPECT_THAT(pool().cli({"drive", "private", "x", "--for", "everyone"}).err, HasSubstr("/x is everybody's"));
  EXPECT_THAT(call("mia", "DriveService/SetPrivate", R"({"name":"both","people":["mia"]})"),
              HasSubstr("permission_denied"))
      << "this is for an owner of the pool";
  const std::string told = call("tom", "DriveService/ListPrivate", "{}");
  EXPECT_THAT(told, AllOf(HasSubstr("\"both\""), Not(HasSubstr("\"name\":\"mia\"")), HasSubstr("\"person\":\"tom\"")));
}

}  // namespace
}  // namespace hearth::e2e
