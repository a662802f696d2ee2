// Programs with windows: seen and used from another device through the hub, by those who may, until told to end.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "harness/viewing.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

// Blue, until somebody types a line; red then.
constexpr const char* kColours = R"(printf '\033[44m\033[2J'; read line; printf '\033[41m\033[2J'; sleep 1000)";

bool has_programs() {
  return std::filesystem::exists(std::filesystem::path(hearth_program()).parent_path() / "hearth-screen") &&
         std::filesystem::exists("/usr/bin/Xvfb") && std::filesystem::exists("/usr/bin/xterm") &&
         std::filesystem::exists("/usr/bin/ffmpeg");
}

v1::JobSpec window(const std::vector<std::string>& argv) {
  v1::JobSpec spec = program(argv);
  spec.set_window(true);
  return spec;
}

class ScreenTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    if (!has_programs()) GTEST_SKIP() << "SKIPPED: hearth-screen was not built, or Xvfb, xterm or ffmpeg is missing";
  }
  std::uint64_t start(Api& api) {
    const auto job = api.submit(window({"xterm", "-b", "0", "-e", "sh", "-c", kColours}));
    EXPECT_TRUE(job) << text_of(job.error());
    api.wait_until_running(*job);
    return *job;
  }
  static void watch(Viewing& viewing) {
    Result<void> opened;
    ASSERT_TRUE(eventually(seconds(60), [&] { return (opened = viewing.open()).has_value(); }))
        << text_of(opened.error());
  }
  // Of hearth-screen's processes the one that makes pictures.
  std::vector<pid_t> processes(const std::string& word) {
    std::vector<pid_t> found;
    for (const pid_t process : descendants_of(pool().node_process())) {
      if (command_line(process).contains(word)) found.push_back(process);
    }
    return found;
  }
};

TEST_F(ScreenTest, ShowsAProgramAndGivesItWhatIsTyped) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing viewing(owner, job);
  watch(viewing);
  EXPECT_TRUE(viewing.becomes("00f", scratch().path()));
  viewing.type("now\n");
  EXPECT_TRUE(viewing.becomes("f00", scratch().path()));

  // Whoever comes back, or comes as well, finds it as it is.
  Viewing other(owner, job);
  watch(other);
  EXPECT_TRUE(other.becomes("f00", scratch().path()));

  // What makes pictures dies: another one goes on, and so does the program.
  for (const pid_t process : processes("--serve")) ::kill(process, SIGKILL);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !other.listen(); }));
  watch(other);
  EXPECT_TRUE(other.becomes("f00", scratch().path()));

  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] { return !other.listen(); }));
  EXPECT_TRUE(eventually(seconds(30), [&] { return processes("Xvfb").empty() && processes("xterm").empty(); }));
}

TEST_F(ScreenTest, EndsWithItsDisplayAndSaysSo) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing viewing(owner, job);
  watch(viewing);
  EXPECT_TRUE(viewing.becomes("00f", scratch().path()));
  for (const pid_t process : processes("Xvfb")) ::kill(process, SIGKILL);
  const v1::Job ended = owner.wait(job);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(pool().cli({"logs", std::to_string(job)}).err, HasSubstr("the display (Xvfb) has died"));
}

TEST_F(ScreenTest, IsForItsDeviceAndEndsWithItsStanding) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Api member(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  const Result<void> refused = Viewing(member, job).open();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("only that device"));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  owner.wait(job);

  const std::uint64_t own = start(member);
  Viewing viewing(member, own);
  watch(viewing);
  EXPECT_TRUE(viewing.becomes("00f", scratch().path()));
  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(10), [&] { return !viewing.listen(); }));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(own)}).exit_code, 0);
}

