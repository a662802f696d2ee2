// What a file that a viewer gives to an app is called in the app's folder.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth::screen {

inline constexpr std::size_t kMaxPlainName = 200;  // bytes

// A plain file name of what a viewer calls a file, in UTF-8: the last part of a path, without control characters and
// marks that turn the direction of text, neither hidden nor like an option, at most 200 bytes with its ending kept;
// "file" if nothing is left.
std::string plain_name(std::string_view said);

struct NameParts {
  std::string_view stem;
  std::string_view ending;  // with its dot; at most 20 bytes
};
NameParts parts_of(std::string_view name);

}  // namespace hearth::screen
