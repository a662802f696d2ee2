// What `hearth map` has a shell run: in each task, after all of them, and on many lines. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::cli {

// Where a task writes its result, and so below which all results come back.
inline constexpr std::string_view kMapResults = "results/";

// What the reducing task finds its results named in; a shell reads it.
inline constexpr std::string_view kReduceList = ".hearth-results";

// The line for the task's own file, HEARTH_INPUT: {} is the file, {name} its name, {stem} that without its ending; a
// line without {} reads it on standard input. What it prints goes to kMapResults/FILE.
std::string map_script(std::string_view line);

// The line for all results: {} are their files; a line without {} reads them, one after the other, on standard input.
std::string reduce_script(std::string_view line);
std::string reduce_list(const std::vector<std::string>& files);  // paths as inputs have them

// As one word of a shell.
std::string shell_quoted(std::string_view text);

}  // namespace hearth::cli
