#include "core/sync/state.h"

#include <cstdint>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "core/sync/wire.h"

namespace hearth::sync {
namespace {

constexpr std::string_view kFirst = "hearth-sync 1";

// FNV-1a: whether a line is whole. Nobody but its owner writes the file.
std::uint32_t sum_of(std::string_view text) {
  std::uint32_t sum = 2'166'136'261;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 16'777'619;
  return sum;
}

std::string line_of(const std::string& text) { return fmt::format("{}\t{:08x}\n", text, sum_of(text)); }

// The fields of a line; none if it is not whole.
std::vector<std::string_view> fields_of(std::string_view line) {
  const std::size_t last = line.rfind('\t');
  if (last == std::string_view::npos) return {};
  const std::string_view text = line.substr(0, last);
  if (line.substr(last + 1) != fmt::format("{:08x}", sum_of(text))) return {};
  std::vector<std::string_view> fields;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\t', at), text.size());
    fields.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

// Paths and versions hold no tab and no line break: what has one is not synchronized.
bool take_line(State& state, const std::vector<std::string_view>& fields) {
  if (fields.size() == 2 && fields[0] == "x" && !fields[1].empty()) {
    state.forget(std::string(fields[1]));
    return true;
  }
  if (fields.size() != 5 || (fields[0] != "f" && fields[0] != "d") || fields[1].empty()) return false;
  const std::optional<std::string> hash = from_hex(fields[4]);
  if (!hash || (!hash->empty() && hash->size() != kHashBytes)) return false;
  const Kind kind = fields[0] == "d" ? Kind::kFolder : Kind::kFile;
  state.note(std::string(fields[1]), {.base = {.here = {.kind = kind, .version = std::string(fields[2])},
                                               .there = {.kind = kind, .version = std::string(fields[3])}},
                                      .hash = *hash});
  return true;
}

void forget_below(std::map<std::string, Known>& known, const std::string& path) {
  const std::string folder = path + "/";
  auto end = known.lower_bound(folder);
  while (end != known.end() && end->first.starts_with(folder)) ++end;
  known.erase(known.lower_bound(folder), end);
}

}  // namespace

void State::note(const std::string& path, Known one) {
  if (one.base.here.kind == Kind::kFile) forget_below(known, path);
  known.insert_or_assign(path, std::move(one));
}

void State::forget(const std::string& path) {
  forget_below(known, path);
  known.erase(path);
}

std::string first_line(const Binding& binding) {
  return line_of(fmt::format("{}\t{}\t{}", kFirst, to_hex(binding.hub), binding.folder));
}

std::string noted_line(const std::string& path, const Known& known) {
  return line_of(fmt::format("{}\t{}\t{}\t{}\t{}", known.base.here.kind == Kind::kFolder ? "d" : "f", path,
                             known.base.here.version, known.base.there.version, to_hex(known.hash)));
}

std::string forgotten_line(const std::string& path) { return line_of("x\t" + path); }

std::string text_of(const State& state) {
  std::string text = first_line(state.binding);
  for (const auto& [path, known] : state.known) text += noted_line(path, known);
  return text;
}

Result<State> parse_state(std::string_view text) {
  State state;
  for (bool is_first = true; !text.empty(); is_first = false) {
    const std::size_t end = text.find('\n');
    const std::vector<std::string_view> fields =
        end == std::string_view::npos ? std::vector<std::string_view>() : fields_of(text.substr(0, end));
    if (is_first) {
      const std::optional<std::string> hub = fields.size() == 3 ? from_hex(fields[1]) : std::nullopt;
      if (!hub || hub->size() != kHashBytes || fields[0] != kFirst || !fields[2].starts_with('/')) break;
      state.binding = {.hub = *hub, .folder = std::string(fields[2])};
    } else {
      if (!take_line(state, fields)) return state;
      ++state.lines;
    }
    state.good_bytes += end + 1;
    text.remove_prefix(end + 1);
  }
  if (state.binding.folder.empty()) return fail(Code::kDataLoss, "its first line is damaged, or of a newer version");
  return state;
}

}  // namespace hearth::sync
