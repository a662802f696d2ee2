// `hearth limit`: what this PC's owner lets others use.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/tools.h"
#include "cli/values.h"
#include "presence/tariff.h"

namespace hearth::cli {
namespace {

constexpr Range kCores = {0, 1024};
constexpr Range kMemory = {0, 4 * kTiB};
constexpr Range kDisk = {64 * kMiB, 1024 * kTiB};
constexpr Range kWorkspaces = {0, 1024 * kTiB};
constexpr Range kSwarmRate = {0, kGiB};
constexpr std::uint64_t kUsualDisk = 20 * kGiB;  // see node/node.h

constexpr Range kCelsius = {0, 150};
constexpr Range kWatts = {0, 100'000};

Result<void> take_span(std::string_view option, const std::string& text, std::optional<std::uint64_t>& out) {
  if (text.empty()) return {};
  const Result<std::int64_t> span = parse_time_limit(option, text);
  if (!span) return std::unexpected(span.error());
  out = static_cast<std::uint64_t>(*span);
  return {};
}

Result<void> take_yes_no(std::string_view option, const std::string& text, std::optional<bool>& out) {
  if (text.empty()) return {};
  if (text != "yes" && text != "no") {
    return fail(Code::kInvalidArgument, fmt::format("{} {}: yes or no is needed", option, text));
  }
  out = text == "yes";
  return {};
}

// The file's text, once every line of it has been understood.
Result<std::string> read_tariff(const std::string& file) {
  Result<std::string> text = read_small_file(file);
  if (!text) return fail(text, fmt::format("--tariff {}", file));
  const Result<presence::Tariff> tariff = presence::Tariff::parse(*text);
  if (!tariff) return fail(Code::kInvalidArgument, fmt::format("--tariff {}: {}", file, tariff.error().message));
  return text;
}

Result<void> take_price(const LimitOptions& options, OwnerFirst& owner) {
  if (!options.tariff.empty()) {
    Result<std::string> text = read_tariff(options.tariff);
    if (!text) return std::unexpected(text.error());
    owner.tariff = std::move(*text);
  }
  if (options.max_price.empty()) return {};
  const Result<std::uint64_t> price = presence::parse_price(options.max_price);
  if (!price) return fail(price, fmt::format("--max-price {}", options.max_price));
  if (!owner.tariff) {
    return fail(Code::kInvalidArgument, "--max-price: what electricity costs is not known; say --tariff FILE as well");
  }
  owner.max_price = options.max_price;
  return {};
}

Result<void> take_owner_options(const LimitOptions& options, OwnerFirst& owner) {
  const std::string& mode = options.owner_first;
  if (!mode.empty() && mode != "auto" && mode != "on" && mode != "off") {
    return fail(Code::kInvalidArgument, fmt::format("--owner-first {}: auto, on or off is needed", mode));
  }
  if (!mode.empty()) owner.mode = mode;
  Result<void> taken = take_span("--quiet", options.quiet, owner.quiet_seconds);
  if (taken) taken = take_span("--patience", options.patience, owner.patience_seconds);
  if (taken) taken = take_span("--gpu-grace", options.gpu_grace, owner.grace_seconds);
  if (taken) taken = take_yes_no("--battery", options.battery, owner.on_battery);
  if (taken) taken = take_yes_no("--metered", options.metered, owner.on_metered);
  if (taken) taken = take_yes_no("--busy", options.busy, owner.on_busy);
  if (taken && !options.max_temperature.empty()) {
    const Result<std::uint64_t> celsius = parse_count("--max-temperature", options.max_temperature, kCelsius);
    if (!celsius) return std::unexpected(celsius.error());
    owner.max_celsius = *celsius;
  }
  if (taken) taken = take_price(options, owner);
  return taken;
}

Result<void> take_word(std::string_view option, const std::string& text,
                       std::initializer_list<std::string_view> allowed, std::optional<std::string>& out) {
  if (text.empty()) return {};
  if (std::ranges::find(allowed, text) == allowed.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} {}: one of {} is needed", option, plain(text), fmt::join(allowed, ", ")));
  }
  out = text;
  return {};
}

Result<void> take_ring(const LimitOptions& options, std::string_view name, RingPolicy& ring) {
  Result<void> taken = take_word("--isolation", options.isolation, {"fence", "oci", "microvm", "none"}, ring.isolation);
  if (taken) taken = take_word("--net", options.net, {"none", "listed", "full"}, ring.net);
  if (taken) taken = take_yes_no("--host-files", options.host_files, ring.host_files);
  if (taken) taken = take_yes_no("--gpu", options.gpu, ring.gpu);
  if (taken) taken = take_yes_no("--gang-network", options.gang_network, ring.gang_network);
  if (!taken || name != "stranger") return taken;
  if (options.strangers_may_share_my_kernel) ring.may_share_my_kernel = true;
  const std::string level = ring.isolation.value_or("microvm");
  if (level == "microvm" || level == "none") {
    ring.may_share_my_kernel = false;
  } else if (!ring.may_share_my_kernel) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("--isolation {}: a stranger's program would share this PC's kernel, and a fault in that gives "
                    "it all you have; if you accept that, add --strangers-may-share-my-kernel",
                    level));
  }
  return {};
}

