// Who is in: the devices of the pool, held in memory as the store has them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/v1/pairing.pb.h"
#include "hub/visibility.h"
#include "store/store.h"

namespace hearth::hub {

class Devices {
 public:
  explicit Devices(std::vector<store::DeviceRow> rows);

  // Revoked devices too: old jobs name them. Null if there never was one.
  const store::DeviceRow* find(DeviceId id) const;
  // Only those that are in; a token that has run out is still among them, until an owner takes it out.
  const store::DeviceRow* find_active(DeviceId id) const;
  const store::DeviceRow* find_by_key(std::string_view spki) const;
  bool ever_had_key(std::string_view spki) const;  // revoked ones too
  std::vector<const store::DeviceRow*> active() const;
  std::size_t owners() const;

  // What it is shown. One that is not in: nothing but its own.
  Visibility visible_to(DeviceId id) const;

  // "?" for an unknown one.
  std::string name(DeviceId id) const;

  // A row for a new device, with a number of its own and a name that nobody else has ("phone", "phone 2"). Not in the
  // table until put().
  store::DeviceRow make(std::string name, v1::Role role, v1::KeyKind key_kind, std::string key, WallTime now);

  // What the store has committed.
  void put(const store::DeviceRow& row);

  void seen(DeviceId id, WallTime now);

 private:
  std::map<DeviceId, store::DeviceRow> rows_;
  std::uint64_t last_id_ = 0;
};

// Errors: kInvalidArgument, if people could not read it as a device's name.
Result<void> check_device_name(std::string_view name);

// Whether it is a token that lets nobody in any more.
bool has_run_out(const store::DeviceRow& row, WallTime now);

}  // namespace hearth::hub