// What a browser does with a good one, tests/browser shows.
TEST_F(ScreenTest, SaysWhatIsWrongWithAnOfferAndLeavesNothingBehind) {
  if (!std::filesystem::exists(std::filesystem::path(hearth_program()).parent_path() / "hearth-media")) {
    GTEST_SKIP() << "SKIPPED: hearth-media was not built";
  }
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Viewing silent(owner, job, screen::kMediaPort);
  watch(silent);
  for (const std::string& offer :
       {std::string("v=0"), std::string(16'000, 'm'), std::string("m=video 9 RTP/SAVPF 1\r\n")}) {
    Viewing viewing(owner, job, screen::kMediaPort);
    watch(viewing);
    v1::FromViewer message;
    message.set_offer(offer);
    viewing.send(message);
    EXPECT_TRUE(eventually(seconds(20), [&] { return !viewing.listen(); }));
    EXPECT_THAT(viewing.problem(), HasSubstr("offer"));
  }
  EXPECT_TRUE(eventually(seconds(40), [&] { return !silent.listen(); })) << "it keeps a viewer's place";
  EXPECT_THAT(silent.problem(), HasSubstr("no offer"));
  Viewing waiting(owner, job, screen::kMediaPort);
  watch(waiting);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !processes("/hearth-media").empty(); }));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] { return !waiting.listen(); }));
  EXPECT_TRUE(eventually(seconds(30), [&] { return processes("hearth-media").empty(); }));
}

TEST_F(ScreenTest, TakesNoMoreViewersThanItCanServe) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  std::vector<std::unique_ptr<Viewing>> viewers;
  for (int i = 0; i < 8; ++i) {
    viewers.push_back(std::make_unique<Viewing>(owner, job));
    watch(*viewers.back());
  }
  EXPECT_TRUE(viewers.back()->becomes("00f", scratch().path()));
  Viewing ninth(owner, job);
  watch(ninth);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !ninth.listen(); }));
  EXPECT_THAT(ninth.problem(), HasSubstr("8 viewers"));
  viewers.front()->type("x\n");
  EXPECT_TRUE(viewers.back()->becomes("f00", scratch().path()));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
}

// Reads a line that was pasted, and copies it and more.
constexpr const char* kAnswers =
    R"sh(printf '\033[44m\033[2J'; while read line; do printf '\033]52;c;%s\a' "$(printf '%s, back' "$line" | base64 -w0)"; done)sh";

TEST_F(ScreenTest, PastesAndTellsWhatIsCopied) {
  Api owner(pool());
  const auto job = owner.submit(window({"xterm", "-u8", "-b", "0", "-xrm", "XTerm*allowWindowOps: true", "-xrm",
                                        "XTerm*VT100.translations: #override Ctrl<Key>v: insert-selection(CLIPBOARD)",
                                        "-e", "sh", "-c", kAnswers}));
  ASSERT_TRUE(job) << text_of(job.error());
  owner.wait_until_running(*job);
  Viewing viewing(owner, *job);
  watch(viewing);
  Viewing other(owner, *job);
  watch(other);
  EXPECT_TRUE(viewing.becomes("00f", scratch().path()));
  v1::FromViewer paste;
  paste.mutable_clipboard()->set_data("grüße 🔥\n");
  paste.mutable_clipboard()->set_last(true);
  viewing.send(paste);
  v1::FromViewer keys;
  for (const std::uint32_t key : {0xffe3U, std::uint32_t{'v'}}) keys.mutable_input()->add_keys(key);
  viewing.send(keys);
  keys.mutable_input()->clear_keys();
  viewing.send(keys);
  EXPECT_TRUE(viewing.hears([&] { return viewing.copied() == "grüße 🔥, back"; })) << viewing.copied();
  EXPECT_TRUE(other.hears([&] { return other.copied() == "grüße 🔥, back"; })) << other.copied();
  ASSERT_EQ(pool().cli({"cancel", std::to_string(*job)}).exit_code, 0);
}

