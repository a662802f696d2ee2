#include "sandbox/doctor.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "base/bytes.h"
#include "sandbox/trial.h"

namespace hearth::sandbox {
namespace {

// Runs a shell script in a sandbox of its own.
Trial run_script(Host& host, const std::string& name, const Limits& limits, const std::string& script) {
  Result<std::unique_ptr<Sandbox>> box = host.prepare(name, limits, {});
  if (box) return run_trial(**box, script);
  Trial failed;
  failed.exit.message = box.error().message;
  return failed;
}

std::string line_after(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key)) return line.substr(key.size());
  }
  return "?";
}

Check check(std::string name, bool ok, std::string detail, std::string remedy = "") {
  return {.name = std::move(name),
          .ok = ok,
          .required = true,
          .detail = std::move(detail),
          .remedy = ok ? "" : std::move(remedy)};
}

void check_fence(Host& host, std::vector<Check>& checks) {
  constexpr const char* kLookAround =
      "echo user=$(id -u); echo home=$(ls -d /home /root /opt /boot 2>/dev/null | wc -l);"
      "echo caps=$(grep CapEff /proc/self/status | tr -dc 0-9a-f | tail -c 16);"
      "echo seccomp=$(grep ^Seccomp: /proc/self/status | tr -dc 0-9);"
      "echo net=$(grep -c : /proc/net/dev); echo lo=$(grep -c ' lo:' /proc/net/dev);"
      "unshare -U true 2>/dev/null && echo nested=yes || echo nested=no; touch /usr/x 2>/dev/null && echo usr=yes || "
      "echo usr=no";
  Limits limits{.cores = 1, .memory_bytes = 256ULL << 20, .scratch_bytes = 16ULL << 20};
  Trial ran = run_script(host, "self-test-fence", limits, kLookAround);
  auto told = [&ran](const std::string& key) { return line_after(ran.output, key + "="); };
  checks.push_back(
      check("a sandbox starts", ran.exit.started && ran.exit.exit_code == 0,
            ran.exit.started ? "in " + std::to_string(ran.exit.wall_micros / 1000) + " ms" : ran.exit.message,
            "see the message; on a container, allow user namespaces"));
  if (!ran.exit.started) return;
  constexpr const char* kReport = "do not run guests here; please report this with the output of: hearth doctor --json";
  checks.push_back(check("guests have no privileges", told("caps") == "0000000000000000" && told("nested") == "no",
                         "user " + told("user") + ", capabilities " + told("caps"), kReport));
  checks.push_back(
      check("system calls are filtered", told("seccomp") == "2", "seccomp mode " + told("seccomp"), kReport));
  checks.push_back(
      check("guests have no network", told("net") == told("lo"), told("net") + " interface(s), all loopback", kReport));
  checks.push_back(check("guests see nothing of the owner", told("home") == "0" && told("usr") == "no",
                         "/home, /root and /opt are not there, /usr is read-only", kReport));
}

void check_memory(Host& host, const Shared& shared, std::vector<Check>& checks) {
  constexpr const char* kRemedy =
      "run the node where it may make control groups: as a systemd service with Delegate=yes, "
      "or as root";
  bool has = shared.cgroups->has(Controller::kMemory);
  bool kills = false;
  if (has) {
    Limits limits{.cores = 1, .memory_bytes = 48ULL << 20, .scratch_bytes = 256ULL << 20};
    Trial ran = run_script(host, "self-test-memory", limits, "head -c 192M /dev/zero >/tmp/x; exit 0");
    kills = ran.exit.out_of_memory;
  }
  std::string detail = "a guest may use more than it was given: only its own data and files are bounded";
  if (kills) detail = shared.cgroups->version() + "; what needs too much is ended";
  if (has && !kills) detail = shared.cgroups->version() + " took the limit, but a program went beyond it";
  checks.push_back(
      {.name = "memory limit", .ok = kills, .required = false, .detail = detail, .remedy = kills ? "" : kRemedy});
}

