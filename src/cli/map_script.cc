#include "cli/map_script.h"

namespace hearth::cli {
namespace {

bool replace_all(std::string& text, std::string_view what, std::string_view with) {
  bool found = false;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
    found = true;
  }
  return found;
}

}  // namespace

std::string map_script(std::string_view line) {
  std::string program(line);
  const bool names_file = replace_all(program, "{}", "\"$input\"");
  replace_all(program, "{name}", "\"$name\"");
  replace_all(program, "{stem}", "\"$stem\"");
  std::string script =
      "input=$HEARTH_INPUT; case $input in -*) input=./$input ;; esac\n"  // no option of the program's
      "name=${HEARTH_INPUT##*/}; stem=${name%.*}; result=results/$HEARTH_INPUT\n"
      "mkdir -p \"${result%/*}\" && exec >\"$result\" || exit\n";
  if (!names_file) script += "exec <\"$input\" || exit\n";
  return script + program;
}

std::string reduce_script(std::string_view line) {
  std::string program(line);
  const bool names_files = replace_all(program, "{}", "\"$@\"");
  const std::string script = ". ./" + std::string(kReduceList) + " || exit\n";
  return names_files ? script + program : script + "cat \"$@\" | {\n" + program + "\n}";
}

std::string reduce_list(const std::vector<std::string>& files) {
  std::string list = "set --";
  for (const std::string& file : files) list += " " + shell_quoted(std::string(kMapResults) + file);
  return list + "\n";
}

std::string shell_quoted(std::string_view text) {
  std::string quoted(text);
  replace_all(quoted, "'", "'\\''");
  return "'" + quoted + "'";
}

}  // namespace hearth::cli
