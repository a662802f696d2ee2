// `hearth drive grant-space`: room on this PC for others' backups. What is granted is a small file of this PC's own
// (space/server.h), which its hub, or its node, looks at with each request: nobody else can grant any.
#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/entries.h"
#include "base/sizes.h"
#include "base/walk.h"
#include "cli/backups.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr Range kSpace{.least = 16 * kMiB, .most = 1ULL << 50};
constexpr std::string_view kAppendOnly = " append-only";

// To whom a PC that holds no pool can grant some.
constexpr std::string_view kPool = "pool";

struct Space {
  std::string who;
  std::string grant;  // the file's text, without its line break; empty: none any more
  std::uint64_t held = 0;
};

fs::path place_of(const Home& home, std::uint64_t device) { return home.hub() / "spaces" / fmt::format("{}", device); }

Space read_space(const fs::path& place, std::string who) {
  std::string grant = read_small_file(place / "grant").value_or("");
  while (grant.ends_with('\n')) grant.pop_back();
  return {.who = std::move(who), .grant = std::move(grant), .held = bytes_below(place / "repository")};
}

Result<v1::ListDevicesReply> fetch_devices(const Context& context) {
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  return (*client)->call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
}

std::string name_of(const v1::ListDevicesReply& devices, std::uint64_t id) {
  const auto found = std::ranges::find(devices.devices(), id, &v1::Device::id);
  return found == devices.devices().end() ? fmt::format("{}", id) : found->name();
}

std::vector<Space> spaces_of(const Home& home, const v1::ListDevicesReply& devices) {
  std::set<std::uint64_t> granted;
  std::error_code error;
  for (const auto& entry : Entries(home.hub() / "spaces", error)) {
    const std::string name = entry.path().filename().string();
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos || name.size() > 19) continue;
    granted.insert(std::stoull(name));
  }
  std::vector<Space> spaces;
  spaces.reserve(granted.size());
  for (const std::uint64_t device : granted) {
    spaces.push_back(read_space(place_of(home, device), name_of(devices, device)));
  }
  return spaces;
}

// By its name, or the number that stands for one which is not in any more.
Result<std::uint64_t> device_of(const v1::ListDevicesReply& devices, const std::string& name) {
  const auto found = std::ranges::find(devices.devices(), name, &v1::Device::name);
  if (found != devices.devices().end()) return found->id();
  const bool is_number = !name.empty() && name.size() < 19 && name.find_first_not_of("0123456789") == std::string::npos;
  if (is_number) return std::stoull(name);
  return fail(Code::kNotFound, fmt::format("{}: no device of this name; all of them: hearth devices", plain(name)));
}

std::string granted_text(const Space& space) {
  if (space.grant.empty()) return "none any more";
  const bool is_append_only = space.grant.ends_with(kAppendOnly);
  const std::string digits = space.grant.substr(0, space.grant.find(' '));
  std::uint64_t bytes = 0;
  for (const char digit : digits) bytes = bytes * 10 + static_cast<std::uint64_t>(digit - '0');
  return format_bytes(bytes) + (is_append_only ? ", append-only" : "");
}

int list_spaces(const Context& context, const std::vector<Space>& spaces) {
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Space& one : spaces) {
      list.push_back({{"device", one.who}, {"grant", one.grant}, {"held_bytes", one.held}});
    }
    const nlohmann::ordered_json reply = {{"spaces", list}};
    print(reply.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return 0;
  }
  Table table({{"DEVICE"}, {"GRANTED"}, {"HOLDS", true}});
  for (const Space& one : spaces) table.add({one.who, granted_text(one), format_bytes(one.held)});
  if (table.empty()) say("no space is granted to anybody: hearth drive grant-space DEVICE SIZE");
  if (!table.empty()) print(table.text());
  return 0;
}

