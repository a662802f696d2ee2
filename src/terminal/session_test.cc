#include "terminal/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::terminal {
namespace {

constexpr std::uint64_t kRun = 77;
constexpr Session::Limits kSmall = {
    .history_bytes = 1'600, .ahead_bytes = 400, .catch_up_bytes = 200, .input_bytes = 64};

v1::FromTerminalViewer watch(std::uint64_t run = 0, std::uint64_t from = 0) {
  v1::FromTerminalViewer message;
  message.mutable_watch()->set_run(run);
  message.mutable_watch()->set_from(from);
  return message;
}

v1::FromTerminalViewer resize(std::uint32_t rows, std::uint32_t columns) {
  v1::FromTerminalViewer message;
  message.mutable_size()->set_rows(rows);
  message.mutable_size()->set_columns(columns);
  return message;
}

v1::FromTerminalViewer type(const std::string& text) {
  v1::FromTerminalViewer message;
  message.set_input(text);
  return message;
}

// A viewer as it should be.
class Watching {
 public:
  Watching(Session& session, int number) : session_(session), number_(number) {}

  // All that there is for it; `shows`: it says so.
  void take(bool shows = true) {
    while (const auto message = session_.next(number_)) {
      if (message->has_start()) {
        last_start = message->start();
        if (last_start.reset()) screen.clear();
        at = last_start.offset();
        ++starts;
      }
      if (message->has_size()) size = {.rows = message->size().rows(), .columns = message->size().columns()};
      if (message->has_end()) end = message->end().exit_code();
      if (!message->has_output()) continue;
      EXPECT_EQ(message->output().offset(), at);
      screen += message->output().data();
      at += message->output().data().size();
      if (shows) show();
    }
  }
  void show() {
    v1::FromTerminalViewer shown;
    shown.set_shown(at);
    session_.hear(number_, shown);
  }

  std::string screen;
  std::uint64_t at = 0;
  int starts = 0;
  v1::TerminalStart last_start;
  Size size;
  std::optional<int> end;

 private:
  Session& session_;
  int number_;
};

TEST(Session, ShowsAProgramToAllWhoWatchIt) {
  Session session(kRun);
  session.write("one ");
  ASSERT_TRUE(session.add(1, Session::May::kControl));
  ASSERT_TRUE(session.add(2, Session::May::kControl));
  EXPECT_FALSE(session.next(1)) << "it has said nothing yet";
  session.hear(1, watch());
  Watching one(session, 1);
  one.take();
  EXPECT_EQ(one.screen, "one ");
  EXPECT_EQ(one.last_start.run(), kRun);
  EXPECT_TRUE(one.last_start.reset());
  EXPECT_EQ(one.last_start.present(), 4U);
  session.write("two");
  session.hear(2, watch());
  Watching two(session, 2);
  two.take();
  one.take();
  EXPECT_EQ(one.screen, "one two");
  EXPECT_EQ(two.screen, "one two");
  session.hear(1, type("a"));
  session.hear(2, type("b"));
  EXPECT_EQ(session.input(), "ab");
  session.drop_input(1);
  EXPECT_EQ(session.input(), "b");
}

TEST(Session, GoesOnWhereAViewerWas) {
  Session session(kRun);
  session.write("0123456789");
  session.add(1, Session::May::kControl);
  session.hear(1, watch(kRun, 4));
  Watching back(session, 1);
  back.take();
  EXPECT_EQ(back.screen, "456789");
  EXPECT_FALSE(back.last_start.reset());
  EXPECT_EQ(back.last_start.offset(), 4U);
  session.hear(1, watch(kRun, 10));
  back.take();
  EXPECT_EQ(back.screen, "456789");
  EXPECT_EQ(back.starts, 2);
}

TEST(Session, BeginsAnewWhereThatIsNotPossible) {
  Session session(kRun, kSmall);
  session.write("\x1b[?1049h" + std::string(5'000, 'x'));
  session.add(1, Session::May::kControl);
  for (const auto& [run, from] : {std::pair{kRun, 3ULL}, {kRun, 1ULL << 40}, {kRun + 1, 4'900ULL}, {0UL, 0ULL}}) {
    session.hear(1, watch(run, from));
    Watching anew(session, 1);
    anew.take();
    EXPECT_TRUE(anew.last_start.reset()) << run << " " << from;
    EXPECT_EQ(anew.last_start.prelude(), "\x1b[?1049h");
    EXPECT_THAT(anew.screen.size(), testing::AllOf(testing::Ge(1'600U), testing::Le(1'700U)));
    EXPECT_TRUE(session.take_redraw());
    EXPECT_FALSE(session.take_redraw());
  }
}

TEST(Session, SendsNoMoreThanAViewerShows) {
  Session session(kRun, kSmall);
  session.add(1, Session::May::kControl);
  session.hear(1, watch());
  session.write(std::string(1'000, 'x'));
  Watching slow(session, 1);
  slow.take(false);
  EXPECT_EQ(slow.screen.size(), 1'000U) << "in one piece, as it is short";
  session.write(std::string(200, 'y'));
  slow.take(false);
  EXPECT_EQ(slow.screen.size(), 1'000U);
  slow.show();
  slow.take(false);
  EXPECT_EQ(slow.screen.size(), 1'200U);
}

TEST(Session, LeavesOutWhatAViewerIsTooSlowFor) {
  Session session(kRun, kSmall);
  session.add(1, Session::May::kControl);
  session.add(2, Session::May::kControl);
  session.hear(1, watch());
  session.hear(2, watch());
  Watching slow(session, 1);
  Watching fast(session, 2);
  for (int i = 0; i < 100; ++i) {
    session.write(std::string(500, static_cast<char>('a' + i % 26)));
    slow.take(false);
    fast.take();
  }
  EXPECT_EQ(fast.starts, 1);
  EXPECT_EQ(fast.screen.size(), 50'000U);
  EXPECT_EQ(slow.starts, 1) << "nothing is sent to one that shows nothing";
  slow.show();
  slow.take();
  EXPECT_EQ(slow.starts, 2);
  EXPECT_EQ(slow.screen.size(), 200U);
  EXPECT_EQ(slow.screen, fast.screen.substr(49'800));
}

TEST(Session, HasTheSizeThatWasAskedForLast) {
  Session session(kRun);
  session.add(1, Session::May::kControl);
  session.add(2, Session::May::kControl);
  session.hear(1, watch());
  session.hear(2, watch());
  Watching one(session, 1);
  Watching two(session, 2);
  session.hear(1, resize(40, 100));
  one.take();
  two.take();
  EXPECT_EQ(two.size, (Size{.rows = 40, .columns = 100}));
  session.hear(2, resize(30, 50));
  one.take();
  EXPECT_EQ(one.size, (Size{.rows = 30, .columns = 50}));
  EXPECT_EQ(session.size(), one.size);
}

TEST(Session, TellsOfTheEndOnceAllIsShown) {
  Session session(kRun, kSmall);
  session.add(1, Session::May::kControl);
  session.hear(1, watch());
  session.write(std::string(500, 'x'));
  Watching one(session, 1);
  one.take(false);
  session.write("bye");
  session.end(3);
  one.take(false);
  EXPECT_FALSE(one.end);
  one.show();
  one.take();
  EXPECT_EQ(one.end, 3);
  EXPECT_TRUE(one.screen.ends_with("bye"));
  EXPECT_FALSE(session.next(1));
}

TEST(Session, TakesEightViewersAndNoMoreInputThanTheProgramReads) {
  Session session(kRun, kSmall);
  for (int viewer = 1; viewer <= 8; ++viewer) EXPECT_TRUE(session.add(viewer, Session::May::kControl));
  EXPECT_FALSE(session.add(9, Session::May::kControl));
  session.hear(9, type("nobody's"));
  session.hear(8, type("nobody's yet"));
  EXPECT_EQ(session.input(), "");
  session.remove(8);
  EXPECT_TRUE(session.add(9, Session::May::kControl));
  session.hear(9, watch());
  EXPECT_TRUE(session.takes_input());
  session.hear(9, type(std::string(64, 'x')));
  EXPECT_FALSE(session.takes_input());
  session.drop_input(1);
  EXPECT_TRUE(session.takes_input());
}

TEST(Session, WhoMayOnlyWatchSeesAllAndChangesNothing) {
  Session session(kRun, kSmall);
  session.add(1, Session::May::kControl);
  session.add(2, Session::May::kWatch);
  session.hear(1, watch());
  session.hear(1, resize(30, 90));
  v1::FromTerminalViewer all = watch();
  *all.mutable_size() = resize(9, 9).size();
  all.set_input("rm -rf");
  session.hear(2, all);
  session.hear(2, type("more"));
  EXPECT_EQ(session.input(), "");
  EXPECT_EQ(session.size(), (Size{.rows = 30, .columns = 90}));
  session.write("seen");
  Watching watcher(session, 2);
  watcher.take();
  EXPECT_EQ(watcher.screen, "seen");
  EXPECT_EQ(watcher.size, (Size{.rows = 30, .columns = 90}));
}

TEST(Session, WhoMayOnlyWatchBeginsOnce) {
  Session session(kRun, kSmall);
  for (int viewer = 1; viewer <= 2; ++viewer) {
    ASSERT_TRUE(session.add(viewer, viewer == 1 ? Session::May::kControl : Session::May::kWatch));
    session.hear(viewer, watch());
  }
  session.write("\x1b[?1049hseen");
  Watching controller(session, 1);
  Watching watcher(session, 2);
  controller.take();
  watcher.take();
  static_cast<void>(session.take_redraw());
  session.hear(2, watch());
  watcher.take();
  EXPECT_EQ(watcher.starts, 1);
  EXPECT_FALSE(session.take_redraw());
  session.hear(1, watch());
  controller.take();
  EXPECT_EQ(controller.starts, 2);
}

TEST(Session, WhoMayOnlyWatchKeepsNobodyOutWhoMayControl) {
  Session session(kRun, kSmall);
  for (int viewer = 1; viewer <= 6; ++viewer) EXPECT_TRUE(session.add(viewer, Session::May::kWatch));
  EXPECT_FALSE(session.add(7, Session::May::kWatch));
  EXPECT_TRUE(session.add(7, Session::May::kControl));
  EXPECT_TRUE(session.add(8, Session::May::kControl));
  EXPECT_FALSE(session.add(9, Session::May::kControl));
  session.remove(1);
  EXPECT_TRUE(session.add(9, Session::May::kWatch));
}

TEST(TerminalMessages, AreBroughtIntoRange) {
  const auto size = [](std::uint32_t rows, std::uint32_t columns) {
    const auto message = parse_from_viewer(resize(rows, columns).SerializeAsString());
    EXPECT_TRUE(message);
    return Size{.rows = message->size().rows(), .columns = message->size().columns()};
  };
  EXPECT_EQ(size(0, 0), (Size{.rows = 1, .columns = 2}));
  EXPECT_EQ(size(24, 80), (Size{.rows = 24, .columns = 80}));
  EXPECT_EQ(size(1U << 31, 1U << 31), (Size{.rows = 500, .columns = 1'000}));
  EXPECT_TRUE(parse_from_viewer(type(std::string(16 << 10, 'x')).SerializeAsString()));
  EXPECT_FALSE(parse_from_viewer(type(std::string((16 << 10) + 1, 'x')).SerializeAsString()));
  EXPECT_FALSE(parse_from_viewer("\xff"));
  EXPECT_FALSE(parse_to_viewer("\xff"));
}

}  // namespace
}  // namespace hearth::terminal
