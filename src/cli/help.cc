#include "cli/help.h"

#include <string_view>

#include <fmt/format.h>

namespace hearth::cli {
namespace {

// Text for roff: backslashes and dashes spelled out, no line that begins with a request.
std::string escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    const bool starts_line = safe.empty() || safe.back() == '\n';
    if (starts_line && (c == '.' || c == '\'')) safe += "\\&";
    if (c == '\\') {
      safe += "\\e";
    } else if (c == '-') {
      safe += "\\-";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string option_entry(const OptionHelp& option) {
  std::string head = ".TP\n\\fB" + escape(option.name) + "\\fR";
  if (!option.value.empty()) head += " \\fI" + escape(option.value) + "\\fR";
  return head + "\n" + escape(option.text) + "\n";
}

std::string command_section(const CommandHelp& command) {
  std::string section =
      fmt::format(".SS {}\n.B {}\n.PP\n{}\n", escape(command.name), escape(command.usage), escape(command.text));
  for (const OptionHelp& option : command.options) section += option_entry(option);
  return section;
}

constexpr std::string_view kHead = R"(.SH NAME
hearth \- turns the computers people already own into a cloud they share
.SH SYNOPSIS
.B hearth
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
.B hearth up
makes this PC a family server: phones and other PCs pair with it by a code, programs run on it isolated, and their
results come back.
.B hearth run
runs a program there like a local one.
)";

constexpr std::string_view kTail = R"(.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
failed; standard error says why
.TP
.B 2
wrong usage; nothing was done
.PP
.B hearth run
exits with the code of the program that it ran; 137 if that exceeded its memory, 124 if it exceeded its time, 130 if it
was cancelled by Ctrl\-C.
.SH ENVIRONMENT
.TP
.B HEARTH_HOME
where everything is kept, unless
.B \-\-home
says otherwise; by default
.I $XDG_DATA_HOME/hearth
or
.I ~/.local/share/hearth
.SH FILES
.TP
.I HOME/log
what the daemons have to say
.TP
.I HOME/node/policy.json
what this PC's owner lets others use, as set by
.B hearth limit
)";

}  // namespace

std::string man_page(const ProgramHelp& program) {
  std::string page = fmt::format(".TH HEARTH 1 \"\" \"hearth {}\" \"User Commands\"\n", escape(program.version));
  page += kHead;
  page += ".SH COMMANDS\n";
  for (const CommandHelp& command : program.commands) page += command_section(command);
  page += kTail;
  return page;
}

std::string bash_completion(const ProgramHelp& program) {
  std::string verbs;
  std::string cases;
  for (const CommandHelp& command : program.commands) {
    if (command.name.find(' ') == std::string::npos) verbs += " " + command.name;
    std::string words;
    for (const OptionHelp& option : command.options) {
      const std::size_t dashes = option.name.find("--");
      if (dashes != std::string::npos) words += " " + option.name.substr(dashes);
    }
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command.name.substr(0, command.name.find(' ')), words);
  }
  return fmt::format(R"(_hearth() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{}" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=() ;;
  esac
}}
complete -o default -F _hearth hearth
)",
                     verbs, cases);
}

}  // namespace hearth::cli
