// Before X11, whose macros have names of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "display/exchange.h"
#include "screen/frames.h"

#include "display/test_display.h"

namespace hearth::display {
namespace {

using testing::HasSubstr;

class ExchangeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
    std::string path = testing::TempDir() + "exchange-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    folder_ = path;
    exchange_ = std::move(*Exchange::open(folder_));
    program_ = std::make_unique<TestProgram>();
    exchange_->welcome(1);
    exchange_->welcome(2);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::optional<v1::ToViewer> next(int viewer) {
    std::optional<v1::ToViewer> message;
    EXPECT_TRUE(comes_to_be([&] {
      exchange_->look(Clock::now());
      program_->go_on();
      message = exchange_->next_for(viewer);
      return message.has_value();
    }));
    return message;
  }
  void paste(int viewer, const std::string& text) {
    for (std::size_t at = 0; at == 0 || at < text.size(); at += screen::kMaxPiece) {
      v1::FromViewer message;
      message.mutable_clipboard()->set_offset(static_cast<std::uint32_t>(at));
      message.mutable_clipboard()->set_data(text.substr(at, screen::kMaxPiece));
      message.mutable_clipboard()->set_last(at + screen::kMaxPiece >= text.size());
      exchange_->hear(viewer, message, Clock::now());
    }
  }
  std::string in_the_app() {
    program_->paste("CLIPBOARD", "UTF8_STRING");
    EXPECT_TRUE(comes_to_be([&] {
      exchange_->look(Clock::now());
      program_->go_on();
      return program_->pasted();
    }));
    return program_->got();
  }
  void add(int viewer, std::uint32_t number, bool more) {
    v1::FromViewer message;
    message.mutable_file()->set_number(number);
    message.mutable_file()->set_name("a.txt");
    message.mutable_file()->set_size(3);
    message.mutable_file()->set_data("abc");
    message.mutable_file()->set_last(true);
    message.mutable_file()->set_more(more);
    exchange_->hear(viewer, message, Clock::now());
  }

  TestServer server_;
  std::filesystem::path folder_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<TestProgram> program_;
};

TEST_F(ExchangeTest, TellsEachViewerWhatWasCopiedPieceByPiece) {
  const std::string text(screen::kMaxPiece + 5, 'x');
  program_->copy("CLIPBOARD", text);
  for (const int viewer : {1, 2}) {
    const auto first = next(viewer);
    EXPECT_EQ(first->clipboard().offset(), 0U);
    EXPECT_FALSE(first->clipboard().last());
    const auto second = next(viewer);
    EXPECT_EQ(second->clipboard().offset(), screen::kMaxPiece);
    EXPECT_TRUE(second->clipboard().last());
    EXPECT_EQ(first->clipboard().data() + second->clipboard().data(), text);
    EXPECT_FALSE(exchange_->next_for(viewer));
  }
}

TEST_F(ExchangeTest, IsDueWhenSomethingHasCome) {
  exchange_->look(Clock::now());
  program_->copy("CLIPBOARD", "text");
  EXPECT_TRUE(comes_to_be([&] { return exchange_->until_due(Clock::now()) == Clock::duration(0); }));
  EXPECT_EQ(next(1)->clipboard().data(), "text");
}

TEST_F(ExchangeTest, PutsTogetherWhatIsPasted) {
  std::string text(3 * screen::kMaxPiece, 'y');
  text += "ü";
  paste(1, text);
  EXPECT_EQ(in_the_app(), text);
  paste(2, "short");
  EXPECT_EQ(in_the_app(), "short");
}

TEST_F(ExchangeTest, RefusesWhatIsTooLongToPasteAndSaysSo) {
  paste(2, "before");
  paste(1, std::string(screen::kMaxClipboard + 1, 'y'));
  EXPECT_THAT(next(1)->clipboard().problem(), HasSubstr("at most 1 MiB"));
  EXPECT_FALSE(exchange_->next_for(1));
  EXPECT_EQ(in_the_app(), "before");
  paste(1, "\xff");  // no text
  EXPECT_EQ(in_the_app(), "before");
  paste(1, "after");
  EXPECT_EQ(in_the_app(), "after");
}

TEST_F(ExchangeTest, SaysWhatBecameOfFilesOnceTheDropIsComplete) {
  add(1, 1, true);
  EXPECT_EQ(next(1)->file().saved_as(), "a.txt");
  EXPECT_FALSE(exchange_->next_for(1));
  add(1, 2, false);
  EXPECT_EQ(next(1)->file().saved_as(), "a (2).txt");
  const auto outcome = next(1);  // nothing is there that takes it
  EXPECT_EQ(outcome->file().number(), 2U);
  EXPECT_TRUE(outcome->file().offered());
  EXPECT_FALSE(outcome->file().taken());
  EXPECT_FALSE(exchange_->next_for(2));
}

TEST_F(ExchangeTest, KeepsLittleForAViewerThatTakesNothing) {
  for (std::uint32_t number = 1; number <= 500; ++number) add(1, number, true);
  int waiting = 0;
  while (exchange_->next_for(1)) ++waiting;
  EXPECT_LE(waiting, 64);
  add(2, 1, false);
  EXPECT_EQ(next(2)->file().number(), 1U);
}

TEST_F(ExchangeTest, ForgetsAViewerAndWhatItHadBegun) {
  v1::FromViewer message;
  message.mutable_file()->set_number(1);
  message.mutable_file()->set_size(10);
  message.mutable_file()->set_data("half");
  exchange_->hear(1, message, Clock::now());
  EXPECT_FALSE(std::filesystem::is_empty(folder_));
  exchange_->forget(1);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_FALSE(exchange_->next_for(1));
  exchange_->hear(1, message, Clock::now());
}

}  // namespace
}  // namespace hearth::display
