#include "drive/lock_file.h"

#include <charconv>
#include <ranges>

#include <fmt/format.h>

#include "drive/multistatus.h"
#include "net/http.h"
#include "net/percent.h"

namespace hearth::drive {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<Lock> decode_lock(std::string_view line) {
  std::vector<std::string> words;
  for (const auto& word : std::views::split(line, ' ')) {
    std::optional<std::string> decoded = net::percent_decoded(std::string_view(word));
    if (!decoded) return std::nullopt;
    words.push_back(*std::move(decoded));
  }
  Lock lock;
  if (words.size() != 8 || !read_number(words[3], lock.expires.unix_millis) ||
      !read_number(words[4], lock.holder.value))
    return std::nullopt;
  const Result<Path> root = Path::parse(words[6]);
  if (!root) return std::nullopt;
  lock.token = words[0];
  lock.deep = words[1] == "deep";
  lock.shared = words[2] == "shared";
  lock.holder_name = words[5];
  lock.root = *root;
  lock.owner = words[7];
  return lock;
}

}  // namespace

std::string encode_locks(const std::vector<Lock>& locks) {
  std::string text;
  for (const Lock& lock : locks) {
    text += fmt::format("{} {} {} {} {} {} {} {}\n", net::percent_encoded(lock.token), lock.deep ? "deep" : "itself",
                        lock.shared ? "shared" : "exclusive", lock.expires.unix_millis, lock.holder.value,
                        net::percent_encoded(lock.holder_name), net::percent_encoded(lock.root.text()),
                        net::percent_encoded(lock.owner));
  }
  return text;
}

Result<std::vector<Lock>> decode_locks(std::string_view text) {
  std::vector<Lock> locks;
  for (const auto& line : std::views::split(text, '\n')) {
    if (line.empty()) continue;
    std::optional<Lock> lock = decode_lock(std::string_view(line));
    if (!lock) return fail(Code::kDataLoss, fmt::format("line {} of the drive's locks is damaged", locks.size() + 1));
    locks.push_back(*std::move(lock));
  }
  return locks;
}

}  // namespace hearth::drive
