// The bubblewrap program: whether it is there, what it can do, and its arguments.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

struct Bubblewrap {
  std::string program;  // absolute
  std::string version;  // "0.8.0"
  bool disable_userns = false;
};

// Errors: kFailedPrecondition with the remedy.
Result<Bubblewrap> find_bubblewrap(const std::string& name);

using Variables = std::vector<std::pair<std::string, std::string>>;

struct Layout {
  std::string root;                       // of the guest
  std::string working_directory;          // shown at /job
  std::string workspace;                  // shown at /workspace; empty: none
  std::string tmp = {};                   // shown at /tmp; empty: a tmpfs
  std::string network_directory;          // shown at /run/hearth; empty: none
  Variables variables = {};               // beside the command's
  std::vector<std::string> devices = {};  // device nodes, shown where they are
  bool nests = false;                     // what runs makes user namespaces of its own
  std::string host_name = "job";
  int hosts_fd = -1;  // what it finds in /etc/hosts; -1: what its root has
};

// Where launch() puts the files that these arguments name.
constexpr int kArgumentsFd = 3;
constexpr int kFilterFd = 4;
constexpr int kStatusFd = 5;
constexpr int kGateFd = 6;  // the program starts once a byte can be read, or at its end
constexpr int kFirstFreeFd = 7;

// The options, each ended by a NUL, as --args reads them. All of them but the command itself.
std::string bubblewrap_options(const Bubblewrap& bubblewrap, const Layout& layout, const Limits& limits,
                               const Command& command);
void add_options(std::string& options, std::initializer_list<std::string_view> words);

// What the program finds in its environment, in this order; of two with one name the later one counts.
Variables variables_of(const Layout& layout, const Command& command);

}  // namespace hearth::sandbox
