#include "screen/frames.h"

#include <chrono>

#include <gtest/gtest.h>

namespace hearth::screen {
namespace {

TEST(ScreenFrames, ComeOutWholeHoweverTheStreamIsCut) {
  v1::FromViewer first;
  first.set_text("grüß dich");
  v1::FromViewer second;
  second.set_shown(7);
  const std::string stream = frame_of(first) + frame_of(second);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader(kMaxFromViewer);
    std::vector<std::string> frames;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_TRUE(reader.push(std::string_view(stream).substr(at, piece)));
      while (std::optional<std::string> frame = reader.next()) frames.push_back(*frame);
    }
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(parse_from_viewer(frames[0])->text(), "grüß dich");
    EXPECT_EQ(parse_from_viewer(frames[1])->shown(), 7U);
  }
}

TEST(ScreenFrames, ManyShortMessagesCostNoMoreThanTheirBytes) {
  constexpr std::size_t kMessages = 500'000;
  const auto begun = std::chrono::steady_clock::now();
  FrameReader reader(kMaxFromViewer);
  ASSERT_TRUE(reader.push(std::string(kMessages * 4, '\0') + std::string("\0\0", 2)));
  std::size_t taken = 0;
  while (reader.next()) ++taken;
  EXPECT_EQ(taken, kMessages);
  ASSERT_TRUE(reader.push(std::string("\0\2ab", 4)));
  EXPECT_EQ(reader.next(), "ab");
  EXPECT_FALSE(reader.next());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5)) << "each moves all that follow it";
}

TEST(ScreenFrames, TooLongAMessageEndsTheStream) {
  FrameReader reader(kMaxFromViewer);
  EXPECT_FALSE(reader.push(std::string("\x00\x01\x00\x01", 4)));
  EXPECT_FALSE(reader.push("more"));
  EXPECT_FALSE(reader.next());
}

TEST(ScreenFrames, BringWhatAViewerSaysIntoRange) {
  v1::FromViewer message;
  message.mutable_view()->set_width(1);
  message.mutable_view()->set_height(1'000'001);
  message.mutable_input()->set_x(-5);
  message.mutable_input()->set_buttons(0xff);
  message.mutable_input()->set_wheel_y(1'000'000);
  message.mutable_input()->set_dx(-1'000'000);
  message.mutable_input()->mutable_pad()->set_buttons(~0U);
  message.mutable_input()->mutable_pad()->set_right_y(-1'000'000);
  message.mutable_input()->mutable_pad()->set_left_trigger(256);
  message.mutable_file()->set_y(-7);
  const Result<v1::FromViewer> parsed = parse_from_viewer(message.SerializeAsString());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->view().width(), kLeastSide);
  EXPECT_EQ(parsed->view().height(), kMostSide);
  EXPECT_EQ(parsed->input().x(), 0);
  EXPECT_EQ(parsed->input().buttons(), 7U);
  EXPECT_EQ(parsed->input().wheel_y(), kMaxNotches);
  EXPECT_EQ(parsed->input().dx(), -kMaxStep);
  EXPECT_EQ(parsed->input().pad().buttons(), kPadButtons);
  EXPECT_EQ(parsed->input().pad().right_y(), -kStickMost);
  EXPECT_EQ(parsed->input().pad().left_trigger(), kTriggerMost);
  EXPECT_EQ(parsed->file().y(), 0);
}

TEST(ScreenFrames, APointerThatStaysIsBelowZeroOnBothAxes) {
  v1::FromViewer message;
  message.mutable_input()->set_x(-9);
  message.mutable_input()->set_y(-9);
  const Result<v1::FromViewer> stays = parse_from_viewer(message.SerializeAsString());
  EXPECT_EQ(stays->input().x(), -1);
  EXPECT_EQ(stays->input().y(), -1);
}

TEST(ScreenFrames, OfAWatcherOnlyThatHeWatchesIsHeeded) {
  v1::FromViewer said;
  said.mutable_view()->set_width(800);
  said.mutable_input()->add_keys(97);
  said.set_text("rm -rf");
  said.mutable_clipboard()->set_data("pasted");
  said.mutable_file()->set_name("note");
  said.set_voice("opus");
  said.set_offer("v=0");
  v1::FromViewer heeded;
  *heeded.mutable_view() = said.view();
  EXPECT_EQ(part_of_watcher(said).SerializeAsString(), heeded.SerializeAsString());
  v1::FromViewer watching;
  watching.set_shown(7);
  watching.set_key_picture(true);
  watching.set_kbits(900);
  watching.set_sound(true);
  watching.set_codec(v1::CODEC_VP8);
  EXPECT_EQ(part_of_watcher(watching).SerializeAsString(), watching.SerializeAsString());
}

TEST(ScreenFrames, NameACodecThatThereIs) {
  v1::FromViewer message;
  message.set_codec(v1::CODEC_VP8);
  EXPECT_EQ(parse_from_viewer(message.SerializeAsString())->codec(), v1::CODEC_VP8);
  message.set_codec(static_cast<v1::Codec>(2));
  EXPECT_EQ(parse_from_viewer(message.SerializeAsString()).error().code, Code::kInvalidArgument);
}

TEST(ScreenFrames, RefuseTooManyKeysAndWhatIsNoText) {
  v1::FromViewer keys;
  for (int i = 0; i <= kMaxKeys; ++i) keys.mutable_input()->add_keys(97);
  EXPECT_FALSE(parse_from_viewer(keys.SerializeAsString()));
  v1::FromViewer text;
  text.set_text(std::string(kMaxTextBytes + 1, 'a'));
  EXPECT_FALSE(parse_from_viewer(text.SerializeAsString()));
  v1::FromViewer piece;
  piece.mutable_clipboard()->set_data(std::string(kMaxPiece + 1, 'a'));
  EXPECT_FALSE(parse_from_viewer(piece.SerializeAsString()));
  piece.Clear();
  piece.mutable_file()->set_data(std::string(kMaxPiece + 1, 'a'));
  EXPECT_FALSE(parse_from_viewer(piece.SerializeAsString()));
  piece.Clear();
  piece.mutable_file()->set_name(std::string(kMaxNameBytes + 1, 'a'));
  EXPECT_FALSE(parse_from_viewer(piece.SerializeAsString()));
  EXPECT_FALSE(parse_from_viewer("\x1a\x02\xff\xfe"));
  EXPECT_FALSE(parse_from_viewer("no message"));
  EXPECT_FALSE(parse_to_viewer("no message"));
}

}  // namespace
}  // namespace hearth::screen
