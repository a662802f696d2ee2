// What somebody types and nobody is to read over their shoulder.
#pragma once

#include <string>
#include <string_view>

namespace hearth::cli {

// A line of standard input; at a terminal it is asked for, and not shown while it is typed. Empty at the input's end.
std::string typed_secret(std::string_view question);

}  // namespace hearth::cli
