#include "hub/drive_scope.h"

#include <algorithm>

#include "hub/guest_door.h"
#include "hub/parts.h"

namespace hearth::hub {

std::string person_of(const Devices& devices, const Accounts& accounts, DeviceId device) {
  const store::DeviceRow* row = devices.find_active(device);
  return row == nullptr ? "" : accounts.name(row->account);
}

Result<drive::Scope> drive_scope(const Devices& devices, const Accounts& accounts, const drive::Drive& drive,
                                 DeviceId device) {
  if (!devices.visible_to(device).is_whole()) {
    return fail(Code::kPermissionDenied, "the drive is for a person's device or a token, of ring home");
  }
  const Result<drive::PrivateFolders> folders = drive.private_folders();
  if (!folders) return std::unexpected(folders.error());
  drive::Scope scope;
  scope.closed = folders->closed_to(person_of(devices, accounts, device));
  scope.settled = folders->names();
  return scope;
}

Result<drive::Scope> drive_scope(const Parts& parts, DeviceId device) {
  return drive_scope(parts.devices, parts.accounts, parts.drive, device);
}

std::map<DeviceId, drive::FolderNames> closed_folders(const Parts& parts) {
  std::map<DeviceId, drive::FolderNames> closed;
  for (const store::DeviceRow* device : parts.devices.active()) {
    if (Result<drive::Scope> scope = drive_scope(parts, device->id)) closed[device->id] = std::move(scope->closed);
  }
  return closed;
}

void cut_shut_out(Parts& parts, const std::map<DeviceId, drive::FolderNames>& before, DeviceId caller) {
  for (const auto& [device, closed] : closed_folders(parts)) {
    const auto then = before.find(device);
    if (device == caller || then == before.end() || std::ranges::includes(then->second, closed)) continue;
    parts.sessions.cut(device);
  }
}

Result<drive::Scope> link_scope(const drive::Drive& drive, const drive::Link& link) {
  const Result<drive::PrivateFolders> folders = drive.private_folders();
  if (!folders) return std::unexpected(folders.error());
  const std::string below = std::string(GuestDoor::kPrefix) + to_text(link.id);
  drive::Scope scope{.root = link.path,
                     .rights = link.rights,
                     .url = below + "/dav",
                     .uploads = below + "/upload/",
                     .thumbs = below + "/thumb",
                     .closed = folders->names(),
                     .settled = folders->names()};
  if (!link.path.is_root()) scope.closed.erase(link.path.names().front());
  return scope;
}

bool may_share(const Parts& parts, const drive::Link& link) {
  const store::DeviceRow* device = parts.devices.find_active(link.maker);
  if (device == nullptr || has_run_out(*device, wall_now())) return false;
  const Result<drive::Scope> scope = drive_scope(parts, link.maker);
  return scope && scope->reaches(link.path);
}

}  // namespace hearth::hub
