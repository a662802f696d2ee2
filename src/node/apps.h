// The apps that this PC has, programs with windows, text programs and web programs: those that its owner added
// (HOME/node/apps.json, written by `hearth app add`), and those that its system lists, as freedesktop.org's desktop
// entries.
//
//   {"apps": [{"name": "Clock", "argv": ["xclock", "-update", "1"]}, {"name": "Processes", "argv": ["htop"],
//   "terminal": true}, {"name": "Notebooks", "argv": ["jupyter-lab"], "web": 8888},
//   {"name": "Blender", "argv": ["blender"], "gpus": 1}]}
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hearth/v1/apps.pb.h"

namespace hearth::node {

// Where the program finds what gives it a display or a terminal, and how that is called with the program's own command
// behind it.
inline constexpr const char* kScreenFile = ".hearth/hearth-screen";
inline constexpr const char* kScreenCommand = "./.hearth/hearth-screen";

inline constexpr const char* kTerminalFile = ".hearth/hearth-terminal";
inline constexpr const char* kTerminalCommand = "./.hearth/hearth-terminal";

// Why no program with windows can run here, with the remedy; empty if it can. `program`: hearth-screen.
std::string screen_lack(const std::filesystem::path& program);

struct DesktopEntry {
  std::string name;
  std::vector<std::string> argv;  // without what stands for files
  std::string icon;               // a name or a path; empty: none
  bool terminal = false;          // a text program
  bool gpu = false;               // it is to be drawn by the better GPU (PrefersNonDefaultGPU)
};
// Nothing, where the text is none, or is not to be shown.
std::optional<DesktopEntry> parse_desktop_entry(std::string_view text);

// What apps.json holds.
struct AddedApps {
  std::vector<v1::App> apps;         // at most 200
  std::vector<std::string> refused;  // of what is left out, at most 21: what is wrong, what is allowed
};
AddedApps parse_added_apps(std::string_view json);

class Apps {
 public:
  // What can be shown of this PC's.
  struct Kinds {
    bool windows = true;
    bool terminals = true;
    bool web = true;
    std::uint32_t gpus = 0;  // that this PC has
  };
  // `node`: where apps.json lies. `data`: where systems keep applications/, icons/ and pixmaps/.
  Apps(std::filesystem::path node, Kinds kinds,
       std::vector<std::filesystem::path> data = {"/usr/local/share", "/usr/share"})
      : node_(std::move(node)), kinds_(kinds), data_(std::move(data)) {}

  // Reads what may have changed; whether anything has. Blocks.
  bool look();
  const v1::AppList& list() const { return list_; }

 private:
  using Stamps = std::vector<std::filesystem::file_time_type>;
  Stamps stamps() const;
  void add_entries(const std::filesystem::path& directory);
  std::string find_icon(const std::string& icon) const;

  bool shows(const v1::App& app) const;

  std::filesystem::path node_;
  Kinds kinds_;
  std::vector<std::filesystem::path> data_;
  std::optional<Stamps> seen_;
  v1::AppList list_;
};

inline constexpr Apps::Kinds kNoApps = {.windows = false, .terminals = false, .web = false};

// `screen` and `terminal`: hearth-screen and hearth-terminal. `gpus`: how many this PC has.
Apps::Kinds apps_shown_by(const std::filesystem::path& screen, const std::filesystem::path& terminal, std::size_t gpus);

}  // namespace hearth::node
