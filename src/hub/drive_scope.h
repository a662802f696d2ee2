// Into what of the drive somebody is let: a device of ring home into all but what is other people's own, a person being
// an account of the pool; a link's guest into what the link shares, as far as its maker reaches that still.
#pragma once

#include <map>

#include "core/drive/links.h"
#include "core/drive/scope.h"
#include "drive/drive.h"
#include "hub/accounts.h"
#include "hub/devices.h"

namespace hearth::hub {

struct Parts;

// The account that the device is in; empty: none.
std::string person_of(const Devices& devices, const Accounts& accounts, DeviceId device);

// Errors: kPermissionDenied (not of ring home), kDataLoss (it is not known whose the drive's folders are).
Result<drive::Scope> drive_scope(const Devices& devices, const Accounts& accounts, const drive::Drive& drive,
                                 DeviceId device);
Result<drive::Scope> drive_scope(const Parts& parts, DeviceId device);

// What is closed to each device of ring home.
std::map<DeviceId, drive::FolderNames> closed_folders(const Parts& parts);
// Cuts the connections of those to whom something has been closed since, but the caller's own.
void cut_shut_out(Parts& parts, const std::map<DeviceId, drive::FolderNames>& before, DeviceId caller);

// Of private folders, a link to all of the drive shares none. Errors: kDataLoss.
Result<drive::Scope> link_scope(const drive::Drive& drive, const drive::Link& link);

// Whether its maker may share that still.
bool may_share(const Parts& parts, const drive::Link& link);

}  // namespace hearth::hub
