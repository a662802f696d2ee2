#include "screen/file_name.h"

#include <algorithm>

namespace hearth::screen {
namespace {

constexpr std::size_t kMaxEnding = 20;

// U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069: by them "exe.txt" can be shown as "txt.exe".
std::size_t mark_at(std::string_view text) {
  if (text.size() < 3 || text[0] != '\xe2') return 0;
  const auto last = static_cast<unsigned char>(text[2]);
  const bool turns = (text[1] == '\x80' && ((last >= 0x8e && last <= 0x8f) || (last >= 0xaa && last <= 0xae))) ||
                     (text[1] == '\x81' && last >= 0xa6 && last <= 0xa9);
  return turns ? 3 : 0;
}

bool follows(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && follows(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

NameParts parts_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > kMaxEnding) return {name, {}};
  return {name.substr(0, dot), name.substr(dot)};
}

std::string plain_name(std::string_view said) {
  const std::size_t slash = said.find_last_of("/\\");
  if (slash != std::string_view::npos) said.remove_prefix(slash + 1);
  std::string name;
  while (!said.empty()) {
    if (const std::size_t mark = mark_at(said); mark > 0) {
      said.remove_prefix(mark);
      continue;
    }
    const auto byte = static_cast<unsigned char>(said[0]);
    if (byte >= 0x20 && byte != 0x7f) name.push_back(said[0]);
    said.remove_prefix(1);
  }
  name.erase(0, std::min(name.find_first_not_of(' '), name.size()));
  name.erase(name.find_last_not_of(" .") + 1);
  if (name.starts_with('.') || name.starts_with('-')) name[0] = '_';
  const NameParts parts = parts_of(name);
  std::string plain = std::string(cut(parts.stem, kMaxPlainName - parts.ending.size())) + std::string(parts.ending);
  return plain.empty() ? "file" : plain;
}

}  // namespace hearth::screen
