#include "core/sync/names.h"

#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <utf8proc.h>

namespace hearth::sync {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

// The longest beginning that has at most so many bytes and ends with a whole character.
std::string_view beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80) --most;
  return text.substr(0, most);
}

}  // namespace

std::string folded_name(std::string_view name) {
  utf8proc_uint8_t* folded = nullptr;
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): they are flags
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
  const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(name.data()),
                                               static_cast<utf8proc_ssize_t>(name.size()), &folded, options);
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owned(folded, std::free);
  if (length < 0) return std::string(name);
  return {reinterpret_cast<const char*>(folded), static_cast<std::size_t>(length)};
}

std::string conflict_name(std::string_view name, std::string_view label,
                          const std::function<bool(const std::string&)>& is_taken) {
  const std::size_t dot = name.rfind('.');
  const bool has_ending = dot != std::string_view::npos && dot != 0 && name.size() - dot <= 32;
  const std::string_view ending = has_ending ? name.substr(dot) : std::string_view();
  for (int number = 1;; ++number) {
    const std::string mark =
        number == 1 ? fmt::format(" (conflict {})", label) : fmt::format(" (conflict {} {})", label, number);
    const std::string_view stem =
        beginning(name.substr(0, name.size() - ending.size()), kMaxNameBytes - mark.size() - ending.size());
    std::string made = fmt::format("{}{}{}", stem, mark, ending);
    if (!is_taken(made)) return made;
  }
}

}  // namespace hearth::sync
