#include "node/apps.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/log.h"
#include "sandbox/program.h"

namespace hearth::node {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxApps = 200;
constexpr std::size_t kMaxRefused = 20;
constexpr std::size_t kMaxQuotedBytes = 200;
constexpr std::size_t kMaxListBytes = 768 << 10;
constexpr std::size_t kMaxFileBytes = 256 << 10;
constexpr std::size_t kMaxIconBytes = 16 << 10;
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxWords = 64;
constexpr std::size_t kMaxWordBytes = 4 << 10;
constexpr std::size_t kMaxEntries = 2'000;
constexpr std::string_view kNameRule = "\"name\" is 1 to 128 bytes of text";
constexpr std::string_view kTerminalRule = "\"terminal\" is true or false";
constexpr std::string_view kWebRule = "\"web\" is a port from 1 to 65535, without \"terminal\"";
constexpr std::string_view kGpusRule = "\"gpus\" is 0 to 16";
constexpr std::uint32_t kMaxGpus = 16;
constexpr std::string_view kArgvRule = "\"argv\" is a list of 1 to 64 texts, 4 KiB in all";

// Empty: there is none, or it is too large.
std::string read_file(const std::filesystem::path& file, std::size_t most) {
  std::ifstream in(file, std::ios::binary);
  std::string text(most + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text.size() > most ? std::string() : text;
}

// The words of Exec: quotes hold together, and what stands for files or an icon (%f, %U, %i) is left out.
std::vector<std::string> words_of(std::string_view exec) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool any = false;
  const auto end_word = [&] {
    if (any) words.push_back(std::move(word));
    word.clear();
    any = false;
  };
  for (std::size_t at = 0; at < exec.size(); ++at) {
    const char c = exec[at];
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      end_word();
    } else if (c == '%' && at + 1 < exec.size()) {
      if (exec[++at] == '%') word += '%';
      any = any || exec[at] == '%';
    } else {
      const bool escaped = c == '\\' && at + 1 < exec.size();
      word += escaped ? exec[++at] : c;
      any = true;
    }
  }
  end_word();
  return words;
}

std::size_t bytes_of(const std::vector<std::string>& words) {
  std::size_t bytes = 0;
  for (const std::string& word : words) bytes += word.size();
  return bytes;
}

bool is_good_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && is_plain_utf8(name);
}

// A task sees /usr alone of this PC.
bool is_seen_by_tasks(const std::string& program) {
  const std::string found = sandbox::find_program(program);
  return found.starts_with("/usr/") || found.starts_with("/bin/");
}

bool is_picture(std::string_view bytes) {
  return bytes.starts_with("\x89PNG") || bytes.substr(0, 512).contains("<svg");
}

Result<v1::App> app_of(const Json& one) {
  const auto refuse = [](std::string_view rule) { return fail(Code::kInvalidArgument, std::string(rule)); };
  if (!one.is_object() || !one.contains("name") || !one["name"].is_string() ||
      !is_good_name(one["name"].get_ref<const std::string&>())) {
    return refuse(kNameRule);
  }
  if (!one.contains("argv") || !one["argv"].is_array() || one["argv"].empty() || one["argv"].size() > kMaxWords) {
    return refuse(kArgvRule);
  }
  const bool says_terminal = one.contains("terminal");
  if (says_terminal && !one["terminal"].is_boolean()) return refuse(kTerminalRule);
  v1::App app;
  app.set_name(one["name"].get<std::string>());
  app.set_added(true);
  app.set_terminal(says_terminal && one["terminal"].get<bool>());
  if (one.contains("web")) {
    const std::uint64_t port = one["web"].is_number_unsigned() ? one["web"].get<std::uint64_t>() : 0;
    if (port == 0 || port > UINT16_MAX || app.terminal()) return refuse(kWebRule);
    app.set_web_port(static_cast<std::uint32_t>(port));
  }
  if (one.contains("gpus")) {
    if (!one["gpus"].is_number_unsigned() || one["gpus"].get<std::uint64_t>() > kMaxGpus) return refuse(kGpusRule);
    app.set_gpus(one["gpus"].get<std::uint32_t>());
  }
  std::size_t bytes = 0;
  for (const Json& word : one["argv"]) {
    if (!word.is_string()) return refuse(kArgvRule);
    bytes += word.get_ref<const std::string&>().size();
    app.add_argv(word.get<std::string>());
  }
  if (bytes > kMaxWordBytes || app.argv(0).empty()) return refuse(kArgvRule);
  return app;
}

// Enough of it to be found in the file.
std::string shortened(std::string text) {
  if (text.size() > kMaxQuotedBytes) text.replace(kMaxQuotedBytes, std::string::npos, "...");
  return text;
}

}  // namespace

std::string screen_lack(const std::filesystem::path& program) {
  std::error_code failure;
  if (program.empty() || !std::filesystem::is_regular_file(program, failure)) return "hearth-screen was not built";
  if (!is_seen_by_tasks("Xvfb")) return "there is no Xvfb: apt install xvfb";
  return "";
}

Apps::Kinds apps_shown_by(const std::filesystem::path& screen, const std::filesystem::path& terminal,
                          std::size_t gpus) {
  std::error_code failure;
  return {.windows = screen_lack(screen).empty(),
          .terminals = !terminal.empty() && std::filesystem::is_regular_file(terminal, failure),
          .web = true,
          .gpus = static_cast<std::uint32_t>(gpus)};
}

