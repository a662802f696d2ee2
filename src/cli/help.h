// The man page, from a description of the commands that cli.cc reads off its own option tree: one source for `hearth
// help` and hearth(1).
#pragma once

#include <string>
#include <vector>

namespace hearth::cli {

struct OptionHelp {
  std::string name;   // "-n,--count"
  std::string value;  // "COUNT"; empty for a flag
  std::string text;
};

struct CommandHelp {
  std::string name;   // "run", "devices allow"
  std::string usage;  // "hearth run [OPTIONS] -- PROGRAM ARGS..."
  std::string text;   // the first sentence is the summary
  std::vector<OptionHelp> options;
};

struct ProgramHelp {
  std::string version;
  std::vector<CommandHelp> commands;
};

// roff, in the man macros: man -l reads it.
std::string man_page(const ProgramHelp& program);

// Words for bash's `complete -W`-like completion: a script to be sourced.
std::string bash_completion(const ProgramHelp& program);

}  // namespace hearth::cli
