#include "harness/viewing.h"

#include <fstream>

#include <fmt/format.h>

namespace hearth::e2e {

std::string colour_in(const std::string& stream, const std::filesystem::path& directory, int width, int height, int x,
                      int y) {
  if (stream.empty()) return "";
  const std::filesystem::path in = directory / "stream.h264";
  const std::filesystem::path out = directory / "picture.rgb";
  std::ofstream(in, std::ios::binary) << stream;
  const Ended decoded = run_program({"/usr/bin/ffmpeg", "-loglevel", "error", "-y", "-f", "h264", "-i", in, "-update",
                                     "1", "-f", "image2", "-vcodec", "rawvideo", "-pix_fmt", "rgb24", out});
  EXPECT_EQ(decoded.exit_code, 0) << decoded.err;
  const std::string pixels = read_text(out);
  const auto place = static_cast<std::size_t>(3 * (y * width + x));
  if (pixels.size() != static_cast<std::size_t>(3 * width * height)) return "another size";
  std::string colour;
  for (std::size_t part = 0; part < 3; ++part) {
    colour += static_cast<unsigned char>(pixels[place + part]) > 100 ? 'f' : '0';
  }
  return colour;
}

Viewing::Viewing(Api& api, std::uint64_t job, std::uint16_t port)
    : api_(api), way_(fmt::format("/forward?task=0&port={}&job={}", port, job)) {}

Result<void> Viewing::open() {
  net::Headers headers;
  headers.add("authorization", "Bearer " + api_.token(false));
  auto opened = api_.loop().run_until_done(
      api_.session().client().websocket(way_, headers, net::kTunnelProtocol, net::kMaxTunnelMessage));
  if (!opened) return std::unexpected(opened.error());
  socket_ = std::move(*opened);
  reader_ = screen::FrameReader(screen::kMaxToViewer);
  stream_.clear();
  v1::FromViewer hello;
  hello.mutable_view()->set_width(kWidth);
  hello.mutable_view()->set_height(kHeight);
  send(hello);
  return {};
}

void Viewing::send(const v1::FromViewer& message) {
  static_cast<void>(api_.loop().run_until_done(socket_->write(screen::frame_of(message))));
}

void Viewing::type(const std::string& text) {
  v1::FromViewer message;
  message.set_text(text);
  send(message);
}

bool Viewing::listen(milliseconds moment) {
  const Result<std::string> piece = api_.loop().run_until_done(socket_->read(hearth::milliseconds(moment.count())));
  heard_ = piece.has_value();
  if (!piece) return piece.error().code == Code::kDeadlineExceeded;
  if (piece->empty() || !reader_.push(*piece)) return false;
  while (std::optional<std::string> frame = reader_.next()) {
    const Result<v1::ToViewer> message = screen::parse_to_viewer(*frame);
    if (!message) return false;
    if (!message->problem().empty()) problem_ = message->problem();
    if (message->has_clipboard()) {
      if (message->clipboard().offset() == 0) copied_.clear();
      copied_ += message->clipboard().data();
      if (message->clipboard().last()) all_copied_ = copied_;
    }
    if (message->has_file()) file_.MergeFrom(message->file());
    if (!message->has_picture()) continue;
    stream_ += message->picture().data();
    v1::FromViewer shown;
    shown.set_shown(message->picture().number());
    send(shown);
  }
  return true;
}

std::string Viewing::colour(const std::filesystem::path& directory, int x, int y) const {
  return colour_in(stream_, directory, kWidth, kHeight, x, y);
}

bool Viewing::becomes(const std::string& colour_wanted, const std::filesystem::path& directory, int x, int y) {
  return eventually(seconds(60), [&] {
    while (listen()) {
      if (!heard_) return colour(directory, x, y) == colour_wanted;
    }
    return false;
  });
}

void say_all_that_is_forbidden(Viewing& viewing, const std::filesystem::path& directory) {
  v1::FromViewer message;
  message.mutable_view()->set_width(800);
  message.mutable_view()->set_height(600);
  message.set_text("bad\n");
  message.mutable_input()->set_number(1);
  message.mutable_input()->set_buttons(1);
  for (const std::uint32_t key : {std::uint32_t{'b'}, 0xff0dU}) message.mutable_input()->add_keys(key);
  message.mutable_clipboard()->set_data("bad");
  message.mutable_clipboard()->set_last(true);
  message.mutable_file()->set_number(1);
  message.mutable_file()->set_name("evil.txt");
  message.mutable_file()->set_size(1);
  message.mutable_file()->set_data("x");
  message.mutable_file()->set_last(true);
  message.set_voice(std::string(100, 'v'));
  message.set_key_picture(true);
  for (int i = 0; i < 3; ++i) viewing.send(message);
  EXPECT_TRUE(viewing.becomes("00f", directory)) << "in the size that it had";
  EXPECT_EQ(viewing.file().number(), 0U);
}

}  // namespace hearth::e2e
