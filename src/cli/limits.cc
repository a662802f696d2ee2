// `hearth limit`: what this PC's owner lets others use.
#include <fmt/format.h>

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

constexpr Range kCelsius = {0, 150};

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

// Whether the runtime works is for the node to try; a name that is wrong is told at once.
Result<void> take_isolation(const LimitOptions& options, Policy& policy) {
  constexpr std::size_t kMaxRuntimeBytes = 1024;
  const std::string& level = options.isolation;
  if (!level.empty() && level != "fence" && level != "oci" && level != "microvm") {
    return fail(Code::kInvalidArgument, fmt::format("--isolation {}: fence, oci or microvm is needed", plain(level)));
  }
  if (!level.empty()) policy.isolation = level;
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

// What stands between a guest and this PC.
std::string describe_isolation(const Policy& policy) {
  if (policy.isolation == "microvm") return "a virtual machine for each task";
  if (policy.isolation == "fence") return "the fence";
  return "an OCI runtime: " + plain(policy.oci_runtime.empty() ? "crun" : policy.oci_runtime);
}

Result<Policy> changed(Policy policy, const LimitOptions& options) {
  if (options.none) {
    policy = Policy{.cores = {},
                    .memory_bytes = {},
                    .disk_bytes = {},
                    .hours = {},
                    .isolation = policy.isolation,
                    .oci_runtime = policy.oci_runtime,
                    .net = policy.net,
                    .draining = policy.draining,
                    .owner_first = {}};
  }
  if (Result<void> taken = take_owner_options(options, policy.owner_first); !taken) {
    return std::unexpected(taken.error());
  }
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
  if (!options.hours.empty()) {
    const Result<Hours> hours = parse_hours("--hours", options.hours);
    if (!hours) return std::unexpected(hours.error());
    policy.hours = *hours;
  }
  if (const Result<void> taken = take_isolation(options, policy); !taken) return std::unexpected(taken.error());
  if (options.net.empty()) return policy;
  if (options.net != "none" && options.net != "listed" && options.net != "full") {
    return fail(
        Code::kInvalidArgument,
        fmt::format(
            "--net {}: \"none\" of the network, the hosts that their job has \"listed\", or \"full\": the Internet",
            plain(options.net)));
  }
  policy.net = options.net;
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

std::string describe(const Policy& policy, bool own_pool) {
  std::string text = "Others may use of this PC:\n";
  text += fmt::format("  cores   {}\n", policy.cores ? fmt::format("{}", *policy.cores) : "all");
  text +=
      fmt::format("  memory  {}\n", policy.memory_bytes ? format_bytes(*policy.memory_bytes) : "80 % of what it has");
  text += fmt::format("  disk    {}\n", policy.disk_bytes ? format_bytes(*policy.disk_bytes) : "20 GiB");
  const bool always = !policy.hours || policy.hours->from_minute == policy.hours->to_minute;
  text += fmt::format("  hours   {}\n", always ? "all day" : format_hours(*policy.hours));
  text += fmt::format("  network {}\n", policy.net == "full"     ? "the Internet"
                                        : policy.net == "listed" ? "the hosts that a job lists"
                                                                 : "none");
  text += fmt::format("  behind  {}\n", describe_isolation(policy));
  text += describe(policy.owner_first, own_pool);
  if (policy.draining) text += "It is leaving its pool: what runs is finished, nothing new is taken.\n";
  return text;
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
  }
  print(context.json ? format_policy(*after) : describe(*after, config->hub));
  return 0;
}

}  // namespace hearth::cli
