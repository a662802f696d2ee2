// Text programs: their terminals seen and used from another device through the hub, and in another terminal, by those
// who may, until told to end.
#include <array>
#include <filesystem>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "hearth/v1/audiences.pb.h"
#include "net/tunnel.h"
#include "screen/frames.h"
#include "terminal/messages.h"
#include "terminal/pty.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

v1::JobSpec in_terminal(const std::vector<std::string>& argv) {
  v1::JobSpec spec = program(argv);
  spec.set_terminal(true);
  return spec;
}

// Who watches a terminal, as the page does.
class Watching {
 public:
  Watching(Api& api, std::uint64_t job, std::uint16_t port = 7440)
      : api_(api), way_("/forward?task=0&port=" + std::to_string(port) + "&job=" + std::to_string(job)) {}

  // Goes on where it was. Errors: of the hub and node; a program that starts does not listen yet.
  Result<void> open() {
    net::Headers headers;
    headers.add("authorization", "Bearer " + api_.token(false));
    auto opened = api_.loop().run_until_done(
        api_.session().client().websocket(way_, headers, net::kTunnelProtocol, net::kMaxTunnelMessage));
    if (!opened) return std::unexpected(opened.error());
    socket_ = std::move(*opened);
    reader_ = screen::FrameReader(terminal::kMaxMessage);
    v1::FromTerminalViewer hello;
    hello.mutable_watch()->set_run(run_);
    hello.mutable_watch()->set_from(at_);
    send(hello);
    return {};
  }
  void watch() {
    ASSERT_TRUE(eventually(seconds(60), [this] { return open().has_value(); }));
  }
  void cut() { socket_->close(1000, ""); }

  void send(const v1::FromTerminalViewer& message) {
    static_cast<void>(api_.loop().run_until_done(socket_->write(screen::frame_of(message))));
  }
  void type(const std::string& text) {
    v1::FromTerminalViewer message;
    message.set_input(text);
    send(message);
  }
  void resize(std::uint32_t rows, std::uint32_t columns) {
    v1::FromTerminalViewer message;
    message.mutable_size()->set_rows(rows);
    message.mutable_size()->set_columns(columns);
    send(message);
  }

  // Takes in what comes within a moment; whether the way is still there.
  bool listen() {
    const Result<std::string> piece = api_.loop().run_until_done(socket_->read(hearth::milliseconds(200)));
    if (!piece) return piece.error().code == Code::kDeadlineExceeded;
    if (piece->empty() || !reader_.push(*piece)) return false;
    while (const std::optional<std::string> frame = reader_.next()) {
      const Result<v1::ToTerminalViewer> message = terminal::parse_to_viewer(*frame);
      if (!message) return false;
      hear(*message);
    }
    if (code_) cut();
    return !code_;
  }
  bool sees(const std::string& wanted) {
    return eventually(seconds(60), [&] { return text_.contains(wanted) || (listen(), text_.contains(wanted)); });
  }
  bool ends() {
    return eventually(seconds(30), [&] { return !listen(); });
  }

  const std::string& text() const { return text_; }
  const v1::TerminalSize& size() const { return size_; }
  const v1::TerminalStart& start() const { return start_; }
  std::optional<int> code() const { return code_; }

 private:
  void hear(const v1::ToTerminalViewer& message) {
    if (message.has_start()) {
      start_ = message.start();
      run_ = start_.run();
      if (start_.reset()) text_.clear();
      EXPECT_TRUE(start_.reset() || start_.offset() == at_);
      at_ = start_.offset();
    }
    if (message.has_size()) size_ = message.size();
    if (message.has_end()) code_ = message.end().exit_code();
    if (!message.has_output()) return;
    EXPECT_EQ(message.output().offset(), at_);
    text_ += message.output().data();
    at_ += message.output().data().size();
    v1::FromTerminalViewer shown;
    shown.set_shown(at_);
    send(shown);
  }

  Api& api_;
  std::string way_;
  std::shared_ptr<net::WebSocket> socket_;
  screen::FrameReader reader_{terminal::kMaxMessage};
  std::uint64_t run_ = 0;
  std::uint64_t at_ = 0;
  std::string text_;
  v1::TerminalSize size_;
  v1::TerminalStart start_;
  std::optional<int> code_;
};

