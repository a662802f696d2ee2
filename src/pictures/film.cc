#include "pictures/film.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "pictures/confine.h"

namespace hearth::pictures {
namespace {

constexpr const char* kFfmpeg = "/usr/bin/ffmpeg";
constexpr int kFilm = 3;
constexpr std::string_view kFirstYear = "1991";  // of the oldest of the containers
constexpr std::string_view kJpegBegins = "\xFF\xD8\xFF";

// What phones and cameras make alone, and of that the pictures: no playlist that names other files, no subtitles.
constexpr const char* kContainers = "mov,matroska,avi,mpeg,mpegts,ogg";
constexpr const char* kCodecs = "h264,hevc,vp8,vp9,libdav1d,mpeg4,h263,mpeg1video,mpeg2video,mjpeg,theora";
constexpr const char* kMaxPixels = "40000000";  // 8K has 33 million

std::vector<std::string> words_for(std::uint32_t size) {
  std::vector<std::string> words = {kFfmpeg,
                                    "-nostdin",
                                    "-v",
                                    "quiet",
                                    "-protocol_whitelist",
                                    "file,pipe",
                                    "-format_whitelist",
                                    kContainers,
                                    "-codec_whitelist",
                                    kCodecs,
                                    "-max_pixels",
                                    kMaxPixels,
                                    "-threads",
                                    "1"};
  const auto add = [&words](std::initializer_list<const char*> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  constexpr const char* kSource = "/proc/self/fd/3";
  if (size == 0) {
    add({"-i", kSource, "-map_metadata", "0", "-f", "ffmetadata", "pipe:1"});
    return words;
  }
  // Of frames that need no others: the first, and one of a second in, if there is one soon.
  const std::string side = std::to_string(size);
  const std::string filters = "select=eq(n\\,0)+gte(t\\,1),scale=w=min(" + side + "\\,iw):h=min(" + side +
                              "\\,ih):force_original_aspect_ratio=decrease";
  add({"-skip_frame", "nokey",         "-t",       "4",           "-i",        kSource, "-map",          "0:V:0",
       "-vf",         filters.c_str(), "-vsync",   "passthrough", "-frames:v", "2",     "-map_metadata", "-1",
       "-fflags",     "+bitexact",     "-flags:v", "+bitexact",   "-c:v",      "mjpeg", "-q:v",          "4",
       "-f",          "image2pipe",    "pipe:1"});
  return words;
}

[[noreturn]] void become_ffmpeg(int file, int said, std::vector<std::string> words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::array<char*, 1> nothing = {nullptr};
  // Above all, so that none takes another's place.
  const int film = ::fcntl(file, F_DUPFD, 10);
  const int output = ::fcntl(said, F_DUPFD, 10);
  const int none = ::open("/dev/null", O_RDONLY);
  const bool placed = film >= 0 && output >= 0 && none >= 0 && ::dup2(none, STDIN_FILENO) >= 0 &&
                      ::dup2(none, STDERR_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
                      ::dup2(film, kFilm) >= 0 && ::close_range(kFilm + 1, ~0U, 0) == 0 &&
                      ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  if (placed && confine_program()) ::execve(kFfmpeg, argv.data(), nothing.data());
  ::_exit(1);
}

// Until the end, or a byte too much.
std::string all_of(int said) {
  std::string text;
  std::array<char, 65'536> bytes{};
  while (text.size() <= kMaxAnswerBytes) {
    const ssize_t count = ::read(said, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(count));
  }
  return text;
}

// "2024-05-17T12:03:11" at the front, as EXIF writes it.
std::string moment_of(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kForm.size() || text.substr(0, kFirstYear.size()) < kFirstYear) return {};
  std::string moment(text.substr(0, kForm.size()));
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == 'd' ? moment[i] < '0' || moment[i] > '9' : moment[i] != kForm[i]) return {};
    if (kForm[i] == '-') moment[i] = ':';
    if (kForm[i] == 'T') moment[i] = ' ';
  }
  return moment;
}

}  // namespace

int start_film_reader(int file, std::uint32_t size) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -1;
  const pid_t reader = ::fork();
  if (reader == 0) become_ffmpeg(file, ends[1], words_for(size));
  ::close(ends[1]);
  return reader > 0 ? ends[0] : -1;
}

std::expected<Picture, std::string> film_of(int said, std::uint32_t size) {
  const std::string text = all_of(said);
  if (text.empty() || text.size() > kMaxAnswerBytes) {
    return std::unexpected("no frame of this film can be read, or it takes too much memory or time");
  }
  if (size == 0) return Picture{.taken = taken_of_tags(text), .small = {}};
  const std::size_t last = text.rfind(kJpegBegins);  // which no JPEG has within
  if (last == std::string::npos) return std::unexpected("no frame of this film can be read");
  return Picture{.taken = {}, .small = text.substr(last)};
}

std::string taken_of_tags(std::string_view tags) {
  std::string utc;
  while (!tags.empty()) {
    const std::string_view line = tags.substr(0, tags.find('\n'));
    tags.remove_prefix(std::min(line.size() + 1, tags.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, equals);
    const std::string moment = moment_of(line.substr(equals + 1));
    if (moment.empty()) continue;
    if (name == "com.apple.quicktime.creationdate") return moment;
    if (name == "creation_time" && utc.empty()) utc = moment + "Z";
  }
  return utc;
}

}  // namespace hearth::pictures
