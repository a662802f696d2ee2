#include "node/policy.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

namespace hearth::node {
namespace {

using Json = nlohmann::json;

std::unexpected<Error> refuse(std::string_view field, std::string_view allowed) {
  return fail(Code::kInvalidArgument, "policy.json: \"" + std::string(field) + "\" must be " + std::string(allowed));
}

Result<std::uint64_t> number(const Json& object, const char* field, std::uint64_t absent) {
  auto found = object.find(field);
  if (found == object.end() || found->is_null()) return absent;
  if (!found->is_number_unsigned()) return refuse(field, "a whole number of at least 0");
  return found->get<std::uint64_t>();
}

Result<bool> flag(const Json& object, const char* field, bool absent) {
  auto found = object.find(field);
  if (found == object.end() || found->is_null()) return absent;
  if (!found->is_boolean()) return refuse(field, "true or false");
  return found->get<bool>();
}

// "22" or "22:30" as minutes of the day; -1 if malformed. 24 is the day's end.
int minute_of(std::string_view text) {
  std::size_t colon = text.find(':');
  std::string_view hour_text = text.substr(0, colon);
  std::string_view minute_text = colon == std::string_view::npos ? "0" : text.substr(colon + 1);
  int hour = -1;
  int minute = -1;
  auto read = [](std::string_view digits, int& out) {
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc() && end == digits.data() + digits.size() && digits.size() <= 2 && out >= 0;
  };
  if (!read(hour_text, hour) || !read(minute_text, minute) || hour > 24 || minute > 59) return -1;
  int minutes = hour * 60 + minute;
  if (minutes > 24 * 60) return -1;
  return minutes % (24 * 60);
}

Result<void> read_hours(const Json& object, Policy& policy) {
  constexpr std::string_view kAllowed = "a span of the day like \"22-7\" or \"22:30-7:00\"";
  auto found = object.find("hours");
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) return refuse("hours", kAllowed);
  std::string text = found->get<std::string>();
  if (text.empty()) return {};
  std::size_t dash = text.find('-');
  if (dash == std::string::npos) return refuse("hours", kAllowed);
  int from = minute_of(std::string_view(text).substr(0, dash));
  int to = minute_of(std::string_view(text).substr(dash + 1));
  if (from < 0 || to < 0) return refuse("hours", kAllowed);
  policy.has_hours = true;
  policy.from_minute = static_cast<std::uint16_t>(from);
  policy.to_minute = static_cast<std::uint16_t>(to);
  return {};
}

Result<OwnerFirstMode> mode_of(const Json& object, OwnerFirstMode absent) {
  auto found = object.find("mode");
  if (found == object.end() || found->is_null()) return absent;
  if (*found == "auto") return OwnerFirstMode::kAuto;
  if (*found == "on") return OwnerFirstMode::kOn;
  if (*found == "off") return OwnerFirstMode::kOff;
  return refuse("owner_first.mode", "\"auto\", \"on\" or \"off\"");
}

Result<void> read_duration(const Json& object, const char* field, Duration& out) {
  constexpr std::uint64_t kMost = 30ULL * 86'400;
  Result<std::uint64_t> value = number(object, field, static_cast<std::uint64_t>(out.micros / 1'000'000));
  if (!value) return std::unexpected(value.error());
  if (*value > kMost) return refuse(field, "at most 2592000 seconds, 30 days");
  out = seconds(static_cast<std::int64_t>(*value));
  return {};
}

Result<void> read_price(const Json& object, OwnerFirst& owner) {
  auto found = object.find("max_price");
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) return refuse("owner_first.max_price", "a text like \"0.3\"");
  Result<std::uint64_t> price = presence::parse_price(found->get<std::string>());
  if (!price) return fail(price, "policy.json: \"owner_first.max_price\"");
  owner.max_price = *price;
  return {};
}

