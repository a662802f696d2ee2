#include "pictures/answer.h"

#include <algorithm>
#include <charconv>

namespace hearth::pictures {
namespace {

constexpr std::string_view kPicture = "picture ";
constexpr std::string_view kFilm = "film ";
constexpr std::string_view kNone = "none ";
constexpr std::string_view kJpeg = "\xFF\xD8\xFF";
constexpr std::uint32_t kMaxSide = 1'000'000;
constexpr std::size_t kTakenBytes = 19;
constexpr std::size_t kMaxLine = kNone.size() + kMaxWords;

// A number at the front and the space behind it. 0: there is none.
std::uint32_t take_side(std::string_view& text) {
  std::uint32_t side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ' || side > kMaxSide) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return side;
}

bool is_moment(std::string_view text) {
  return text.size() == kTakenBytes &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == ':' || c == ' '; });
}

std::string harmless(std::string_view words) {
  std::string shown(words.substr(0, kMaxWords));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

}  // namespace

std::string answer_of(const Picture& picture) {
  const std::string begin = picture.width == 0 ? std::string(kFilm)
                                               : std::string(kPicture) + std::to_string(picture.width) + " " +
                                                     std::to_string(picture.height) + " ";
  return begin + (picture.taken.empty() ? "-" : picture.taken) + "\n" + picture.small;
}

std::string answer_without(std::string_view words) { return std::string(kNone) + harmless(words) + "\n"; }

Result<Picture> parse_answer(std::string_view answer) {
  const std::size_t end = answer.substr(0, kMaxLine + 1).find('\n');
  if (end == std::string_view::npos || answer.size() > kMaxAnswerBytes) {
    return fail(Code::kDataLoss, "the picture's reader did not come to an end");
  }
  std::string_view line = answer.substr(0, end);
  if (line.starts_with(kNone)) return fail(Code::kFailedPrecondition, harmless(line.substr(kNone.size())));
  const std::unexpected<Error> bad = fail(Code::kDataLoss, "the picture's reader says what it may not");
  const bool is_film = line.starts_with(kFilm);
  if (!is_film && !line.starts_with(kPicture)) return bad;
  line.remove_prefix(is_film ? kFilm.size() : kPicture.size());
  Picture picture;
  if (!is_film) picture.width = take_side(line);
  if (picture.width != 0) picture.height = take_side(line);
  if (!is_film && picture.height == 0) return bad;
  const bool is_utc = is_film && line.ends_with('Z');
  if (line != "-" && !is_moment(line.substr(0, line.size() - (is_utc ? 1 : 0)))) return bad;
  if (line != "-") picture.taken = line;
  picture.small = answer.substr(end + 1);
  if (!picture.small.empty() && !picture.small.starts_with(kJpeg)) return bad;
  return picture;
}

}  // namespace hearth::pictures
