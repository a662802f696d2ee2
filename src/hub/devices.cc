#include "hub/devices.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"

namespace hearth::hub {

Devices::Devices(std::vector<store::DeviceRow> rows) {
  for (store::DeviceRow& row : rows) put(row);
}

const store::DeviceRow* Devices::find(DeviceId id) const {
  const auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : &found->second;
}

const store::DeviceRow* Devices::find_active(DeviceId id) const {
  const store::DeviceRow* row = find(id);
  return row != nullptr && !row->revoked ? row : nullptr;
}

const store::DeviceRow* Devices::find_by_key(std::string_view spki) const {
  for (const auto& [id, row] : rows_) {
    if (!row.revoked && row.key == spki) return &row;
  }
  return nullptr;
}

bool Devices::ever_had_key(std::string_view spki) const {
  return std::ranges::any_of(rows_, [spki](const auto& entry) { return entry.second.key == spki; });
}

std::vector<const store::DeviceRow*> Devices::active() const {
  std::vector<const store::DeviceRow*> found;
  for (const auto& [id, row] : rows_) {
    if (!row.revoked) found.push_back(&row);
  }
  return found;
}

std::size_t Devices::owners() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(active(), [](const auto* row) { return row->role == v1::ROLE_OWNER; }));
}

Visibility Devices::visible_to(DeviceId id) const {
  const store::DeviceRow* row = find_active(id);
  return {id, row == nullptr ? Ring::kStranger : row->ring};
}

std::string Devices::name(DeviceId id) const {
  const store::DeviceRow* row = find(id);
  return row == nullptr ? "?" : row->name;
}

store::DeviceRow Devices::make(std::string name, v1::Role role, v1::KeyKind key_kind, std::string key, WallTime now) {
  std::set<std::string_view> taken;
  for (const store::DeviceRow* row : active()) taken.insert(row->name);
  std::string unique = name;
  for (int number = 2; taken.contains(unique); ++number) unique = fmt::format("{} {}", name, number);
  return {.id = {++last_id_},
          .name = std::move(unique),
          .role = static_cast<std::uint8_t>(role),
          .key_kind = static_cast<std::uint8_t>(key_kind),
          .key = std::move(key),
          .paired = now,
          .last_seen = now,
          .expires = {}};
}

void Devices::put(const store::DeviceRow& row) {
  last_id_ = std::max(last_id_, row.id.value);
  rows_[row.id] = row;
}

void Devices::seen(DeviceId id, WallTime now) {
  if (const auto found = rows_.find(id); found != rows_.end()) found->second.last_seen = now;
}

Result<void> check_device_name(std::string_view name) {
  constexpr std::size_t kMaxBytes = 64;
  if (!name.empty() && name.size() <= kMaxBytes && is_plain_utf8(name)) return {};
  return fail(Code::kInvalidArgument, "name: 1 to 64 bytes of UTF-8 without control characters");
}

bool has_run_out(const store::DeviceRow& row, WallTime now) {
  return row.expires.unix_millis != 0 && now >= row.expires;
}

}  // namespace hearth::hub
