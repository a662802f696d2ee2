#include "sandbox/fence/fence.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/stat.h>

#include "sandbox/guest_network.h"

namespace hearth::sandbox {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kMaxComplaintBytes = 4096;
constexpr std::string_view kComplaint = "bwrap: ";

}  // namespace

std::string explain_complaint(std::string_view said, bool kill_wanted) {
  if (said.starts_with(kComplaint)) said.remove_prefix(kComplaint.size());
  while (said.ends_with('\n')) said.remove_suffix(1);
  constexpr std::string_view kExec = "execvp ";
  constexpr std::string_view kAbsent = ": No such file or directory";
  constexpr std::string_view kForbidden = ": Permission denied";
  for (const auto& [reason, error] : {std::pair(kAbsent, ENOENT), std::pair(kForbidden, EACCES)}) {
    if (!said.starts_with(kExec) || !said.ends_with(reason)) continue;
    return explain_not_started(std::string(said.substr(kExec.size(), said.size() - kExec.size() - reason.size())),
                               error);
  }
  if (said.starts_with(kExec)) return "the program could not be started: " + std::string(said.substr(kExec.size()));
  if (!said.empty()) return "bubblewrap could not set up the sandbox: " + std::string(said);
  return kill_wanted ? "ended before the program was started" : "bubblewrap ended without a word";
}

// What bubblewrap itself says on stderr, when it cannot start the program, is for Exit::message and not for the log.
void FenceListener::hear(Stream pipe, std::string_view piece, const Print& print) {
  if (pipe == Stream::kStdout || !holds_back_) {
    print(pipe, piece);
    return;
  }
  held_back_ += piece;
  std::size_t common = std::min(held_back_.size(), kComplaint.size());
  if (held_back_.compare(0, common, kComplaint.substr(0, common)) == 0 && held_back_.size() < kMaxComplaintBytes) {
    return;
  }
  holds_back_ = false;
  for (std::string_view rest = held_back_; !rest.empty(); rest.remove_prefix(std::min(rest.size(), kPieceBytes))) {
    print(pipe, rest.substr(0, kPieceBytes));
  }
  held_back_.clear();
}

void FenceListener::conclude(const Ending& ending, const Print& print, Exit& exit) {
  if (ending.exit_code < 0) {
    exit.message = explain_complaint(held_back_, ending.kill_wanted);
    return;
  }
  fill_exit(ending.exit_code, exit);
  if (holds_back_ && !held_back_.empty()) print(Stream::kStderr, held_back_);
}

Result<void> Fence::check(const Setup& /*setup*/) const { return {}; }

Result<Bubble> Fence::enclose(const LaunchOrder& order) const {
  Bubble bubble;
  Layout layout{.root = order.root,
                .working_directory = order.directory.path(),
                .workspace = order.workspace,
                .tmp = order.tmp,
                .network_directory = order.network_directory};
  if (!layout.network_directory.empty()) layout.variables = GuestNetwork::variables_beside(order.command.variables);
  if (const Network& network = order.setup.network; network.kind == Network::Kind::kOverlay) {
    layout.host_name = network.overlay.host_name;
    struct stat info{};
    // Where there is none, there is no place to show one.
    if (::stat((order.root + "/etc/hosts").c_str(), &info) == 0) {
      Result<Fd> hosts = memory_file(network.overlay.hosts);
      if (!hosts) return std::unexpected(hosts.error());
      layout.hosts_fd = kFirstFreeFd;
      bubble.files.push_back(std::move(*hosts));
    }
  }
  bubble.options = bubblewrap_options(bubblewrap_, layout, order.limits, order.command);
  bubble.argv = order.command.argv;
  bubble.listener = std::make_unique<FenceListener>();
  return bubble;
}

}  // namespace hearth::sandbox
