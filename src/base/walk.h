// All that lies below a directory that others may change meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace hearth {

// Calls `visit` with each entry below, a folder before what lies in it; its answer says whether to go into that folder.
// Links are not followed. What goes meanwhile and what cannot be read is passed over, and the rest is still visited: a
// std::filesystem::recursive_directory_iterator ends there. Where the caller must know of it, that one says so.
void walk_below(const std::filesystem::path& directory,
                const std::function<bool(const std::filesystem::directory_entry& entry)>& visit);

// Of the regular files below.
std::uint64_t bytes_below(const std::filesystem::path& directory);

}  // namespace hearth
