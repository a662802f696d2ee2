// Small pictures and the timeline of the drive, by a real hub and a real hearth-pictures. What a hostile picture costs.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pairing.h"
#include "hearth/v1/drive.pb.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Puts EXIF's word of an orientation and a time into a JPEG.
constexpr const char* kWithExif = R"(
import struct, sys
source, target, orientation, taken = sys.argv[1:]
text = taken.encode() + b'\0'
first = struct.pack('>HHHIHHHHIII', 2, 0x112, 3, 1, int(orientation), 0, 0x8769, 4, 1, 38, 0)
second = struct.pack('>HHHIII', 1, 0x9003, 2, 20, 56, 0)
body = b'Exif\0\0MM\0*' + struct.pack('>I', 8) + first + second + text
jpeg = open(source, 'rb').read()
open(target, 'wb').write(jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body + jpeg[2:])
)";

// A black picture, tiny as a file. Interlaced, it cannot be read row by row.
constexpr const char* kPng = R"(
import struct, sys, zlib
target, side, interlaced = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
pack = zlib.compressobj(9)
row = b'\0' + bytes(side * 3)
data = b''.join(pack.compress(row) for _ in range(side)) + pack.flush()
part = lambda kind, text: struct.pack('>I', len(text)) + kind + text + struct.pack('>I', zlib.crc32(kind + text))
head = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, interlaced)
open(target, 'wb').write(b'\x89PNG\r\n\x1a\n' + part(b'IHDR', head) + part(b'IDAT', data) + part(b'IEND', b''))
)";

class PicturesTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    if (!fs::exists(fs::path(hearth_program()).parent_path() / "hearth-pictures")) {
      GTEST_SKIP() << "SKIPPED: hearth-pictures was not built (libvips-dev)";
    }
    owner_ = std::make_unique<Api>(pool());
    fs::create_directories(file("photos"));
    const Ended made = pool().cli({"token", "new", "laptop"});
    token_ = made.out.substr(0, made.out.find('\n'));
    // Red on the left, blue on the right.
    const Ended drawn =
        run_program({"ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=red:s=400x600", "-f", "lavfi",
                     "-i", "color=blue:s=400x600", "-filter_complex", "hstack", "-frames:v", "1", plain_picture()});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    fs::copy_file(plain_picture(), file("photos/plain.jpg"));
    const Answer answer = thumb("/photos/plain.jpg");
    if (answer.status == 503 && answer.text.contains("cannot be shut off")) {
      GTEST_SKIP() << "SKIPPED: bubblewrap cannot make a user namespace on this machine";
    }
    ASSERT_EQ(answer.status, 200) << answer.text;
  }

  struct Answer {
    int status = 0;
    std::string text;
  };

  fs::path file(const std::string& name) { return pool().home() / "drive" / name; }
  fs::path plain_picture() { return pool().home() / "plain.jpg"; }
  Answer curl(const std::string& path, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"curl", "-sS", "--cacert", pool().home() / "hub" / "certificate.pem", "-w",
                                     "%{stderr}%{http_code}"});
    options.push_back("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + path);
    const Ended ended = run_program(options);
    return {.status = std::atoi(ended.err.c_str()), .text = ended.out};
  }
  Answer thumb(const std::string& path, std::vector<std::string> options = {}) {
    options.insert(options.end(), {"-u", "anybody:" + token_});
    return curl("/thumb" + path, std::move(options));
  }
  // Its width and height, and of each pixel one byte for red, green, blue.
  std::pair<std::string, std::string> pixels(const std::string& jpeg) {
    const fs::path path = pool().home() / "small.jpg";
    std::ofstream(path) << jpeg;
    const Ended size =
        run_program({"ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0:s=x", path});
    const Ended raw =
        run_program({"ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"});
    return {size.out.substr(0, size.out.find('\n')), raw.out};
  }
  void python(const char* script, std::vector<std::string> words) {
    words.insert(words.begin(), {"/usr/bin/python3", "-c", script});
    const Ended ended = run_program(words);
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
  }
  // A film of two seconds, red on the left and blue on the right, with ffmpeg's words for what it is kept as.
  void make_film(const fs::path& to, std::vector<std::string> kept_as = {"-c:v", "libx264", "-g", "25"},
                 const std::string& seconds = "2") {
    std::vector<std::string> words = {"ffmpeg",
                                      "-nostdin",
                                      "-v",
                                      "error",
                                      "-y",
                                      "-f",
                                      "lavfi",
                                      "-i",
                                      "color=red:s=400x600:r=25",
                                      "-f",
                                      "lavfi",
                                      "-i",
                                      "color=blue:s=400x600:r=25",
                                      "-filter_complex",
                                      "hstack,format=yuv420p",
                                      "-t",
                                      seconds};
    words.insert(words.end(), kept_as.begin(), kept_as.end());
    words.push_back(to);
    const Ended ended = run_program(words);
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
  }
  // Once the PC looks no more.
  v1::DriveTimelineReply timeline() {
    v1::DriveTimelineReply reply;
    EXPECT_TRUE(eventually(seconds(60), [&] {
      const auto told =
          owner_->call<v1::DriveTimelineReply>("hearth.v1.DriveService/Timeline", v1::DriveTimelineRequest());
      EXPECT_TRUE(told) << text_of(told.error());
      reply = *told;
      return !reply.looking();
    }));
    return reply;
  }
  std::uint64_t hub_peak_kib() {
    std::ifstream status("/proc/" + std::to_string(pool().endpoint().process) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
    }
    return 0;
  }

  std::unique_ptr<Api> owner_;
  std::string token_;
};