Result<void> read_owner_first(const Json& policy_object, OwnerFirst& owner) {
  auto found = policy_object.find("owner_first");
  if (found == policy_object.end() || found->is_null()) return {};
  if (!found->is_object()) return refuse("owner_first", "an object");
  Result<OwnerFirstMode> mode = mode_of(*found, owner.mode);
  Result<bool> on_battery = flag(*found, "on_battery", owner.on_battery);
  Result<bool> on_metered = flag(*found, "on_metered", owner.on_metered);
  Result<bool> on_busy = flag(*found, "on_busy", owner.on_busy);
  Result<std::uint64_t> celsius = number(*found, "max_celsius", owner.max_celsius);
  if (!mode) return std::unexpected(mode.error());
  if (!on_battery) return std::unexpected(on_battery.error());
  if (!on_metered) return std::unexpected(on_metered.error());
  if (!on_busy) return std::unexpected(on_busy.error());
  if (!celsius) return std::unexpected(celsius.error());
  if (*celsius > 150) return refuse("owner_first.max_celsius", "at most 150");
  owner.mode = *mode;
  owner.on_battery = *on_battery;
  owner.on_metered = *on_metered;
  owner.on_busy = *on_busy;
  owner.max_celsius = static_cast<std::uint32_t>(*celsius);
  Result<void> read = read_duration(*found, "quiet_seconds", owner.quiet);
  if (read) read = read_duration(*found, "patience_seconds", owner.patience);
  if (read) read = read_duration(*found, "grace_seconds", owner.grace);
  if (read) read = read_price(*found, owner);
  return read;
}

}  // namespace

Result<std::optional<presence::Tariff>> parse_tariff(std::string_view json) {
  Json object = Json::parse(json, nullptr, false);
  const auto owner = object.is_object() ? object.find("owner_first") : object.end();
  if (owner == object.end() || !owner->is_object()) return std::nullopt;
  const auto text = owner->find("tariff");
  if (text == owner->end() || text->is_null()) return std::nullopt;
  if (!text->is_string()) return refuse("owner_first.tariff", "text with a line like \"22:00-06:00 0.21\"");
  Result<presence::Tariff> tariff = presence::Tariff::parse(text->get<std::string>());
  if (!tariff) return fail(tariff, "policy.json: \"owner_first.tariff\"");
  return std::optional<presence::Tariff>(std::move(*tariff));
}

Policy silent_policy(const Resources& machine, std::uint64_t disk_bytes, bool own_pool) {
  Policy policy;
  policy.limit = machine;
  policy.limit.memory_bytes = machine.memory_bytes / 5 * 4;
  policy.limit.disk_bytes = std::min(disk_bytes / 2, machine.disk_bytes);
  if (own_pool) {
    policy.owner_first.mode = OwnerFirstMode::kOff;
    policy.owner_first.on_battery = true;
    policy.owner_first.on_metered = true;
    policy.admits.workspace_bytes = disk_bytes / 4;
  }
  return policy;
}

Result<std::uint64_t> parse_disk_limit(std::string_view json, std::uint64_t absent) {
  constexpr std::uint64_t kLeast = 64ULL << 20;
  Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) return fail(Code::kInvalidArgument, "policy.json is no JSON object");
  Result<std::uint64_t> bytes = number(object, "disk_bytes", absent);
  if (bytes && *bytes < kLeast) return refuse("disk_bytes", "at least 67108864 (64 MiB)");
  return bytes;
}

Result<Policy> parse_policy(std::string_view json, const Policy& silent, const Resources& machine) {
  Json object = Json::parse(json, nullptr, false);
  if (!object.is_object()) return fail(Code::kInvalidArgument, "policy.json is no JSON object");
  Policy policy = silent;
  Result<std::uint64_t> cores = number(object, "cores", silent.limit.cores);
  Result<std::uint64_t> memory = number(object, "memory_bytes", silent.limit.memory_bytes);
  Result<bool> draining = flag(object, "draining", false);
  if (!cores) return std::unexpected(cores.error());
  if (!memory) return std::unexpected(memory.error());
  if (!draining) return std::unexpected(draining.error());
  policy.limit.cores = static_cast<std::uint32_t>(std::min<std::uint64_t>(*cores, machine.cores));
  policy.limit.memory_bytes = std::min(*memory, machine.memory_bytes);
  policy.draining = *draining;
  if (Result<void> read = read_hours(object, policy); !read) return std::unexpected(read.error());
  const Result<std::uint64_t> workspaces = number(object, "workspace_bytes", silent.admits.workspace_bytes);
  if (!workspaces) return std::unexpected(workspaces.error());
  policy.admits.workspace_bytes = *workspaces;
  if (Result<void> read = read_owner_first(object, policy.owner_first); !read) return std::unexpected(read.error());
  return policy;
}

}  // namespace hearth::node