// A terminal of this PC in which somebody runs commands.
class OwnTerminal {
 public:
  OwnTerminal(const Pool& pool, const Scratch& scratch, const std::string& script) {
    const auto started = terminal::start_in_terminal(
        {"/usr/bin/env", "HEARTH_HOME=" + pool.home().string(), "HEARTH_E2E_ROOT=" + scratch.path().string(),
         "hearth=" + hearth_program(), "/bin/sh", "-c", "cd " + pool.directory().string() + " && " + script},
        {.rows = 20, .columns = 70});
    EXPECT_TRUE(started);
    program_ = *started;
  }
  ~OwnTerminal() {
    ::close(program_.terminal);
    if (program_.process > 0) ::kill(program_.process, SIGKILL);
    if (program_.process > 0) ::waitpid(program_.process, nullptr, 0);
  }

  void type(const std::string& text) {
    EXPECT_EQ(::write(program_.terminal, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void resize(terminal::Size size) { terminal::resize(program_, size); }
  bool shows(const std::string& wanted) {
    listen();
    return text_.contains(wanted);
  }
  bool sees(const std::string& wanted) {
    return eventually(seconds(60), [&] { return shows(wanted); });
  }
  int code() {
    int status = 0;
    const bool ended = eventually(seconds(60), [&] {
      listen();
      return ::waitpid(program_.process, &status, WNOHANG) == program_.process;
    });
    EXPECT_TRUE(ended) << text_;
    if (ended) program_.process = -1;
    listen();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  const std::string& text() const { return text_; }

 private:
  void listen() {
    std::array<char, 4096> buffer{};
    pollfd waiting{.fd = program_.terminal, .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, 20) > 0) {
      const ssize_t count = ::read(program_.terminal, buffer.data(), buffer.size());
      if (count <= 0) return;
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  terminal::Program program_;
  std::string text_;
};

class TerminalTest : public PoolFixture {
 protected:
  std::uint64_t start(Api& api, const v1::JobSpec& spec) {
    const auto job = api.submit(spec);
    EXPECT_TRUE(job) << text_of(job.error());
    api.wait_until_running(*job);
    return *job;
  }
  std::uint64_t start_shell(Api& api) { return start(api, in_terminal({"sh"})); }
  bool runs(const std::string& word) {
    const auto processes = descendants_of(pool().node_process());
    return std::ranges::any_of(processes, [&](pid_t one) { return command_line(one).contains(word); });
  }
};

TEST_F(TerminalTest, ShowsAShellAndGivesItWhatIsTyped) {
  Api owner(pool());
  const std::uint64_t job = start_shell(owner);
  Watching one(owner, job);
  one.watch();
  one.type("echo $((6 * 7)) $TERM\r");
  EXPECT_TRUE(one.sees("42 xterm-256color"));
  one.resize(33, 97);
  one.type("stty size\r");
  EXPECT_TRUE(one.sees("33 97"));

  // Whoever comes as well sees it as it is, in its size; either may type.
  Watching two(owner, job);
  two.watch();
  EXPECT_TRUE(two.sees("33 97"));
  EXPECT_EQ(two.size().columns(), 97U);
  two.type("echo a''nd again\r");
  EXPECT_TRUE(one.sees("and again"));

  one.type("exit 3\r");
  EXPECT_TRUE(one.ends());
  EXPECT_EQ(one.code(), 3);
  EXPECT_TRUE(two.ends());
  EXPECT_EQ(two.code(), 3);
  EXPECT_EQ(owner.wait(job).first_failure().exit_code(), 3);
  EXPECT_THAT(pool().cli({"logs", std::to_string(job)}).out, HasSubstr("42 xterm-256color\r\n"));
}

TEST_F(TerminalTest, GoesOnWhereAViewerWasWhenItsLinkIsCut) {
  Api owner(pool());
  const std::uint64_t job = start(owner, in_terminal({"python3", "-q"}));
  Watching viewer(owner, job);
  viewer.watch();
  viewer.type("for i in range(1000): print('line', i)\n\n");
  EXPECT_TRUE(viewer.sees("line 500"));
  viewer.cut();
  viewer.watch();
  viewer.type("print('th' + 'en')\n");
  EXPECT_TRUE(viewer.sees("then"));
  EXPECT_FALSE(viewer.start().reset());
  std::size_t from = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\r\n";
    from = viewer.text().find(line, from);
    ASSERT_NE(from, std::string::npos) << line;
    from += line.size();
  }
  EXPECT_EQ(viewer.text().find("line 999\r\n"), from - std::string("line 999\r\n").size()) << "once";

  // What is gone meanwhile is left out, and it is said so.
  viewer.cut();
  Watching other(owner, job);
  other.watch();
  other.type("print('x' * 3_000_000); print('e' + 'nd')\n");
  EXPECT_TRUE(other.sees("end\r\n"));
  viewer.watch();
  EXPECT_TRUE(viewer.sees("end\r\n"));
  EXPECT_TRUE(viewer.start().reset());
  EXPECT_LE(viewer.text().size(), 1'200'000U);
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
}

TEST_F(TerminalTest, EndsWithItsJobAndLeavesNothing) {
  Api owner(pool());
  const std::uint64_t job = start(owner, in_terminal({"sh", "-c", "(trap '' HUP; sleep 4321) & echo up; sleep 1234"}));
  Watching viewer(owner, job);
  viewer.watch();
  EXPECT_TRUE(viewer.sees("up"));
  EXPECT_TRUE(runs("sleep 4321"));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(viewer.ends());
  EXPECT_TRUE(eventually(seconds(30), [&] { return !runs("sleep 1234") && !runs("sleep 4321"); }));
}

TEST_F(TerminalTest, IsForItsDeviceAndEndsWithItsStanding) {
  Api owner(pool());
  const std::uint64_t job = start_shell(owner);
  Api member(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  const Result<void> refused = Watching(member, job).open();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("only that device"));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  owner.wait(job);

  const std::uint64_t own = start_shell(member);
  Watching viewer(member, own);
  viewer.watch();
  viewer.type("echo h''ere\r");
  EXPECT_TRUE(viewer.sees("here"));
  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  EXPECT_TRUE(viewer.ends());
  ASSERT_EQ(pool().cli({"cancel", std::to_string(own)}).exit_code, 0);
}

std::vector<v1::SharedApp> shared_with(Api& api) {
  const auto reply = api.call<v1::ListSharedAppsReply>("hearth.v1.AudienceService/List", v1::ListSharedAppsRequest());
  EXPECT_TRUE(reply) << text_of(reply.error());
  return reply ? std::vector<v1::SharedApp>(reply->apps().begin(), reply->apps().end()) : std::vector<v1::SharedApp>();
}

TEST_F(TerminalTest, IsSharedToWatchAndItsControllerIsPassedOn) {
  Api owner(pool());
  const std::uint64_t number =
      start(owner, in_terminal({"sh", "-c", "stty -echo; while read x; do echo got $x; done"}));
  const std::string job = std::to_string(number);
  // A person is an account, here with a phone that is no home's; he is shown this app of the pool, and nothing else.
  Api mia(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  ASSERT_EQ(pool().cli({"devices", "ring", "phone", "friend"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"account", "set", "mia"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"account", "assign", "phone", "mia"}).exit_code, 0);
  EXPECT_THAT(Watching(mia, number).open().error().message, HasSubstr("there is no job"));
  EXPECT_TRUE(shared_with(mia).empty());

  ASSERT_EQ(pool().cli({"app", "share", job, "--with", "mia"}).exit_code, 0);
  ASSERT_EQ(shared_with(mia).size(), 1U);
  EXPECT_EQ(shared_with(mia).front().right(), v1::APP_RIGHT_WATCH);
  EXPECT_TRUE(shared_with(mia).front().audience().empty()) << "it is not hers to know";
  v1::GetJobRequest about;
  about.set_job_id(number);
  EXPECT_EQ(mia.call<v1::GetJobReply>("hearth.v1.JobService/Get", about).error().code, Code::kNotFound);
  Watching own(owner, number);
  own.watch();
  own.resize(30, 90);
  Watching hers(mia, number);
  hers.watch();
  hers.resize(9, 9);
  hers.type("bad\r");
  own.type("one\r");
  EXPECT_TRUE(hers.sees("got one"));
  EXPECT_THAT(hers.text(), testing::Not(HasSubstr("bad")));
  EXPECT_EQ(hers.size().columns(), 90U);
  for (const std::uint16_t port : {screen::kMediaPort, screen::kWatchPort, std::uint16_t{8888}})
    EXPECT_FALSE(Watching(mia, number, port).open()) << port;

  ASSERT_EQ(pool().cli({"app", "share", job, "--with", "mia", "--control"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"app", "pass", job, "mia"}).exit_code, 0);
  EXPECT_TRUE(own.ends());
  EXPECT_TRUE(hers.ends());
  own.watch();
  own.type("worse\r");
  hers.watch();
  hers.type("two\r");
  EXPECT_TRUE(own.sees("got two"));
  EXPECT_THAT(own.text(), testing::Not(HasSubstr("worse")));
  ASSERT_EQ(shared_with(owner).front().viewers_size(), 2);

  // She gives it back herself, and cannot take it again.
  v1::PassControllerRequest pass;
  pass.set_job_id(number);
  EXPECT_TRUE(mia.call<v1::PassControllerReply>("hearth.v1.AudienceService/Pass", pass));
  EXPECT_TRUE(hers.ends());
  pass.set_person("mia");
  EXPECT_EQ(mia.call<v1::PassControllerReply>("hearth.v1.AudienceService/Pass", pass).error().code,
            Code::kPermissionDenied);
  ASSERT_EQ(pool().cli({"cancel", job}).exit_code, 0);
  owner.wait(number);
  EXPECT_TRUE(eventually(seconds(20), [&] { return shared_with(mia).empty() && shared_with(owner).empty(); }));
}

TEST_F(TerminalTest, WhatIsSharedOutlivesTheHubAndEndsWithADevicesStanding) {
  Api mia(pair_device(pool(), "mia", v1::ROLE_MEMBER));
  std::uint64_t number = 0;
  {
    Api owner(pool());
    number = start(owner, in_terminal({"cat"}));
    ASSERT_EQ(pool().cli({"app", "share", std::to_string(number), "--with", "mia", "--control"}).exit_code, 0);
    ASSERT_EQ(pool().cli({"app", "pass", std::to_string(number), "mia"}).exit_code, 0);
  }
  const pid_t before = pool().hub_process();
  ::kill(before, SIGKILL);
  ASSERT_TRUE(
      eventually(seconds(30), [&] { return pool().hub_process() != before && pool().cli({"jobs"}).exit_code == 0; }));
  Api owner(pool());
  static_cast<void>(mia.token(true));
  Watching hers(mia, number);
  hers.watch();
  hers.type("hello\r");
  EXPECT_TRUE(hers.sees("hello"));
  ASSERT_EQ(shared_with(owner).size(), 1U);
  EXPECT_EQ(shared_with(owner).front().controller(), "mia");

  // Neither a member nor whoever it is shared with shares it further.
  Api tom(pair_device(pool(), "tom", v1::ROLE_MEMBER));
  v1::ShareAppRequest request;
  request.set_job_id(number);
  request.add_people("tom");
  for (Api* api : {&mia, &tom}) {
    EXPECT_EQ(api->call<v1::ShareAppReply>("hearth.v1.AudienceService/Share", request).error().code,
              Code::kPermissionDenied);
  }
  EXPECT_EQ(pool().cli({"app", "share", std::to_string(number), "--with", "nobody"}).exit_code, 1);

  ASSERT_EQ(pool().cli({"devices", "revoke", "mia"}).exit_code, 0);
  EXPECT_TRUE(hers.ends());
  EXPECT_TRUE(eventually(seconds(20), [&] { return shared_with(owner).empty(); })) << "it is shared with nobody now";
  ASSERT_EQ(pool().cli({"cancel", std::to_string(number)}).exit_code, 0);
}

TEST_F(TerminalTest, RunsInAnyEnvironment) {
  const fs::path tree = pool().directory() / "tree";
  fs::create_directories(tree / "bin");
  fs::copy_file("/bin/busybox", tree / "bin" / "busybox");
  for (const char* link : {"sh", "cat", "stty"}) fs::create_symlink("busybox", tree / "bin" / link);
  const Ended built = pool().cli({"env", "build", "tiny", "--from-dir", "tree"});
  ASSERT_EQ(built.exit_code, 0) << built.err;
  Api owner(pool());
  v1::JobSpec spec = in_terminal({"sh"});
  spec.set_environment("tiny");
  const std::uint64_t job = start(owner, spec);
  Watching viewer(owner, job);
  viewer.watch();
  viewer.resize(40, 50);
  viewer.type("stty size; exit 5\n");
  EXPECT_TRUE(viewer.sees("40 50"));
  EXPECT_TRUE(viewer.ends());
  EXPECT_EQ(viewer.code(), 5);
}

TEST_F(TerminalTest, IsThisOneWhereTheCommandsOwnIsOne) {
  OwnTerminal own(
      pool(), scratch(),
      "stty -g >b; $hearth run --terminal -- sh; echo code $?; stty -g >a; cmp a b && echo as it was; rm a b");
  EXPECT_TRUE(own.sees("$ ") || own.sees("# ")) << own.text();
  own.type("stty size; echo $((3 * 5))\r");
  EXPECT_TRUE(own.sees("20 70\r\n15")) << own.text();
  own.resize({.rows = 31, .columns = 61});
  EXPECT_TRUE(eventually(seconds(60), [&] {
    own.type("stty size\r");
    pause_for(milliseconds(300));
    return own.shows("31 61");
  })) << own.text();
  own.type("exit 9\r");
  own.code();
  EXPECT_THAT(own.text(), HasSubstr("code 9\r\nas it was")) << own.text();
}

TEST_F(TerminalTest, IsAttachedToAndLeft) {
  Api owner(pool());
  const std::uint64_t job = start_shell(owner);
  const std::string number = std::to_string(job);
  {
    OwnTerminal own(
        pool(), scratch(),
        "stty -g >b; $hearth attach " + number + "; echo code $?; stty -g >a; cmp a b && echo as it was; rm a b");
    EXPECT_TRUE(own.sees("$ ")) << own.text();
    own.type("echo w''ord\r");
    EXPECT_TRUE(own.sees("word")) << own.text();
    own.type("\x1d");
    own.code();
    EXPECT_THAT(own.text(), HasSubstr("left job " + number));
    EXPECT_THAT(own.text(), HasSubstr("code 0\r\nas it was")) << own.text();
  }
  EXPECT_EQ(owner.job(job).state(), v1::JOB_STATE_RUNNING);
  OwnTerminal again(pool(), scratch(), "$hearth attach " + number + "; echo code $?");
  EXPECT_TRUE(again.sees("word")) << again.text();
  ASSERT_EQ(pool().cli({"cancel", number}).exit_code, 0);
  again.code();
  EXPECT_THAT(again.text(), HasSubstr("job " + number + " has ended")) << again.text();
}

TEST_F(TerminalTest, SaysWhereThereIsNone) {
  Api owner(pool());
  v1::JobSpec many = in_terminal({"sh"});
  many.set_tasks(2);
  EXPECT_THAT(text_of(owner.submit(many).error()), HasSubstr("a job of one task"));
  v1::JobSpec both = in_terminal({"sh"});
  both.set_window(true);
  EXPECT_THAT(text_of(owner.submit(both).error()), HasSubstr("one of them"));
  EXPECT_EQ(pool().cli({"run", "--window", "--terminal", "--", "sh"}).exit_code, 2);
  EXPECT_THAT(pool().cli({"attach", "1"}).err, HasSubstr("this is no terminal"));
  const std::uint64_t job = start(owner, shell("sleep 1000"));
  OwnTerminal own(pool(), scratch(), "$hearth attach " + std::to_string(job));
  EXPECT_EQ(own.code(), 1);
  EXPECT_THAT(own.text(), HasSubstr("has no terminal"));
  ASSERT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);

  // Without a terminal the program has one all the same, and what it writes comes here.
  const Ended piped = pool().cli({"run", "--terminal", "--", "sh", "-c", "test -t 1 && echo yes; exit 4"});
  EXPECT_EQ(piped.exit_code, 4);
  EXPECT_EQ(piped.out, "yes\r\n");
  EXPECT_THAT(piped.err, HasSubstr("hearth attach"));
}

TEST_F(TerminalTest, StartsATextProgramThatWasAddedByItsName) {
  EXPECT_EQ(pool().cli({"app", "add", "--terminal", "Shell", "--", "sh"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(20), [&] { return pool().cli({"app", "list"}).out.contains("Shell"); }));
  EXPECT_THAT(pool().cli({"app", "list"}).out, HasSubstr("terminal"));
  const Ended started = pool().cli({"app", "start", "Shell"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  Api owner(pool());
  Watching viewer(owner, std::stoull(started.out));
  viewer.watch();
  viewer.type("exit\r");
  EXPECT_TRUE(viewer.ends());
  EXPECT_EQ(viewer.code(), 0);
}

}  // namespace
}  // namespace hearth::e2e
