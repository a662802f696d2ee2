// Before X11, whose macros have names of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "screen/frames.h"

#include <cstring>

#include "display/clipboard.h"
#include "display/test_display.h"

namespace hearth::display {
namespace {

using testing::HasSubstr;

class ClipboardTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
    clipboard_ = std::move(*Clipboard::open());
    program_ = std::make_unique<TestProgram>();
  }
  void turn(std::chrono::milliseconds passed = std::chrono::milliseconds(5)) {
    clipboard_->look(now_);
    program_->go_on();
    now_ += passed;
  }
  // What is told of having been copied.
  Clipboard::Copied copied() {
    std::optional<Clipboard::Copied> found;
    EXPECT_TRUE(comes_to_be([&] {
      turn();
      found = clipboard_->take_copied();
      return found.has_value();
    }));
    return found.value_or(Clipboard::Copied{});
  }
  std::string paste(const char* selection, const char* kind) {
    program_->paste(selection, kind);
    EXPECT_TRUE(comes_to_be([&] {
      turn();
      return program_->pasted();
    }));
    return program_->got();
  }
  // Nothing is told, whatever comes.
  void expect_silence() {
    program_->copy("CLIPBOARD", "the next");
    EXPECT_EQ(copied().text, "the next");
  }

  TestServer server_;
  std::unique_ptr<Clipboard> clipboard_;
  std::unique_ptr<TestProgram> program_;
  Clock::time_point now_ = Clock::now();
};

TEST_F(ClipboardTest, TellsWhatIsCopied) {
  program_->copy("CLIPBOARD", "grüß dich 🔥\n");
  EXPECT_EQ(copied().text, "grüß dich 🔥\n");
  EXPECT_FALSE(clipboard_->take_copied());
  program_->copy("CLIPBOARD", "again");
  EXPECT_EQ(copied().text, "again");
}

TEST_F(ClipboardTest, TellsWhatAnOldProgramCopies) {
  program_->copy("CLIPBOARD", "gr\xfc\xdf", "STRING");
  EXPECT_EQ(copied().text, "grüß");
}

TEST_F(ClipboardTest, TellsALongTextThatComesInPieces) {
  const std::string text(screen::kMaxClipboard, 'x');
  program_->copy("CLIPBOARD", text);
  EXPECT_EQ(copied().text, text);
}

TEST_F(ClipboardTest, SaysThatATextIsTooLong) {
  program_->copy("CLIPBOARD", std::string(screen::kMaxClipboard + 1, 'x'));
  const Clipboard::Copied said = copied();
  EXPECT_EQ(said.text, "");
  EXPECT_THAT(said.problem, HasSubstr("longer than 1 MiB"));
}

TEST_F(ClipboardTest, IsSilentOnWhatIsNoText) {
  program_->copy("CLIPBOARD", "\xff\xfe");
  for (int i = 0; i < 100; ++i) turn();
  program_->copy("CLIPBOARD", "PNG", "image/png");
  for (int i = 0; i < 100; ++i) turn();
  expect_silence();
}

TEST_F(ClipboardTest, ForgetsAProgramThatDoesNotAnswer) {
  program_->answers = false;
  program_->copy("CLIPBOARD", "never");
  EXPECT_TRUE(comes_to_be([&] {
    turn();
    return clipboard_->due() > now_ + std::chrono::seconds(5);  // it has been asked
  }));
  now_ += std::chrono::seconds(11);
  turn();
  EXPECT_FALSE(clipboard_->due());
  program_->answers = true;
  expect_silence();
}

TEST_F(ClipboardTest, FetchesOnlyTheNewestOfManyAndNotAtOnce) {
  program_->copy("CLIPBOARD", "first");
  EXPECT_EQ(copied().text, "first");
  for (int i = 0; i < 50; ++i) program_->copy("CLIPBOARD", std::to_string(i));
  for (int i = 0; i < 100; ++i) turn(std::chrono::milliseconds(0));
  EXPECT_FALSE(clipboard_->take_copied());
  ASSERT_TRUE(clipboard_->due());
  EXPECT_GT(*clipboard_->due(), now_);
  EXPECT_EQ(copied().text, "49");
}

TEST_F(ClipboardTest, GivesWhatIsOffered) {
  clipboard_->offer("grüß dich €");
  for (const char* selection : {"CLIPBOARD", "PRIMARY"}) {
    EXPECT_EQ(paste(selection, "UTF8_STRING"), "grüß dich €");
    EXPECT_EQ(program_->type(), "UTF8_STRING");
    EXPECT_EQ(paste(selection, "STRING"), "gr\xfc\xdf dich ?");
    EXPECT_EQ(program_->type(), "STRING");
  }
  EXPECT_EQ(paste("CLIPBOARD", "text/plain;charset=utf-8"), "grüß dich €");
  EXPECT_EQ(paste("CLIPBOARD", "image/png"), "");
  EXPECT_EQ(program_->type(), "");
}

TEST_F(ClipboardTest, NamesTheKindsThatItGives) {
  clipboard_->offer("text");
  const std::string bytes = paste("CLIPBOARD", "TARGETS");
  EXPECT_EQ(program_->type(), "ATOM");
  ASSERT_EQ(bytes.size() % sizeof(Atom), 0U);
  std::vector<Atom> kinds(bytes.size() / sizeof(Atom));
  std::memcpy(kinds.data(), bytes.data(), bytes.size());
  for (const char* kind : {"TARGETS", "TIMESTAMP", "MULTIPLE", "UTF8_STRING", "STRING", "TEXT"}) {
    EXPECT_THAT(kinds, testing::Contains(program_->atom(kind))) << kind;
  }
}

TEST_F(ClipboardTest, GivesALongTextInPieces) {
  std::string text;
  for (int i = 0; text.size() < screen::kMaxClipboard - 10; ++i) text += std::to_string(i) + "\n";
  clipboard_->offer(text);
  EXPECT_EQ(paste("CLIPBOARD", "UTF8_STRING"), text);
  EXPECT_TRUE(program_->came_by_pieces());
}

TEST_F(ClipboardTest, DoesNotTellWhatItOffersItself) {
  clipboard_->offer("mine");
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_FALSE(clipboard_->take_copied());
  expect_silence();
}

}  // namespace
}  // namespace hearth::display
