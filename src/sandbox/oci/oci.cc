#include "sandbox/oci/oci.h"

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <utility>

#include <sys/stat.h>

#include "base/embed.h"
#include "sandbox/guest_network.h"
#include "sandbox/oci/bundle.h"
#include "sandbox/oci/runtime_listener.h"
#include "sandbox/oci/task.h"
#include "sandbox/program.h"
#include "sandbox/seccomp.h"

// The program that init/init.cc became.
HEARTH_EMBED(hearth_oci_init, HEARTH_OCI_INIT);

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kMebibyte = 1ULL << 20;
constexpr std::uint64_t kRuntimeBytes = 32 * kMebibyte;     // crun takes 2 of them, gVisor's kernel most
constexpr std::uint64_t kRuntimeTmpBytes = 16 * kMebibyte;  // its state, and the bundle
constexpr std::size_t kMaxWords = 32;

// Which the bubble's own files are copied from.
constexpr int kConfigFd = kFirstFreeFd;
constexpr int kTaskFd = kFirstFreeFd + 1;

oci::Task task_of(const LaunchOrder& order, const Layout& layout) {
  return {.argv = order.command.argv, .variables = variables_of(layout, order.command)};
}

}  // namespace

Result<std::vector<std::string>> find_runtime(const std::string& text) {
  constexpr std::string_view kRemedy = "name one with: hearth limit --oci-runtime PATH";
  std::istringstream stream(text.empty() ? kStandardRuntime : text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  if (words.empty() || words.size() > kMaxWords) {
    return fail(Code::kFailedPrecondition, "an OCI runtime has at most " + std::to_string(kMaxWords - 1) +
                                               " arguments, and a name; " + std::string(kRemedy));
  }
  const std::string program = find_program(words[0]);
  if (!program.starts_with('/')) {
    return fail(Code::kFailedPrecondition, "the OCI runtime '" + words[0] +
                                               "' was not found or is not executable; install one with: apt install "
                                               "crun, or " +
                                               std::string(kRemedy));
  }
  std::error_code error;
  if (!std::filesystem::canonical(program, error).string().starts_with("/usr/")) {
    return fail(Code::kFailedPrecondition, "the OCI runtime " + program +
                                               " lies outside of /usr, which is all that sandboxes see of this PC's "
                                               "programs; put it into /usr/local/bin, and " +
                                               std::string(kRemedy));
  }
  words[0] = program;
  return words;
}

Oci::Oci(const Bubblewrap& bubblewrap, std::string place)
    : bubblewrap_(bubblewrap), place_(std::move(place)), installed_(install()) {}

Result<void> Oci::install() const {
  const std::string where = folder();
  if (::mkdir(where.c_str(), 0755) != 0 || ::chmod(where.c_str(), 0755) != 0) {
    return fail_errno(errno, "making " + where);
  }
  Result<void> done = make_file(where + "/init", HEARTH_EMBEDDED(hearth_oci_init), 0555);
  if (done) done = write_filter(where + "/filter", Caller::kRuntime);
  return done;
}

bool Oci::use(const std::string& runtime) {
  std::lock_guard lock(mutex_);
  return std::exchange(runtime_, runtime) != runtime;
}

Result<std::vector<std::string>> Oci::runtime() const {
  std::unique_lock lock(mutex_);
  const std::string words = runtime_;
  lock.unlock();
  return find_runtime(words);
}

Result<void> Oci::check(const Setup& setup) const {
  if (setup.network.kind == Network::Kind::kOverlay) {
    return fail(Code::kFailedPrecondition, "a container has no network of a gang; run the task behind the fence");
  }
  if (!installed_) return installed_;
  Result<std::vector<std::string>> words = runtime();
  if (!words) return std::unexpected(words.error());
  return {};
}

std::uint64_t Oci::overhead_bytes() const { return kRuntimeBytes; }

Result<Bubble> Oci::enclose(const LaunchOrder& order) const {
  Result<std::vector<std::string>> words = runtime();
  if (!words) return std::unexpected(words.error());
  Layout layout{.root = place_ + "/root",
                .working_directory = order.directory.path(),
                .workspace = order.workspace,
                .network_directory = order.network_directory,
                .nests = true};
  if (!layout.network_directory.empty()) layout.variables = GuestNetwork::variables_beside(order.command.variables);
  Result<std::string> config = oci::bundle_config(order);
  if (!config) return std::unexpected(config.error());
  Result<Fd> config_file = memory_file(*config);
  if (!config_file) return std::unexpected(config_file.error());
  Result<Fd> task_file = memory_file(oci::pack_task(task_of(order, layout)));
  if (!task_file) return std::unexpected(task_file.error());

  Bubble bubble;
  const Limits limits{.scratch_bytes = kRuntimeTmpBytes};
  bubble.options = bubblewrap_options(bubblewrap_, layout, limits, {.argv = {}, .gpus = order.command.gpus});
  auto add = [&bubble](std::initializer_list<std::string_view> more) { add_options(bubble.options, more); };
  add({"--clearenv", "--setenv", "PATH", kDefaultPath, "--setenv", "XDG_RUNTIME_DIR", "/tmp"});
  // Runtimes look for control groups here, and shall find none.
  add({"--tmpfs", "/sys", "--dir", "/sys/fs/cgroup", "--remount-ro", "/sys"});
  add({"--ro-bind", order.root, oci::kRoot, "--dir", oci::kThings});
  add({"--ro-bind", folder() + "/init", std::string(oci::kThings) + "/init"});
  add({"--ro-bind", place_ + "/filter", std::string(oci::kThings) + "/filter"});
  if (!order.tmp.empty()) add({"--bind", order.tmp, oci::kTmp});
  add({"--perms", "0444", "--file", std::to_string(kTaskFd), std::string(oci::kThings) + "/task"});
  add({"--dir", oci::kBundle, "--file", std::to_string(kConfigFd), std::string(oci::kBundle) + "/config.json"});
  bubble.filter = folder() + "/filter";
  bubble.argv = std::move(*words);
  for (const char* word : {"--root", oci::kState, "run", "--bundle", oci::kBundle, "job"}) {
    bubble.argv.emplace_back(word);
  }
  bubble.files.push_back(std::move(*config_file));
  bubble.files.push_back(std::move(*task_file));
  bubble.listener = std::make_unique<RuntimeListener>(order.command.argv[0]);
  return bubble;
}

}  // namespace hearth::sandbox