Result<void> take_rings(const LimitOptions& options, Policy& policy) {
  const Result<std::vector<std::string>> names = parse_rings("--for", options.rings.empty() ? "home" : options.rings);
  if (!names) return std::unexpected(names.error());
  const bool says_something = !options.isolation.empty() || !options.host_files.empty() || !options.gpu.empty() ||
                              !options.net.empty() || !options.gang_network.empty() ||
                              options.strangers_may_share_my_kernel;
  if (!options.rings.empty() && !says_something) {
    return fail(Code::kInvalidArgument,
                fmt::format("--for {}: say also what their tasks may: --isolation, --host-files, --gpu, --net "
                            "or --gang-network",
                            plain(options.rings)));
  }
  for (const std::string& name : *names) {
    RingPolicy ring = policy.rings[name];
    if (Result<void> taken = take_ring(options, name, ring); !taken) return taken;
    policy.rings[name] = ring;
  }
  std::erase_if(policy.rings, [](const auto& one) { return one.second == RingPolicy{}; });
  return {};
}

// Whether the runtime works is for the node to try; a name that is wrong is told at once.
Result<void> take_runtime(const LimitOptions& options, Policy& policy) {
  constexpr std::size_t kMaxRuntimeBytes = 1024;
  const std::string& runtime = options.oci_runtime;
  if (runtime.empty()) return {};
  if (runtime.size() > kMaxRuntimeBytes || plain(runtime) != runtime) {
    return fail(Code::kInvalidArgument, "--oci-runtime: a program and its arguments, at most 1024 bytes, are needed");
  }
  const std::string program = runtime.substr(0, runtime.find(' '));
  if (!has_program(program) || (program.contains('/') && !program.starts_with('/'))) {
    return fail(Code::kInvalidArgument,
                fmt::format("--oci-runtime {}: there is no such program; name one in PATH or by its whole path, for "
                            "example crun, which comes with: apt install crun",
                            program));
  }
  policy.oci_runtime = runtime;
  return {};
}

// "room=cellar" says it, "room=" takes it back.
Result<void> take_labels(const LimitOptions& options, Policy& policy) {
  constexpr std::size_t kMostLabels = 64;
  constexpr std::size_t kMostName = 58;
  constexpr std::size_t kMostText = 256;
  for (const std::string& label : options.labels) {
    const std::size_t equals = label.find('=');
    const std::string name = label.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : label.substr(equals + 1);
    if (equals == std::string::npos || !is_short_name(name) || name.size() > kMostName || value.size() > kMostText ||
        !is_plain_utf8(value)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--label {}: NAME=VALUE is needed, of at most 256 bytes; a name has a-z, 0-9, '.', '_' "
                              "and '-', at most 58; NAME= takes it back",
                              plain(label)));
    }
    if (value.empty()) {
      policy.labels.erase(name);
    } else {
      policy.labels[name] = value;
    }
  }
  if (policy.labels.size() > kMostLabels) {
    return fail(Code::kInvalidArgument, fmt::format("{} labels: at most 64", policy.labels.size()));
  }
  if (options.watts.empty()) return {};
  const Result<std::uint64_t> watts = parse_count("--watts", options.watts, kWatts);
  if (!watts) return std::unexpected(watts.error());
  policy.watts = *watts == 0 ? std::nullopt : std::optional(static_cast<double>(*watts));
  return {};
}

Result<void> take_swarm(const LimitOptions& options, Policy& policy) {
  std::optional<std::string> where;
  Result<void> taken = take_word("--swarm", options.swarm, {"lan", "anywhere", "off"}, where);
  if (!taken) return taken;
  if (where) policy.swarm = *where == "lan" ? "" : *where;
  if (options.swarm_rate.empty()) return {};
  const Result<std::uint64_t> rate = parse_size("--swarm-rate", options.swarm_rate, kSwarmRate);
  if (!rate) return std::unexpected(rate.error());
  policy.swarm_bytes_per_second = *rate == 0 ? std::nullopt : std::optional(*rate);
  return {};
}

std::string swarm_text(const Policy& policy) {
  if (policy.swarm == "off") return "off: large files come from the hub alone";
  const std::string whom = policy.swarm == "anywhere" ? "with nodes anywhere" : "with nodes of private addresses";
  return policy.swarm_bytes_per_second
             ? fmt::format("{}, at most {}/s", whom, format_bytes(*policy.swarm_bytes_per_second))
             : whom;
}