TEST_F(ScreenTest, PutsAViewersFilesIntoTheAppsFolder) {
  Api owner(pool());
  const auto job = owner.submit(window(
      {"xterm", "-b", "0", "-e", "sh", "-c",
       R"(printf '\033[44m\033[2J'; until grep -qs hello note.txt; do sleep 0.1; done; printf '\033[41m\033[2J'; sleep 1000)"}));
  ASSERT_TRUE(job) << text_of(job.error());
  owner.wait_until_running(*job);
  Viewing viewing(owner, *job);
  watch(viewing);
  EXPECT_TRUE(viewing.becomes("00f", scratch().path()));
  v1::FromViewer piece;
  piece.mutable_file()->set_number(1);
  piece.mutable_file()->set_name("../../etc/note.txt");
  piece.mutable_file()->set_size(10);
  piece.mutable_file()->set_data("hello");
  viewing.send(piece);
  EXPECT_TRUE(viewing.hears([&] { return viewing.file().received() == 5; }));
  piece.mutable_file()->set_offset(5);
  piece.mutable_file()->set_last(true);
  viewing.send(piece);
  EXPECT_TRUE(viewing.hears([&] { return viewing.file().offered(); }));
  EXPECT_EQ(viewing.file().saved_as(), "note.txt");
  EXPECT_FALSE(viewing.file().taken());  // an xterm takes no drops
  EXPECT_TRUE(viewing.becomes("f00", scratch().path()));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(*job)}).exit_code, 0);
}

// Red for "good", green for anything else, or where a file was added.
constexpr const char* kJudges =
    R"(printf '\033[44m\033[2J'; read line; colour=42; [ "$line" = good ] && [ ! -e evil.txt ] && colour=41; printf "\033[${colour}m\033[2J"; sleep 1000)";

TEST_F(ScreenTest, IsSharedToWatchAndItsControllerIsPassedOn) {
  Api owner(pool());
  const auto submitted = owner.submit(window({"xterm", "-b", "0", "-e", "sh", "-c", kJudges}));
  ASSERT_TRUE(submitted) << text_of(submitted.error());
  owner.wait_until_running(*submitted);
  const std::string job = std::to_string(*submitted);
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  Viewing own(owner, *submitted);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  Viewing hers(mia, *submitted);
  EXPECT_THAT(hers.open().error().message, HasSubstr("only that device"));

  ASSERT_EQ(pool().cli({"app", "share", job, "--with", "mia"}).exit_code, 0);
  for (const std::uint16_t port : {std::uint16_t{22}, screen::kWatchPort, screen::kWatchMediaPort}) {
    EXPECT_THAT(Viewing(mia, *submitted, port).open().error().message, HasSubstr("only that device")) << port;
  }
  watch(hers);
  EXPECT_TRUE(hers.becomes("00f", scratch().path()));
  say_all_that_is_forbidden(hers, scratch().path());
  EXPECT_EQ(pool().cli({"app", "pass", job, "mia"}).exit_code, 1) << "she may only watch";

  // The controller: both come back with another right.
  ASSERT_EQ(pool().cli({"app", "share", job, "--with", "mia", "--control"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"app", "pass", job, "mia"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !own.listen(); }));
  EXPECT_TRUE(eventually(seconds(20), [&] { return !hers.listen(); }));
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  say_all_that_is_forbidden(own, scratch().path());
  EXPECT_THAT(pool().cli({"app", "shared"}).out, HasSubstr("device mia controls"));
  watch(hers);
  EXPECT_TRUE(hers.becomes("00f", scratch().path()));
  hers.type("good\n");
  EXPECT_TRUE(hers.becomes("f00", scratch().path()));
  EXPECT_TRUE(own.becomes("f00", scratch().path()));

  ASSERT_EQ(pool().cli({"app", "pass", job}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !hers.listen(); }));
  watch(hers);
  ASSERT_EQ(pool().cli({"app", "unshare", job}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !hers.listen(); }));
  EXPECT_THAT(hers.open().error().message, HasSubstr("only that device"));
  const std::string done = pool().cli({"audit"}).out;
  for (const char* line : {"app.share", "with=mia right=watch", "app.pass", "to=mia", "app.unshare", "right=control"}) {
    EXPECT_THAT(done, HasSubstr(line));
  }
  ASSERT_EQ(pool().cli({"cancel", job}).exit_code, 0);
}