std::optional<DesktopEntry> parse_desktop_entry(std::string_view text) {
  DesktopEntry entry;
  std::string_view group;
  bool is_application = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('[')) group = line;
    const std::size_t equals = line.find('=');
    if (group != "[Desktop Entry]" || line.starts_with('#') || equals == std::string_view::npos) continue;
    std::string_view key = line.substr(0, equals);
    std::string_view value = line.substr(equals + 1);
    while (key.ends_with(' ')) key.remove_suffix(1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if ((key == "NoDisplay" || key == "Hidden") && value == "true") return {};
    if (key == "OnlyShowIn") return {};
    if (key == "Terminal") entry.terminal = value == "true";
    // The desktop entry specification's key, and the older one of KDE.
    if (key == "PrefersNonDefaultGPU" || key == "X-KDE-RunOnDiscreteGpu") entry.gpu = value == "true";
    if (key == "Type") is_application = value == "Application";
    if (key == "Name") entry.name = value;
    if (key == "Exec") entry.argv = words_of(value);
    if (key == "Icon") entry.icon = value;
  }
  const bool fits = entry.argv.size() <= kMaxWords && bytes_of(entry.argv) <= kMaxWordBytes;
  if (!is_application || !is_good_name(entry.name) || entry.argv.empty() || !fits) return {};
  if (!std::ranges::all_of(entry.argv, is_plain_utf8)) return {};
  return entry;
}

AddedApps parse_added_apps(std::string_view json) {
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object() || !object.contains("apps") || !object["apps"].is_array()) {
    return {.apps = {}, .refused = {"apps.json is to be an object with a list \"apps\""}};
  }
  AddedApps added;
  for (const Json& one : object["apps"]) {
    if (added.apps.size() == kMaxApps) {
      added.refused.push_back(
          fmt::format("apps.json: of {} apps the first {} are shown", object["apps"].size(), kMaxApps));
      break;
    }
    if (Result<v1::App> app = app_of(one)) {
      added.apps.push_back(std::move(*app));
    } else if (added.refused.size() < kMaxRefused) {
      added.refused.push_back(fmt::format("apps.json: an app is left out: {}: {}", app.error().message,
                                          shortened(one.dump(-1, ' ', true, Json::error_handler_t::replace))));
    }
  }
  return added;
}

// An icon by its name is looked for in the theme that every other one falls back to.
std::string Apps::find_icon(const std::string& icon) const {
  constexpr std::array kPlaces = {"icons/hicolor/64x64/apps",    "icons/hicolor/48x48/apps",
                                  "icons/hicolor/scalable/apps", "icons/hicolor/128x128/apps",
                                  "icons/hicolor/32x32/apps",    "pixmaps"};
  const auto load = [](const std::filesystem::path& file) {
    std::string bytes = read_file(file, kMaxIconBytes);
    return is_picture(bytes) ? bytes : std::string();
  };
  if (icon.starts_with('/')) return load(icon);
  if (icon.empty() || icon.contains('/') || icon.starts_with('.')) return {};
  for (const std::filesystem::path& data : data_) {
    for (const char* place : kPlaces) {
      for (const char* ending : {"", ".png", ".svg"}) {
        if (std::string bytes = load(data / place / (icon + ending)); !bytes.empty()) return bytes;
      }
    }
  }
  return {};
}

void Apps::add_entries(const std::filesystem::path& directory) {
  std::error_code failure;
  std::set<std::filesystem::path> files;
  for (const auto& file : Entries(directory, failure)) {
    if (file.path().extension() == ".desktop" && files.size() < kMaxEntries) files.insert(file.path());
  }
  for (const std::filesystem::path& file : files) {
    const std::optional<DesktopEntry> entry = parse_desktop_entry(read_file(file, kMaxFileBytes));
    if (!entry || !(entry->terminal ? kinds_.terminals : kinds_.windows) || !is_seen_by_tasks(entry->argv[0]) ||
        std::cmp_greater_equal(list_.apps_size(), kMaxApps))
      continue;
    v1::App app;
    app.set_name(entry->name);
    app.set_terminal(entry->terminal);
    app.set_gpus(entry->gpu && kinds_.gpus > 0 ? 1 : 0);
    for (const std::string& word : entry->argv) app.add_argv(word);
    app.set_icon(find_icon(entry->icon));
    if (list_.ByteSizeLong() + app.ByteSizeLong() + 8 > kMaxListBytes) app.clear_icon();
    if (list_.ByteSizeLong() + app.ByteSizeLong() + 8 <= kMaxListBytes) *list_.add_apps() = std::move(app);
  }
}

bool Apps::shows(const v1::App& app) const {
  if (app.web_port() != 0) return kinds_.web;
  return app.terminal() ? kinds_.terminals : kinds_.windows;
}

Apps::Stamps Apps::stamps() const {
  Stamps stamps;
  const auto add = [&](const std::filesystem::path& place) {
    std::error_code failure;
    const auto time = std::filesystem::last_write_time(place, failure);
    stamps.push_back(failure ? std::filesystem::file_time_type::min() : time);
  };
  add(node_ / "apps.json");
  for (const std::filesystem::path& data : data_) add(data / "applications");
  return stamps;
}

bool Apps::look() {
  Stamps now = stamps();
  if (seen_ == now) return false;
  seen_ = std::move(now);
  list_.Clear();
  const std::string text = read_file(node_ / "apps.json", kMaxFileBytes);
  AddedApps added = text.empty() ? AddedApps() : parse_added_apps(text);
  for (const std::string& complaint : added.refused) log_warning(complaint);
  std::erase_if(added.apps, [this](const v1::App& app) { return !shows(app); });
  list_.mutable_apps()->Assign(added.apps.begin(), added.apps.end());
  for (const std::filesystem::path& data : data_) add_entries(data / "applications");
  return true;
}

}  // namespace hearth::node