// After the disk, of which they may take half.
Result<void> take_workspaces(const LimitOptions& options, Policy& policy) {
  if (!options.workspaces.empty()) {
    const Result<std::uint64_t> bytes = parse_size("--workspaces", options.workspaces, kWorkspaces);
    if (!bytes) return std::unexpected(bytes.error());
    policy.workspace_bytes = *bytes;
  }
  const std::uint64_t most = policy.disk_bytes.value_or(kUsualDisk) / 2;
  if (policy.workspace_bytes.value_or(0) <= most) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("--workspaces {}: workspaces may take half of the disk, {}, at most; more disk: hearth limit "
                          "--disk {}",
                          format_bytes(*policy.workspace_bytes), format_bytes(most),
                          format_bytes(2 * *policy.workspace_bytes)));
}

std::string workspaces_text(const Policy& policy, bool own_pool) {
  const std::uint64_t silent = own_pool ? policy.disk_bytes.value_or(kUsualDisk) / 4 : 0;
  const std::uint64_t bytes = policy.workspace_bytes.value_or(silent);
  return bytes == 0 ? "no workspaces" : format_bytes(bytes) + " of that for workspaces";
}

Result<Policy> changed(Policy policy, const LimitOptions& options) {
  if (options.none) {
    policy = Policy{.cores = {},
                    .memory_bytes = {},
                    .disk_bytes = {},
                    .workspace_bytes = {},
                    .hours = {},
                    .rings = policy.rings,
                    .oci_runtime = policy.oci_runtime,
                    .labels = policy.labels,
                    .watts = policy.watts,
                    .swarm = policy.swarm,
                    .swarm_bytes_per_second = policy.swarm_bytes_per_second,
                    .draining = policy.draining,
                    .owner_first = {}};
  }
  Result<void> taken = take_owner_options(options, policy.owner_first);
  if (taken) taken = take_rings(options, policy);
  if (taken) taken = take_runtime(options, policy);
  if (taken) taken = take_labels(options, policy);
  if (taken) taken = take_swarm(options, policy);
  if (!taken) return std::unexpected(taken.error());
  if (!options.cores.empty()) {
    const Result<std::uint64_t> cores = parse_count("--cores", options.cores, kCores);
    if (!cores) return std::unexpected(cores.error());
    policy.cores = *cores;
  }
  if (!options.memory.empty()) {
    const Result<std::uint64_t> memory = parse_size("--memory", options.memory, kMemory);
    if (!memory) return std::unexpected(memory.error());
    policy.memory_bytes = *memory;
  }
  if (!options.disk.empty()) {
    const Result<std::uint64_t> disk = parse_size("--disk", options.disk, kDisk);
    if (!disk) return std::unexpected(disk.error());
    policy.disk_bytes = *disk;
  }
  taken = take_workspaces(options, policy);
  if (!taken) return std::unexpected(taken.error());
  if (!options.hours.empty()) {
    const Result<Hours> hours = parse_hours("--hours", options.hours);
    if (!hours) return std::unexpected(hours.error());
    policy.hours = *hours;
  }
  return policy;
}

std::string span_text(const std::optional<std::uint64_t>& given, std::uint64_t standard) {
  return format_duration(seconds(static_cast<std::int64_t>(given.value_or(standard))));
}

std::string describe(const OwnerFirst& owner, bool own_pool) {
  std::string text = "You come first:\n";
  const std::string mode = owner.mode.value_or(own_pool ? "off" : "auto");
  text +=
      fmt::format("  while you are here  {}\n",
                  mode == "off" ? "guests go on (off)"
                                : "guests are frozen" + std::string(mode == "on" ? "" : ", if this PC has a screen"));
  text += fmt::format("  they go on          after {} without a sign of you\n", span_text(owner.quiet_seconds, 300));
  text += fmt::format("  they are given up   after {}, after {} with a GPU\n", span_text(owner.patience_seconds, 1800),
                      span_text(owner.grace_seconds, 30));
  text +=
      fmt::format("  on battery          {}\n", owner.on_battery.value_or(own_pool) ? "they go on" : "they are frozen");
  text += fmt::format("  on a metered link   {}\n",
                      owner.on_metered.value_or(own_pool) ? "they go on" : "nothing new starts");
  if (mode != "off") {
    text += fmt::format("  on a busy processor {}\n", owner.on_busy.value_or(false) ? "they go on" : "they are frozen");
  }
  const std::uint64_t celsius = owner.max_celsius.value_or(85);
  text += fmt::format("  heat                {}\n",
                      celsius == 0 ? "is not looked at" : fmt::format("they are frozen at {} °C", celsius));
  if (owner.max_price) text += fmt::format("  electricity         they are frozen above {}\n", plain(*owner.max_price));
  return text;
}