// What another device has here becomes this one's: a PC that burnt is followed by one with a key of its own.
Result<void> take_over(const Context& context, std::uint64_t device, std::uint64_t before) {
  const fs::path from = place_of(context.home, before) / "repository";
  const fs::path to = place_of(context.home, device) / "repository";
  std::error_code error;
  if (!fs::is_directory(from, error)) return fail(Code::kNotFound, "--of: nothing of that device lies here");
  if (fs::exists(to, error)) return fail(Code::kAlreadyExists, "--of: the device has a backup of its own here already");
  if (Result<void> made = make_directory(to.parent_path()); !made) return made;
  fs::rename(from, to, error);
  if (error) return fail_errno(error.value(), to.string());
  fs::remove(place_of(context.home, before) / "grant", error);
  return {};
}

// What is granted from now on, as it was asked.
Result<void> set_grant(const SpaceOptions& options, const fs::path& place) {
  const fs::path grant = place / "grant";
  if (options.none) {
    std::error_code error;
    if (!fs::remove(grant, error)) {
      return fail(Code::kNotFound, fmt::format("{}: no space is granted to it", plain(options.device)));
    }
    say(fmt::format("{} reaches nothing here any more; what it has stored is erased by: rm -r {}",
                    plain(options.device), place.string()));
    return {};
  }
  const Result<std::uint64_t> bytes = parse_size("SIZE", options.size, kSpace);
  if (!bytes) return std::unexpected(bytes.error());
  const std::string text = fmt::format("{}{}\n", *bytes, options.append_only ? kAppendOnly : "");
  if (Result<void> written = write_file_atomically(grant, text); !written) return written;
  say(fmt::format("{} may store backups of up to {} here, which this PC cannot read{}", plain(options.device),
                  format_bytes(*bytes), options.append_only ? ", and remove none of them" : ""));
  return {};
}

// For a PC that works for a pool and does not hold it.
Result<int> grant_space_to_pool(const Context& context, const SpaceOptions& options) {
  const auto listed = [&] {
    const Space space = read_space(pool_space(context.home), std::string(kPool));
    const bool is_any = !space.grant.empty() || space.held > 0;
    return list_spaces(context, is_any ? std::vector{space} : std::vector<Space>());
  };
  if (options.device.empty()) return listed();
  if (options.device != kPool || !options.of.empty()) {
    return fail(Code::kInvalidArgument,
                "this PC does not hold the pool, so it grants space to its pool alone: hearth drive grant-space pool "
                "SIZE");
  }
  if (Result<void> set = set_grant(options, pool_space(context.home)); !set) return std::unexpected(set.error());
  return context.json ? listed() : 0;
}

}  // namespace

std::filesystem::path pool_space(const Home& home) { return home.node() / "space"; }

Result<int> grant_space(const Context& context, const SpaceOptions& options) {
  if (!options.device.empty() && !options.none && options.size.empty()) {
    return fail(Code::kInvalidArgument, "SIZE: how much it may store, for example 200G");
  }
  if (const Result<Config> config = load_config(context.home); !config) return std::unexpected(config.error());
  if (!require_hub(context.home)) return grant_space_to_pool(context, options);
  const Result<v1::ListDevicesReply> devices = fetch_devices(context);
  if (!devices) return std::unexpected(devices.error());
  if (options.device.empty()) return list_spaces(context, spaces_of(context.home, *devices));
  const Result<std::uint64_t> device = device_of(*devices, options.device);
  if (!device) return std::unexpected(device.error());
  if (!options.none && !options.of.empty()) {
    const Result<std::uint64_t> before = device_of(*devices, options.of);
    if (!before) return std::unexpected(before.error());
    if (Result<void> taken = take_over(context, *device, *before); !taken) return std::unexpected(taken.error());
  }
  if (Result<void> set = set_grant(options, place_of(context.home, *device)); !set) return std::unexpected(set.error());
  return context.json ? list_spaces(context, spaces_of(context.home, *devices)) : 0;
}

}  // namespace hearth::cli
