// What guests' files, programs and libraries say, as text that the session's protocol takes: one string in a frame that
// is no UTF-8, and the hub takes none of the frame and ends the session, again and again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth::node {

// Its first bytes, at most so many: what is no UTF-8 becomes '?', control characters become spaces.
std::string plain_words(std::string_view said, std::size_t most_bytes);

}  // namespace hearth::node