TEST_F(PicturesTest, APictureComesSmallAndUpright) {
  python(kWithExif, {plain_picture(), file("photos/turned.jpg"), "6", "2019:07:04 10:20:30"});
  const Answer answer = thumb("/photos/turned.jpg");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_LT(answer.text.size(), 20'000U);
  EXPECT_FALSE(answer.text.contains("Exif"));
  const auto [size, rgb] = pixels(answer.text);
  EXPECT_EQ(size, "240x320");
  ASSERT_EQ(rgb.size(), 240U * 320 * 3);
  const auto red_of = [&all = rgb](std::size_t x, std::size_t y) {
    return static_cast<unsigned char>(all[(y * 240 + x) * 3]);
  };
  EXPECT_GT(red_of(10, 10), 200);  // what was left is above now
  EXPECT_GT(red_of(230, 10), 200);
  EXPECT_LT(red_of(10, 310), 120);                                                 // blue, as JPEG has it
  EXPECT_EQ(pixels(thumb("/photos/turned.jpg?size=1600").text).first, "600x800");  // it is not made larger
}

TEST_F(PicturesTest, ABrowserKeepsWhatItGot) {
  const std::string etag = timeline().shots(0).etag();
  std::string named = etag;
  named.replace(0, 1, "%22").replace(named.size() - 1, 1, "%22");
  EXPECT_THAT(thumb("/photos/plain.jpg?v=" + named, {"-i"}).text, HasSubstr("immutable"));
  const std::string head = thumb("/photos/plain.jpg?v=%22other%22", {"-i"}).text;
  EXPECT_THAT(head, HasSubstr("no-cache"));
  const std::size_t at = head.find("ETag: ") + 6;
  EXPECT_EQ(thumb("/photos/plain.jpg", {"-H", "If-None-Match: " + head.substr(at, head.find('\r', at) - at)}).status,
            304);
  // Another picture under the name is shown as such.
  python(kWithExif, {plain_picture(), file("photos/plain.jpg"), "6", "2019:07:04 10:20:30"});
  EXPECT_EQ(pixels(thumb("/photos/plain.jpg").text).first, "240x320");
}

TEST_F(PicturesTest, HostilePicturesCostLittleAndOnce) {
  python(kPng, {file("photos/bomb.png"), "30000", "0"});
  python(kPng, {file("photos/deep.png"), "15000", "1"});
  std::ofstream(file("photos/random.jpg")) << std::string(5'000, '\x5A');
  std::ofstream(file("photos/script.jpg")) << "<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
  std::ofstream(file("photos/empty.png"));
  const std::uint64_t before = hub_peak_kib();
  for (const char* name : {"bomb.png", "deep.png", "random.jpg", "script.jpg", "empty.png"}) {
    const Answer answer = thumb(std::string("/photos/") + name);
    EXPECT_EQ(answer.status, 404) << name;
    EXPECT_THAT(answer.text, HasSubstr("no small picture")) << name;
  }
  EXPECT_THAT(thumb("/photos/bomb.png").text, HasSubstr("300 megapixels"));
  EXPECT_THAT(thumb("/photos/deep.png").text, HasSubstr("memory"));
  EXPECT_LT(hub_peak_kib() - before, 100'000U);
  int remembered = 0;
  for (const auto& one : fs::directory_iterator(file(".hearth/thumbs"))) remembered += one.file_size() < 400 ? 1 : 0;
  EXPECT_EQ(remembered, 5);
  // Its reader is not the worse for it.
  fs::copy_file(plain_picture(), file("photos/after.jpg"));
  EXPECT_EQ(thumb("/photos/after.jpg").status, 200);
}

TEST_F(PicturesTest, AFilmComesAsAFrameAndUpright) {
  make_film(file("plain.mp4"));
  ASSERT_EQ(run_program({"ffmpeg", "-nostdin", "-v", "error", "-i", file("plain.mp4"), "-c", "copy", "-metadata:s:v",
                         "rotate=90", file("turned.mov")})
                .exit_code,
            0);
  const Answer answer = thumb("/turned.mov");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_LT(answer.text.size(), 20'000U);
  EXPECT_FALSE(answer.text.contains("Lav"));
  const auto [size, rgb] = pixels(answer.text);
  EXPECT_EQ(size, "240x320");
  ASSERT_EQ(rgb.size(), 240U * 320 * 3);
  const auto red_of = [&all = rgb](std::size_t x, std::size_t y) {
    return static_cast<unsigned char>(all[(y * 240 + x) * 3]);
  };
  EXPECT_NE(red_of(120, 10) > 200, red_of(120, 310) > 200) << "red and blue lie one above the other";
  EXPECT_EQ(red_of(10, 10) > 200, red_of(230, 10) > 200);
  EXPECT_EQ(pixels(thumb("/plain.mp4").text).first, "320x240");
  EXPECT_EQ(pixels(thumb("/plain.mp4?size=1600").text).first, "800x600") << "it is not made larger";

  make_film(file("short.mkv"), {"-c:v", "mpeg4"}, "0.1");
  make_film(file("page.webm"), {"-c:v", "libvpx"});
  EXPECT_EQ(pixels(thumb("/short.mkv").text).first, "320x240");
  EXPECT_EQ(pixels(thumb("/page.webm").text).first, "320x240");
}

TEST_F(PicturesTest, HostileFilmsCostLittleAndOnce) {
  make_film(file("whole.mp4"));
  fs::copy_file(file("whole.mp4"), file("cut.mp4"));
  fs::resize_file(file("cut.mp4"), fs::file_size(file("cut.mp4")) / 2);  // its list of frames lies at the end
  make_film(file("giant.webm"), {"-c:v", "libvpx"});
  python(
      "import sys; f = sys.argv[1]; d = open(f, 'rb').read()\n"
      "head = b'\\x9d\\x01\\x2a'; assert head in d\n"
      "open(f, 'wb').write(b''.join(p if i == 0 else head + b'\\xff\\x3f\\xff\\x3f' + p[4:]"
      " for i, p in enumerate(d.split(head))))",
      {file("giant.webm")});
  std::ofstream(file("list.mp4")) << "ffconcat version 1.0\nfile /proc/self/fd/0\nfile /etc/passwd\n";
  std::ofstream(file("playlist.mp4")) << "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n";
  std::ofstream(file("empty.mov"));
  const std::string begin = read_text(file("giant.webm")).substr(0, 300);
  std::ofstream(file("endless.webm")) << begin;
  fs::resize_file(file("endless.webm"), std::uintmax_t{64} << 30);
  const std::uint64_t before = hub_peak_kib();
  for (const char* name : {"cut.mp4", "giant.webm", "list.mp4", "playlist.mp4", "empty.mov", "endless.webm"}) {
    const Answer answer = thumb(std::string("/") + name);
    EXPECT_EQ(answer.status, 404) << name;
    EXPECT_THAT(answer.text, HasSubstr("no small picture")) << name;
  }
  EXPECT_LT(hub_peak_kib() - before, 100'000U);
  int remembered = 0;
  for (const auto& one : fs::directory_iterator(file(".hearth/thumbs"))) remembered += one.file_size() < 400 ? 1 : 0;
  EXPECT_EQ(remembered, 6);
  EXPECT_EQ(thumb("/whole.mp4").status, 200) << "its reader is not the worse for it";
}

TEST_F(PicturesTest, SaysWhatItDoesNotShow) {
  std::ofstream(file("notes.txt")) << "text";
  EXPECT_EQ(thumb("/notes.txt").status, 404);
  EXPECT_EQ(thumb("/photos").status, 404);
  EXPECT_EQ(thumb("/nothing.jpg").status, 404);
  EXPECT_EQ(thumb("/photos/plain.jpg?size=9999").status, 400);
  EXPECT_EQ(thumb("/photos/plain.jpg", {"-X", "PUT"}).status, 405);
  EXPECT_EQ(thumb("/.hearth/timeline").status, 400);
  EXPECT_EQ(curl("/thumb/photos/plain.jpg").status, 401);
}

TEST_F(PicturesTest, TheTimelineFollowsTheDaysOfThePictures) {
  python(kWithExif, {plain_picture(), file("old.jpg"), "1", "1999:12:31 23:59:58"});
  python(kWithExif, {plain_picture(), file("photos/newer.jpg"), "1", "2019:07:04 10:20:30"});
  std::ofstream(file("photos/film.mp4")) << "film";
  make_film(file("photos/party.mov"),
            {"-movflags", "use_metadata_tags", "-metadata", "creation_time=2009-05-01T23:30:00Z", "-metadata",
             "com.apple.quicktime.creationdate=2009-05-02T08:30:00+0900"});
  make_film(file("photos/sea.webm"), {"-metadata", "creation_time=2003-05-15T12:00:00Z"});
  const v1::DriveTimelineReply reply = timeline();
  ASSERT_EQ(reply.shots_size(), 6);
  EXPECT_EQ(reply.total(), 6U);
  EXPECT_EQ(reply.unread(), 0U);
  EXPECT_EQ(reply.shots(2).path(), "/photos/newer.jpg");
  EXPECT_EQ(reply.shots(3).path(), "/photos/party.mov");
  EXPECT_EQ(reply.shots(3).taken_seconds(), 1'241'253'000) << "by the clock of the place";
  EXPECT_TRUE(reply.shots(3).video());
  EXPECT_EQ(reply.shots(4).path(), "/photos/sea.webm");
  EXPECT_NEAR(static_cast<double>(reply.shots(4).taken_seconds()), 1'053'000'000, 15 * 3'600) << "by this PC's clock";
  EXPECT_EQ(reply.shots(5).path(), "/old.jpg");
  EXPECT_EQ(reply.shots(5).taken_seconds(), 946'684'798);
  EXPECT_FALSE(reply.shots(5).video());
  ASSERT_EQ(reply.months_size(), 5);
  EXPECT_EQ(reply.months(4).year(), 1999);
  EXPECT_EQ(reply.months(4).month(), 12U);
  v1::DriveTimelineRequest last;
  last.set_offset(5);
  last.set_count(1);
  const auto page = owner_->call<v1::DriveTimelineReply>("hearth.v1.DriveService/Timeline", last);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->shots_size(), 1);
  EXPECT_EQ(page->shots(0).path(), "/old.jpg");
}

}  // namespace
}  // namespace hearth::e2e
