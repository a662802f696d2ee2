#include "drive/link_file.h"

#include <charconv>
#include <ranges>

#include <fmt/format.h>

#include "base/bytes.h"
#include "net/http.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kWords = 14;
constexpr std::size_t kHashBytes = 32;

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string time_text(std::optional<WallTime> time) { return time ? fmt::format("{}", time->unix_millis) : "-"; }

bool read_time(std::string_view text, std::optional<WallTime>& time) {
  if (text == "-") return true;
  return read_number(text, time.emplace().unix_millis);
}

std::string rights_text(const Rights& rights) {
  return fmt::format("{}{}{}{}", rights.see ? 's' : '-', rights.download ? 'd' : '-', rights.add ? 'a' : '-',
                     rights.edit ? 'e' : '-');
}

std::optional<Rights> read_rights(std::string_view text) {
  if (text.size() != 4) return std::nullopt;
  const Rights rights{.see = text[0] == 's', .download = text[1] == 'd', .add = text[2] == 'a', .edit = text[3] == 'e'};
  if (rights_text(rights) != text || !check_rights(rights)) return std::nullopt;
  return rights;
}

bool read_hash(std::string_view text, std::string& bytes) {
  const std::optional<std::string> read = from_hex(text);
  if (!read || read->size() != kHashBytes) return false;
  bytes = *read;
  return true;
}

std::optional<Link> decode_link(std::string_view line) {
  std::vector<std::string> words;
  for (const auto& word : std::views::split(line, ' ')) {
    std::optional<std::string> decoded = net::percent_decoded(std::string_view(word));
    if (!decoded) return std::nullopt;
    words.push_back(*std::move(decoded));
  }
  if (words.size() != kWords) return std::nullopt;
  Link link;
  const std::optional<LinkId> id = parse_link_id(words[0]);
  const std::optional<Rights> rights = read_rights(words[3]);
  const Result<Path> path = Path::parse(words[11]);
  if (!id || !rights || !path || !read_hash(words[1], link.secret_hash) || !read_hash(words[2], link.key) ||
      !read_number(words[4], link.made.unix_millis) || !read_time(words[5], link.expires) ||
      !read_number(words[6], link.max_uses) || !read_number(words[7], link.uses) ||
      !read_time(words[8], link.last_used) || !read_number(words[9], link.maker.value)) {
    return std::nullopt;
  }
  link.id = *id;
  link.rights = *rights;
  link.maker_name = words[10];
  link.path = *path;
  link.label = words[12];
  link.password = words[13];
  return link;
}

}  // namespace

std::string encode_links(const std::vector<Link>& links) {
  std::string text;
  for (const Link& link : links) {
    text += fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {}\n", to_text(link.id), to_hex(link.secret_hash),
                        to_hex(link.key), rights_text(link.rights), link.made.unix_millis, time_text(link.expires),
                        link.max_uses, link.uses, time_text(link.last_used), link.maker.value,
                        net::percent_encoded(link.maker_name), net::percent_encoded(link.path.text()),
                        net::percent_encoded(link.label), net::percent_encoded(link.password));
  }
  return text;
}

Result<std::vector<Link>> decode_links(std::string_view text) {
  std::vector<Link> links;
  for (const auto& line : std::views::split(text, '\n')) {
    if (line.empty()) continue;
    std::optional<Link> link = decode_link(std::string_view(line));
    if (!link) return fail(Code::kDataLoss, fmt::format("line {} of the drive's links is damaged", links.size() + 1));
    links.push_back(*std::move(link));
  }
  return links;
}

}  // namespace hearth::drive
