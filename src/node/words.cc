#include "node/words.h"

#include <algorithm>

#include "base/bytes.h"

namespace hearth::node {
namespace {

constexpr std::size_t kLongestCharacter = 4;

// Of the character that the text begins with; 0: it begins with none.
std::size_t first_length(std::string_view text) {
  for (std::size_t length = 1; length <= std::min(kLongestCharacter, text.size()); ++length) {
    if (is_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

std::string plain_words(std::string_view said, std::size_t most_bytes) {
  said = utf8_prefix(said, most_bytes);
  std::string words;
  while (!said.empty()) {
    const std::size_t length = first_length(said);
    const std::string_view character = said.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0) {
      words += '?';
    } else if (is_plain_utf8(character)) {
      words += character;
    } else {
      words += ' ';
    }
    said.remove_prefix(character.size());
  }
  return words;
}

}  // namespace hearth::node
