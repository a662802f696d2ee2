// `hearth doctor`: what works on this PC, what does not, and how to mend it.
#include <algorithm>

#include <sys/statvfs.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/backups.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/service.h"
#include "cli/tools.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

Finding check_disk(const Home& home) {
  constexpr std::uint64_t kLeast = kGiB;
  std::filesystem::path place = home.root;
  std::error_code failure;
  while (!std::filesystem::exists(place, failure) && place.has_relative_path()) place = place.parent_path();
  struct statvfs disk = {};
  if (::statvfs(place.c_str(), &disk) != 0) {
    return {"disk", false, true, fmt::format("{} cannot be looked at", place.string()), "choose another --home DIR"};
  }
  const std::uint64_t room = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  const std::string detail = fmt::format("{} free in {}", format_bytes(room), place.string());
  if (room >= kLeast) return {"disk", true, true, detail, ""};
  return {"disk", false, true, detail, "make room, at least 1 GiB, or choose another --home DIR"};
}

Finding check_avahi() {
  std::error_code failure;
  if (std::filesystem::exists("/run/avahi-daemon/socket", failure)) {
    return {"announcement", true, false, "Avahi runs: this PC can be found by its name", ""};
  }
  return {"announcement", false, false, "Avahi does not run: devices find this PC by link and code only",
          "apt install avahi-daemon"};
}

Finding check_swarm(const Policy& policy) {
  if (policy.swarm == "off") return {"swarm", true, false, "off: large files come from the hub alone", ""};
  std::error_code failure;
  if (std::filesystem::exists(swarm_program(), failure)) {
    return {"swarm", true, false, "hearth-swarm is there: nodes give each other large files", ""};
  }
  return {"swarm", false, false, "hearth-swarm was not built: large files come from the hub alone",
          "apt install libtorrent-rasterbar-dev, and build again"};
}

Finding check_screen() {
  std::error_code failure;
  if (!std::filesystem::exists(screen_program(), failure)) {
    return {"screen", false, false, "hearth-screen was not built: no program with windows runs on this PC",
            "apt install libopus-dev libvpx-dev libx264-dev libyuv-dev libx11-dev libxext-dev libxdamage-dev "
            "libxfixes-dev libxtst-dev, and build again"};
  }
  if (!has_program("Xvfb")) {
    return {"screen", false, false, "there is no Xvfb: no program with windows runs on this PC",
            "apt install xvfb, and start hearth again"};
  }
  if (!std::filesystem::exists(media_program(), failure)) {
    return {"screen", true, false,
            "programs with windows can be watched, but not by WebRTC: hearth-media was not built",
            "apt install libsrtp2-dev libusrsctp-dev, and build again"};
  }
  if (!has_program("pulseaudio")) {
    return {"screen", true, false, "programs with windows can be watched, but not heard: there is no PulseAudio",
            "apt install pulseaudio"};
  }
  return {
      "screen", true, false,
      "programs with windows can run here, be watched and heard from a phone (hearth app); the processor compresses "
      "their pictures, never a GPU",
      ""};
}

Finding check_pictures() {
  std::error_code failure;
  if (!std::filesystem::exists(pictures_program(), failure)) {
    return {"pictures", false, false, "hearth-pictures was not built: no picture of the drive is shown small",
            "apt install libvips-dev, and build again"};
  }
  if (!has_program("bwrap")) {
    return {"pictures", false, false, "there is no bubblewrap: no picture of the drive is shown small",
            "apt install bubblewrap"};
  }
  if (!std::filesystem::exists("/usr/bin/ffmpeg", failure)) {
    return {"pictures", true, false,
            "pictures of the drive are shown small, by date; films are not: there is no ffmpeg", "apt install ffmpeg"};
  }
  return {"pictures", true, false, "hearth-pictures is there: pictures and films of the drive are shown small, by date",
          ""};
}

Finding check_terminal() {
  std::error_code failure;
  if (!std::filesystem::exists(terminal_program(), failure)) {
    return {"terminal", false, false, "hearth-terminal is not beside this program: no program gets a terminal here",
            "install it again, with its helper programs"};
  }
  return {"terminal", true, false, "text programs can run here and be used from a phone (hearth run --terminal)", ""};
}