// One line for each ring: what holds, said or by default.
std::string describe(const std::map<std::string, RingPolicy>& rings, const std::string& oci_runtime) {
  std::string text = "Whose tasks run here, and what they may:\n";
  for (const std::string_view name : kRingNames) {
    const auto found = rings.find(std::string(name));
    const RingPolicy ring = found == rings.end() ? RingPolicy{} : found->second;
    const std::string level = ring.isolation.value_or(name == "stranger" ? "microvm" : "fence");
    text += fmt::format("  {:8}  ", name);
    if (level == "none") {
      text += "do not run here\n";
      continue;
    }
    text += level == "fence"     ? "behind the fence"
            : level == "microvm" ? "each in a virtual machine, with an environment (--env)"
                                 : "in containers of " + plain(oci_runtime.empty() ? "crun" : oci_runtime);
    if (level != "microvm") {
      const std::string net = ring.net.value_or("none");
      text += ring.host_files.value_or(name == "home") ? ", with this PC's programs" : ", with an environment (--env)";
      if (ring.gpu.value_or(name == "home")) text += ", its GPUs";
      if (ring.gang_network.value_or(name == "home")) text += ", networks for gangs";
      if (net != "none") text += net == "full" ? ", the Internet" : ", the hosts that their job lists";
    }
    text += "\n";
  }
  return text;
}

std::string describe(const Policy& policy, bool own_pool) {
  std::string text = "Others may use of this PC:\n";
  text += fmt::format("  cores   {}\n", policy.cores ? fmt::format("{}", *policy.cores) : "all");
  text +=
      fmt::format("  memory  {}\n", policy.memory_bytes ? format_bytes(*policy.memory_bytes) : "80 % of what it has");
  text += fmt::format("  disk    {}\n", format_bytes(policy.disk_bytes.value_or(kUsualDisk)));
  text += fmt::format("  keeps   {}\n", workspaces_text(policy, own_pool));
  const bool always = !policy.hours || policy.hours->from_minute == policy.hours->to_minute;
  text += fmt::format("  hours   {}\n", always ? "all day" : format_hours(*policy.hours));
  for (const auto& [name, value] : policy.labels) text += fmt::format("  label   {} = {}\n", name, plain(value));
  text += fmt::format("  swarm   {}\n", swarm_text(policy));
  if (policy.watts) text += fmt::format("  power   {:.0f} W under load\n", *policy.watts);
  text += describe(policy.rings, policy.oci_runtime);
  text += describe(policy.owner_first, own_pool);
  if (policy.draining) text += "It is leaving its pool: what runs is finished, nothing new is taken.\n";
  return text;
}

// What --none leaves as it is, in words; "": nothing.
std::string kept_text(const Policy& policy) {
  std::vector<std::string> kept;
  if (!policy.labels.empty()) kept.emplace_back("labels");
  if (!policy.rings.empty()) kept.emplace_back("what --for says of rings");
  if (!policy.oci_runtime.empty()) kept.emplace_back("--oci-runtime");
  if (policy.watts) kept.emplace_back("--watts");
  if (!policy.swarm.empty() || policy.swarm_bytes_per_second) kept.emplace_back("--swarm");
  return fmt::format("{}", fmt::join(kept, ", "));
}

// A level that does not work here is no error: its kernel or program may come later. Until then nothing runs by it.
void warn_of_level(const Context& context, const std::string& level) {
  if (level != "oci" && level != "microvm") return;
  for (const Finding& finding : context.programs->self_test(context.home.root)) {
    if (finding.name != "level " + level || finding.ok) continue;
    say(fmt::format("warning: {} does not work on this PC, and so these tasks do not run here: {}{}{}", level,
                    finding.detail, finding.remedy.empty() ? "" : "; ", finding.remedy));
  }
}

}  // namespace

Result<int> limit(const Context& context, const LimitOptions& options) {
  const Result<Config> config = load_config(context.home);
  if (!config) return std::unexpected(config.error());
  const Result<Policy> before = load_policy(context.home);
  if (!before) return std::unexpected(before.error());
  const Result<Policy> after = changed(*before, options);
  if (!after) return std::unexpected(after.error());
  if (*after != *before || options.none) {
    const Result<void> written = write_file_atomically(context.home.policy(), format_policy(*after));
    if (!written) return std::unexpected(written.error());
    if (Lock::holder(context.home)) say("This PC's node heeds it in a moment.");
  }
  if (const std::string kept = kept_text(*after); options.none && !kept.empty()) {
    say(fmt::format("--none lifts limits alone; as they were: {}", kept));
  }
  warn_of_level(context, options.isolation);
  print(context.json ? format_policy(*after) : describe(*after, config->hub));
  return 0;
}

}  // namespace hearth::cli
