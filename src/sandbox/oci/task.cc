#include "sandbox/oci/task.h"

#include <charconv>

namespace hearth::sandbox::oci {
namespace {

void put(std::string& text, std::string_view word) { text.append(word).push_back('\0'); }

}  // namespace

std::string pack_task(const Task& task) {
  std::string text;
  put(text, std::to_string(task.argv.size()));
  for (const std::string& argument : task.argv) put(text, argument);
  for (const auto& [name, value] : task.variables) {
    put(text, name);
    put(text, value);
  }
  return text;
}

std::optional<Task> parse_task(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::size_t end = text.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  std::size_t count = 0;
  if (words.empty()) return std::nullopt;
  auto [end, error] = std::from_chars(words[0].data(), words[0].data() + words[0].size(), count);
  if (error != std::errc() || *end != '\0' || count == 0 || count >= words.size()) return std::nullopt;
  if ((words.size() - 1 - count) % 2 != 0) return std::nullopt;
  Task task;
  for (std::size_t i = 1; i <= count; ++i) task.argv.push_back(std::move(words[i]));
  for (std::size_t i = count + 1; i < words.size(); i += 2) {
    task.variables.emplace_back(std::move(words[i]), std::move(words[i + 1]));
  }
  return task;
}

}  // namespace hearth::sandbox::oci