Finding check_backups(const Home& home) {
  if (!has_program("restic")) {
    return {"backups", false, false, "there is no restic: no backup of the drive can be made", "apt install restic"};
  }
  const std::vector<BackupTarget> targets = load_targets(home).value_or(std::vector<BackupTarget>());
  std::string states;
  bool all_good = true;
  for (const BackupTarget& one : targets) {
    states += fmt::format("{}{}: {}", states.empty() ? "" : "; ", plain(shown_target(one.where)),
                          target_state(one, wall_now()));
    all_good = all_good && one.failure.empty() && one.damage.empty();
  }
  if (states.empty()) return {"backups", true, false, "restic is there; the drive has no backup yet", ""};
  return {"backups", all_good, false, states, all_good ? "" : "hearth drive backups"};
}

Finding check_port(const Home& home, const Config& config) {
  if (Lock::holder(home)) {
    const std::string port = config.port == 0 ? "one that was free" : fmt::format("{}", config.port);
    return {"port", true, true, port + ", in use by hearth", ""};
  }
  const Result<void> is_free = check_port_is_free(config.address, config.port);
  if (is_free)
    return {"port", true, true, config.port == 0 ? "any free one will do" : fmt::format("{} is free", config.port), ""};
  return {"port", false, true, is_free.error().message, "hearth up --port PORT"};
}

Finding check_up(const Home& home) {
  const std::optional<Holder> holder = Lock::holder(home);
  if (!holder) return {"up", false, false, "the daemons of this HOME do not run", "hearth up"};
  return {"up", true, false,
          fmt::format("since {}, process {}", format_age(holder->since, wall_now()), holder->process), ""};
}

// Whether the hub answers, and with its page.
std::vector<Finding> check_hub(const Home& home, bool joined) {
  const Result<std::unique_ptr<Client>> client = Client::open(home, home.cli());
  if (!client) return {{"hub", false, false, client.error().message, joined ? "hearth pair LINK" : "hearth up"}};
  const std::string where = (*client)->session().account().endpoint.text();
  const Result<net::Response> page =
      (*client)->loop().run_until_done((*client)->session().client().request("GET", "/", net::Headers(), "", kMiB));
  if (!page) return {{"hub", false, false, (*client)->explain(page.error()).message, "hearth up"}};
  std::vector<Finding> findings = {{"hub", true, false, "answers at " + where, ""}};
  if (page->status == 200) {
    findings.push_back({"page", true, false, "https://" + where + "/", ""});
  } else {
    findings.push_back({"page", false, false, "this program was built without the page",
                        "build it with -DHEARTH_WEB=ON (npm is needed)"});
  }
  return findings;
}

}  // namespace

Result<int> doctor(const Context& context) {
  const Result<Config> config = load_config(context.home);
  if (!config) return std::unexpected(config.error());
  // The sandbox's test first: it needs a process of one thread.
  const bool is_cluster = has_joined(context.home, *config) && config->slurm;
  std::vector<Finding> findings =
      is_cluster ? context.programs->check_slurm({.home = context.home.root, .own_pool = false, .slurm = config->slurm})
                 : context.programs->self_test(context.home.root);
  findings.push_back(check_disk(context.home));
  findings.push_back(check_avahi());
  if (const Result<Policy> policy = load_policy(context.home)) findings.push_back(check_swarm(*policy));
  findings.push_back(check_screen());
  findings.push_back(check_pictures());
  findings.push_back(check_terminal());
  findings.push_back(check_up(context.home));
  if (!has_joined(context.home, *config)) findings.push_back(check_backups(context.home));
  if (!has_joined(context.home, *config)) findings.push_back(check_port(context.home, *config));
  for (Finding& finding : check_hub(context.home, has_joined(context.home, *config)))
    findings.push_back(std::move(finding));
  print(context.json ? findings_json(findings) : findings_text(findings));
  const bool failed = std::ranges::any_of(findings, [](const Finding& one) { return one.required && !one.ok; });
  return failed ? 1 : 0;
}

}  // namespace hearth::cli
