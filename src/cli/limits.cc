// `hearth limit`: what this PC's owner lets others use.
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr Range kCores = {0, 1024};
constexpr Range kMemory = {0, 4 * kTiB};
constexpr Range kDisk = {64 * kMiB, 1024 * kTiB};

Result<Policy> changed(Policy policy, const LimitOptions& options) {
  if (options.none)
    policy = Policy{
        .cores = {}, .memory_bytes = {}, .disk_bytes = {}, .hours = {}, .net = policy.net, .draining = policy.draining};
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

std::string describe(const Policy& policy) {
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
  if (policy.draining) text += "It is leaving its pool: what runs is finished, nothing new is taken.\n";
  return text;
}

}  // namespace

Result<int> limit(const Context& context, const LimitOptions& options) {
  const Result<Policy> before = load_policy(context.home);
  if (!before) return std::unexpected(before.error());
  const Result<Policy> after = changed(*before, options);
  if (!after) return std::unexpected(after.error());
  if (*after != *before || options.none) {
    const Result<void> written = write_file_atomically(context.home.policy(), format_policy(*after));
    if (!written) return std::unexpected(written.error());
  }
  print(context.json ? format_policy(*after) : describe(*after));
  return 0;
}

}  // namespace hearth::cli
