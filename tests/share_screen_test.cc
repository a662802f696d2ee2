// The screen that a PC's owner sits at, shared by his own hand: seen and used from his other devices, and ended by him.
#include <csignal>

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

// Blue, until it is clicked or somebody types: red then.
constexpr const char* kColours =
    R"(stty raw -echo; printf '\033[?9h\033[44m\033[2J'; dd bs=1 count=1 2>/dev/null >&2; printf '\033[41m\033[2J'; sleep 1000)";

bool has_programs() {
  return std::filesystem::exists(std::filesystem::path(hearth_program()).parent_path() / "hearth-screen") &&
         std::filesystem::exists("/usr/bin/Xvfb") && std::filesystem::exists("/usr/bin/xterm") &&
         std::filesystem::exists("/usr/bin/ffmpeg");
}

class ShareScreenTest : public PoolFixture {
 protected:
  void SetUp() override {
    if (!has_programs()) GTEST_SKIP() << "SKIPPED: hearth-screen was not built, or Xvfb, xterm or ffmpeg is missing";
    desktop_.emplace(
        Process::start({"/usr/bin/Xvfb", "-displayfd", "1", "-screen", "0",
                        fmt::format("{}x{}x24", Viewing::kWidth, Viewing::kHeight), "-nolisten", "tcp", "-noreset"},
                       {.env = {{"HOME", scratch().path()}}}));
    ASSERT_TRUE(eventually(seconds(30), [&] { return desktop_->out().contains('\n'); })) << desktop_->err();
    display_ = ":" + desktop_->out().substr(0, desktop_->out().find('\n'));
    program_.emplace(Process::start(
        {"/usr/bin/xterm", "-b", "0", "-bw", "0", "-geometry", "200x100+0+0", "-e", "sh", "-c", kColours},
        {.env = {{"DISPLAY", display_}, {"HOME", scratch().path()}}}));
    PoolFixture::SetUp();
  }
  void TearDown() override {
    PoolFixture::TearDown();
    program_.reset();
    desktop_.reset();
  }

  RunOptions at_desktop() const {
    return {.env = {{"DISPLAY", display_}, {"HOME", scratch().path()}, {"XDG_SESSION_TYPE", ""}}};
  }
  Process share(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"app", "share-screen"};
    words.insert(words.end(), more.begin(), more.end());
    return pool().start_cli(words, at_desktop());
  }
  // Of the shared screen, once it is seen.
  static std::uint64_t job_of(const Process& sharing) {
    EXPECT_TRUE(
        eventually(seconds(60), [&] { return sharing.out().contains('\n') || sharing.err().contains("error:"); }));
    return sharing.out().empty() ? (ADD_FAILURE() << sharing.err(), 0) : std::stoull(sharing.out());
  }
  static void watch(Viewing& viewing) {
    Result<void> opened;
    ASSERT_TRUE(eventually(seconds(60), [&] { return (opened = viewing.open()).has_value(); }))
        << text_of(opened.error());
  }
  bool becomes(Viewing& viewing, const std::string& colour) { return viewing.becomes(colour, scratch().path()); }
  bool shows_sign(Viewing& viewing) { return viewing.becomes("f00", scratch().path(), Viewing::kWidth / 2, 1); }
  // Its own, of a command that was started.
  static std::vector<pid_t> helpers(const Process& sharing) { return children_of(sharing.pid()); }
  static void expect_over(Process& sharing, Viewing& viewing, int exit_code = 0) {
    EXPECT_TRUE(eventually(seconds(30), [&] { return !viewing.listen(); }));
    const Ended ended = sharing.wait(seconds(30));
    EXPECT_EQ(ended.exit_code, exit_code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("shared no more"));
  }
  v1::JobSpec attempt_from_afar() {
    v1::JobSpec spec = program({"hearth", "app", "share-screen"});
    spec.set_window(true);
    spec.set_screen_of(account::load_account(pool().home() / "node")->device.value);
    return spec;
  }

  std::optional<Process> desktop_;
  std::optional<Process> program_;
  std::string display_;
};

v1::FromViewer click(int x, int y) {
  v1::FromViewer message;
  message.mutable_input()->set_x(x);
  message.mutable_input()->set_y(y);
  message.mutable_input()->set_buttons(1);
  return message;
}

v1::FromViewer keys(std::initializer_list<std::uint32_t> held) {
  v1::FromViewer message;
  for (const std::uint32_t key : held) message.mutable_input()->add_keys(key);
  return message;
}