void check_controllers(const Shared& shared, std::vector<Check>& checks) {
  constexpr const char* kRemedy =
      "run the node where it may make control groups: as a systemd service with Delegate=yes, "
      "or as root";
  auto add = [&](Controller controller, const char* name, const char* without) {
    bool ok = shared.cgroups->has(controller);
    checks.push_back({.name = name,
                      .ok = ok,
                      .required = false,
                      .detail = ok ? shared.cgroups->version() : std::string(without),
                      .remedy = ok ? "" : kRemedy});
  };
  add(Controller::kPids, "process limit", "only the user's limit on processes");
  add(Controller::kCpu, "processor share", "guests compete with the owner's programs as equals");
  add(Controller::kFreezer, "freezer", "guests are paused by signals, one process after the other");
}

// The windows of a program are Xvfb's, which NVIDIA's GLX alone draws into.
std::string text_of(const Gpu& gpu) {
  const bool draws = std::ranges::any_of(gpu.files, [](const auto& file) { return file.second.contains("libGLX_"); });
  return fmt::format("{} ({}): computes{}", gpu.name,
                     gpu.memory_bytes == 0 ? "memory unknown" : format_bytes(gpu.memory_bytes),
                     draws ? ", and draws the windows of programs by OpenGL" : "; 3D windows are the processor's");
}

}  // namespace

Check check_gpus(const std::vector<Gpu>& gpus) {
  std::string detail;
  for (const Gpu& gpu : gpus) detail += (detail.empty() ? "" : "; ") + text_of(gpu);
  return {.name = "GPUs",
          .ok = !gpus.empty(),
          .required = false,
          .detail = gpus.empty() ? "none is seen that tasks could use" : detail,
          .remedy = gpus.empty() ? "nothing on a PC without one; else install the driver of NVIDIA or AMD" : ""};
}

std::vector<Check> run_self_test(Host& host, const Shared& shared) {
  std::vector<Check> checks;
  checks.push_back(check("bubblewrap", true, shared.bubblewrap.program + " " + shared.bubblewrap.version));
  const std::string lack = shared.network_tools.missing();
  checks.push_back({.name = "full network",
                    .ok = lack.empty(),
                    .required = false,
                    .detail = lack.empty() ? "pasta and nft are there" : "guests can reach listed hosts at most",
                    .remedy = lack});
  const std::string overlay_lack = shared.network_tools.overlay_lack();
  checks.push_back({.name = "networks for gangs",
                    .ok = overlay_lack.empty(),
                    .required = false,
                    .detail = overlay_lack.empty() ? "nebula, pasta and nft are there"
                                                   : "tasks that run at once cannot reach each other",
                    .remedy = overlay_lack});
  checks.push_back({.name = "user namespaces",
                    .ok = true,
                    .required = true,
                    .detail = shared.user.drop ? "made by root, guests run as user 65534" : "made by an ordinary user",
                    .remedy = ""});
  checks.push_back({.name = "no user namespaces in the sandbox",
                    .ok = shared.bubblewrap.disable_userns,
                    .required = false,
                    .detail = shared.bubblewrap.disable_userns ? "closed twice: by the filter and by bubblewrap"
                                                               : "closed by the filter alone",
                    .remedy = shared.bubblewrap.disable_userns ? "" : "install bubblewrap 0.8 or newer"});
  check_fence(host, checks);
  check_memory(host, shared, checks);
  check_controllers(shared, checks);
  checks.push_back(check_gpus(find_gpus()));
  const Result<std::filesystem::path> vault = host.encrypted_directory();
  checks.push_back({.name = "large inputs",
                    .ok = vault.has_value(),
                    .required = false,
                    .detail = vault ? "on the disk, under a key that exists in memory only"
                                    : "only as large as a quarter of the memory",
                    .remedy = vault ? "" : vault.error().message});
  const std::string risk = host.swap_risk();
  checks.push_back({.name = "guests' memory stays off the disk",
                    .ok = risk.empty(),
                    .required = false,
                    .detail = risk.empty() ? "no swap that is not encrypted can hold it"
                                           : "only home's tasks are taken, for others it is not good enough",
                    .remedy = risk});
  return checks;
}

}  // namespace hearth::sandbox