TEST_F(ScreenTest, ByWebRtcAWatcherSaysNoMoreThanThroughTheHub) {
  if (!std::filesystem::exists(std::filesystem::path(hearth_program()).parent_path() / "hearth-media")) {
    GTEST_SKIP() << "SKIPPED: hearth-media was not built";
  }
  Api owner(pool());
  const auto job = owner.submit(window({"xterm", "-b", "0", "-e", "sh", "-c", kJudges}));
  ASSERT_TRUE(job) << text_of(job.error());
  owner.wait_until_running(*job);
  Viewing own(owner, *job);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  ASSERT_EQ(pool().cli({"app", "share", std::to_string(*job), "--with", "mia"}).exit_code, 0);
  Viewing hers(mia, *job, screen::kMediaPort);
  watch(hers);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !processes("/hearth-media --watch").empty(); }));
  // hearth-media passes it on before it looks at the offer, which it answers.
  v1::FromViewer message;
  message.set_text("bad\n");
  hers.send(message);
  message.Clear();
  message.set_offer("v=0");
  hers.send(message);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !hers.listen(); }));
  EXPECT_THAT(hers.problem(), HasSubstr("offer"));
  own.type("good\n");
  EXPECT_TRUE(own.becomes("f00", scratch().path()));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(*job)}).exit_code, 0);
}

TEST_F(ScreenTest, WatchersKeepNobodyOutWhoseAppItIs) {
  Api owner(pool());
  const std::uint64_t job = start(owner);
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  Api tom(pair_device(pool(), "tom", v1::ROLE_MEMBER));
  ASSERT_EQ(pool().cli({"app", "share", std::to_string(job), "--with", "mia,tom"}).exit_code, 0);
  Viewing own(owner, job);
  watch(own);
  EXPECT_TRUE(own.becomes("00f", scratch().path()));
  std::vector<std::unique_ptr<Viewing>> viewers;
  for (int i = 0; i < 4; ++i) {
    viewers.push_back(std::make_unique<Viewing>(mia, job));
    watch(*viewers.back());
  }
  EXPECT_THAT(Viewing(mia, job).open().error().message, HasSubstr("4 times already"));
  for (int i = 0; i < 2; ++i) {
    viewers.push_back(std::make_unique<Viewing>(tom, job));
    watch(*viewers.back());
    EXPECT_TRUE(viewers.back()->becomes("00f", scratch().path()));
  }
  Viewing seventh(tom, job);
  watch(seventh);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !seventh.listen(); }));
  EXPECT_THAT(seventh.problem(), HasSubstr("6 others"));
  Viewing eighth(owner, job);
  watch(eighth);
  EXPECT_TRUE(eighth.becomes("00f", scratch().path()));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
}

TEST_F(ScreenTest, StartsAnAppThatWasAddedByItsName) {
  EXPECT_EQ(pool().cli({"app", "add", "Colours", "--", "xterm", "-b", "0", "-e", "sh", "-c", kColours}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return pool().cli({"app", "list"}).out.contains("Colours"); }));
  const Ended nothing = pool().cli({"app", "start", "Nothing"});
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("hearth app list"));
  const Ended started = pool().cli({"app", "start", "Colours"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  Api owner(pool());
  Viewing viewing(owner, std::stoull(started.out));
  watch(viewing);
  EXPECT_TRUE(viewing.becomes("00f", scratch().path()));
  ASSERT_EQ(pool().cli({"cancel", started.out.substr(0, started.out.find('\n'))}).exit_code, 0);
  EXPECT_EQ(pool().cli({"app", "remove", "Colours"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !pool().cli({"app", "list"}).out.contains("Colours"); }));
  EXPECT_EQ(pool().cli({"app", "remove", "Colours"}).exit_code, 1);
}

TEST_F(ScreenTest, RefusesWhatCannotHaveAWindow) {
  Api owner(pool());
  v1::JobSpec many = window({"xterm"});
  many.set_tasks(2);
  EXPECT_THAT(text_of(owner.submit(many).error()), HasSubstr("a job of one task"));
  v1::JobSpec elsewhere = window({"xterm"});
  elsewhere.set_environment("python");
  EXPECT_THAT(text_of(owner.submit(elsewhere).error()), HasSubstr("environment \"host\""));
}

}  // namespace
}  // namespace hearth::e2e
