// `hearth drive grant-space`: room on this PC for other devices' backups. What is granted is a small file of this PC's
// own (drive/space_server.h), which its hub looks at with each request: nobody else can grant any.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/sizes.h"
#include "cli/backups.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/values.h"
#include "hearth/v1/devices.pb.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr Range kSpace{.least = 16 * kMiB, .most = 1ULL << 50};
constexpr std::string_view kAppendOnly = " append-only";

struct Space {
  std::uint64_t device = 0;
  std::string grant;  // the file's text, without its line break; empty: none any more
  std::uint64_t held = 0;
};

fs::path place_of(const Home& home, std::uint64_t device) { return home.hub() / "spaces" / fmt::format("{}", device); }

std::uint64_t held_in(const fs::path& place) {
  std::error_code error;
  std::uint64_t bytes = 0;
  for (fs::recursive_directory_iterator entry(place / "repository", error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code none;
    if (entry->is_regular_file(none)) bytes += entry->file_size(none);
  }
  return bytes;
}

std::vector<Space> spaces_of(const Home& home) {
  std::vector<Space> spaces;
  std::error_code error;
  for (fs::directory_iterator entry(home.hub() / "spaces", error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos || name.size() > 19) continue;
    std::string grant = read_small_file(entry->path() / "grant").value_or("");
    while (grant.ends_with('\n')) grant.pop_back();
    spaces.push_back({.device = std::stoull(name), .grant = std::move(grant), .held = held_in(entry->path())});
  }
  std::ranges::sort(spaces, {}, &Space::device);
  return spaces;
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

int list_spaces(const Context& context, const v1::ListDevicesReply& devices) {
  const std::vector<Space> spaces = spaces_of(context.home);
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Space& one : spaces) {
      list.push_back({{"device", name_of(devices, one.device)}, {"grant", one.grant}, {"held_bytes", one.held}});
    }
    const nlohmann::ordered_json reply = {{"spaces", list}};
    print(reply.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return 0;
  }
  Table table({{"DEVICE"}, {"GRANTED"}, {"HOLDS", true}});
  for (const Space& one : spaces) {
    table.add({name_of(devices, one.device), granted_text(one), format_bytes(one.held)});
  }
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

}  // namespace

Result<int> grant_space(const Context& context, const SpaceOptions& options) {
  if (Result<void> held = require_hub(context.home); !held) return std::unexpected(held.error());
  const Result<v1::ListDevicesReply> devices = fetch_devices(context);
  if (!devices) return std::unexpected(devices.error());
  if (options.device.empty()) return list_spaces(context, *devices);
  const Result<std::uint64_t> device = device_of(*devices, options.device);
  if (!device) return std::unexpected(device.error());
  const fs::path grant = place_of(context.home, *device) / "grant";
  if (options.none) {
    std::error_code error;
    if (!fs::remove(grant, error)) {
      return fail(Code::kNotFound, fmt::format("{}: no space is granted to it", plain(options.device)));
    }
    say(fmt::format("{} reaches nothing here any more; what it has stored is erased by: rm -r {}",
                    plain(options.device), place_of(context.home, *device).string()));
    return 0;
  }
  if (options.size.empty()) return fail(Code::kInvalidArgument, "SIZE: how much it may store, for example 200G");
  const Result<std::uint64_t> bytes = parse_size("SIZE", options.size, kSpace);
  if (!bytes) return std::unexpected(bytes.error());
  if (!options.of.empty()) {
    const Result<std::uint64_t> before = device_of(*devices, options.of);
    if (!before) return std::unexpected(before.error());
    if (Result<void> taken = take_over(context, *device, *before); !taken) return std::unexpected(taken.error());
  }
  const std::string text = fmt::format("{}{}\n", *bytes, options.append_only ? kAppendOnly : "");
  if (Result<void> written = write_file_atomically(grant, text); !written) return std::unexpected(written.error());
  say(fmt::format("{} may store backups of up to {} here, which this PC cannot read{}", plain(options.device),
                  format_bytes(*bytes), options.append_only ? ", and remove none of them" : ""));
  if (context.json) return list_spaces(context, *devices);
  return 0;
}

}  // namespace hearth::cli