TEST_F(ShareScreenTest, IsSeenAndUsedUntilTheStopKey) {
  close_own_node(pool());  // what is lent is no matter of it
  Api owner(pool());
  Process sharing = share();
  const std::uint64_t job = job_of(sharing);
  ASSERT_NE(job, 0U);
  Viewing viewing(owner, job);
  watch(viewing);
  EXPECT_TRUE(becomes(viewing, "00f"));
  EXPECT_TRUE(shows_sign(viewing));
  viewing.send(click(Viewing::kWidth / 2, Viewing::kHeight / 2));
  EXPECT_TRUE(becomes(viewing, "f00"));
  const v1::Job running = owner.job(job);
  EXPECT_EQ(running.spec().resources().cores(), 0U);
  EXPECT_EQ(running.running(), 1U);
  viewing.send(keys({0xffe3, 0xffe9, 0xff1b}));
  expect_over(sharing, viewing);
  EXPECT_EQ(owner.wait(job).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(ShareScreenTest, WhoMayOnlyWatchDoesNothing) {
  Api owner(pool());
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  Process sharing = share();
  const std::uint64_t job = job_of(sharing);
  ASSERT_NE(job, 0U);
  EXPECT_THAT(Viewing(mia, job).open().error().message, HasSubstr("only that device"));
  ASSERT_EQ(pool().cli({"app", "share", std::to_string(job), "--with", "mia"}).exit_code, 0);
  Viewing hers(mia, job);
  watch(hers);
  EXPECT_TRUE(becomes(hers, "00f"));
  say_all_that_is_forbidden(hers, scratch().path());
  EXPECT_THAT(Viewing(owner, job, 22).open().error().message, HasSubstr("has no ports"));
  ASSERT_EQ(pool().cli({"app", "unshare", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return !hers.listen(); }));
  sharing.signal(SIGINT);
  EXPECT_EQ(sharing.wait(seconds(30)).exit_code, 0);
  EXPECT_EQ(owner.wait(job).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(ShareScreenTest, IsSeenByWebRtcWithTheSameRights) {
  if (!std::filesystem::exists(std::filesystem::path(hearth_program()).parent_path() / "hearth-media")) {
    GTEST_SKIP() << "SKIPPED: hearth-media was not built";
  }
  Api owner(pool());
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  Process sharing = share();
  const std::uint64_t job = job_of(sharing);
  ASSERT_NE(job, 0U);
  ASSERT_EQ(pool().cli({"app", "share", std::to_string(job), "--with", "mia"}).exit_code, 0);
  Viewing seen(owner, job);
  watch(seen);
  EXPECT_TRUE(becomes(seen, "00f"));
  // What hearth-media is told before there is an offer, it passes on.
  Viewing hers(mia, job, screen::kMediaPort);
  watch(hers);
  hers.type("x");
  while (hers.listen() && hers.problem().empty()) {
    v1::FromViewer offer;
    offer.set_offer("v=0");
    hers.send(offer);
  }
  EXPECT_THAT(hers.problem(), HasSubstr("offer"));
  v1::FromViewer again;
  again.set_key_picture(true);
  seen.send(again);
  EXPECT_TRUE(becomes(seen, "00f"));
  Viewing own(owner, job, screen::kMediaPort);
  watch(own);
  own.type("x");
  EXPECT_TRUE(becomes(seen, "f00"));
  sharing.signal(SIGTERM);
  expect_over(sharing, seen);
}

TEST_F(ShareScreenTest, GuestsHaveNoWayToIt) {
  Process sharing = share();
  ASSERT_NE(job_of(sharing), 0U);
  const std::string number = display_.substr(1);
  const std::string word = pool().home() / "node" / "screen";
  ASSERT_TRUE(std::filesystem::is_socket(word));
  for (const std::string& way : {word, "/tmp/.X11-unix/X" + number, "/proc/1/root" + word}) {
    EXPECT_EQ(pool().cli({"run", "--", "sh", "-c", "! test -e " + way}).exit_code, 0) << way;
  }
  const Ended abstract = pool().cli({"run", "--", "grep", "-c", "X11-unix/X" + number, "/proc/net/unix"});
  EXPECT_EQ(abstract.out, "0\n") << abstract.err;
  sharing.signal(SIGINT);
  EXPECT_EQ(sharing.wait(seconds(30)).exit_code, 0);
}

TEST_F(ShareScreenTest, IsNobodysToStartFromAfar) {
  Api phone(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  const auto alone = phone.submit(attempt_from_afar());
  ASSERT_TRUE(alone) << text_of(alone.error());
  EXPECT_THAT(phone.wait(*alone).first_failure().message(), HasSubstr("nobody who sits at that PC"));

  Api owner(pool());
  Process sharing = share();
  const std::uint64_t job = job_of(sharing);
  ASSERT_NE(job, 0U);
  Viewing viewing(owner, job);
  watch(viewing);
  const auto beside = phone.submit(attempt_from_afar());
  ASSERT_TRUE(beside) << text_of(beside.error());
  EXPECT_THAT(phone.wait(*beside).first_failure().message(), HasSubstr("nobody who sits at that PC"));
  EXPECT_FALSE(Viewing(phone, *beside).open());
  EXPECT_TRUE(becomes(viewing, "00f")) << "and nothing has become of the owner's";
  // Another one of this PC's.
  const Ended second = pool().cli({"app", "share-screen", "--stop-key", "Super+F12"}, at_desktop());
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("shared already"));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  expect_over(sharing, viewing);
}

TEST_F(ShareScreenTest, EndsWithItsHelperItsCommandTheNodeAndTheHub) {
  Api owner(pool());
  const auto end_by = [&](const std::function<void(const Process&)>& blow, int exit_code) {
    Process sharing = share();
    const std::uint64_t job = job_of(sharing);
    ASSERT_NE(job, 0U);
    Viewing viewing(owner, job);
    watch(viewing);
    EXPECT_TRUE(shows_sign(viewing));
    const std::vector<pid_t> its = helpers(sharing);
    EXPECT_EQ(its.size(), 1U);
    blow(sharing);
    EXPECT_TRUE(eventually(seconds(30), [&] { return !viewing.listen(); }));
    const Ended ended = sharing.wait(seconds(30));
    EXPECT_EQ(ended.exit_code, exit_code) << ended.err;
    for (const pid_t helper : its) EXPECT_TRUE(eventually(seconds(30), [&] { return !alive(helper); }));
    pool().await_node();
    owner.wait(job);
  };
  end_by([&](const Process& sharing) { ::kill(helpers(sharing).at(0), SIGKILL); }, 1);
  end_by([&](const Process& sharing) { ::kill(sharing.pid(), SIGKILL); }, 128 + SIGKILL);
  end_by([&](const Process&) { EXPECT_EQ(pool().cli({"stop-everything"}).exit_code, 0); }, 0);
  EXPECT_THAT(pool().cli({"app", "share-screen"}, at_desktop()).err, HasSubstr("hearth resume"));
  EXPECT_EQ(pool().cli({"resume"}).exit_code, 0);
  const std::filesystem::path status = pool().home() / "node" / "status.json";
  EXPECT_TRUE(eventually(seconds(20), [&] { return read_text(status).contains(R"("stopped": false)"); }))
      << read_text(status);
  end_by([&](const Process&) { ::kill(pool().node_process(), SIGKILL); }, 0);
  end_by([&](const Process&) { ::kill(pool().hub_process(), SIGKILL); }, 0);
}

TEST_F(ShareScreenTest, SaysWhyItCannotBe) {
  const auto refusal = [&](std::vector<std::pair<std::string, std::string>> more,
                           const std::vector<std::string>& words = {}) {
    RunOptions options = at_desktop();
    options.env.insert(options.env.end(), more.begin(), more.end());
    std::vector<std::string> argv = {"app", "share-screen"};
    argv.insert(argv.end(), words.begin(), words.end());
    const Ended ended = pool().cli(argv, options);
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_EQ(ended.out, "");
    return ended.err;
  };
  EXPECT_THAT(refusal({{"DISPLAY", ""}}), HasSubstr("DISPLAY is not set"));
  EXPECT_THAT(refusal({{"DISPLAY", ":987654"}}), HasSubstr("does not answer"));
  EXPECT_THAT(refusal({{"WAYLAND_DISPLAY", "wayland-0"}}), HasSubstr("Xorg"));
  EXPECT_THAT(refusal({{"XDG_SESSION_TYPE", "wayland"}}), HasSubstr("cannot be shared yet"));
  EXPECT_THAT(refusal({}, {"--stop-key", "a"}), HasSubstr("Ctrl+Alt+Escape"));
  if (::geteuid() == 0) EXPECT_THAT(refusal({{"SUDO_UID", "1000"}}), HasSubstr("another user's"));
  pool().down();
  EXPECT_THAT(refusal({}), HasSubstr("hearth up"));
  pool().up();
  pool().await_node();
}

}  // namespace
}  // namespace hearth::e2e
