// The drive's files on their way to and from this PC.
#pragma once

#include <string>

#include "cli/client.h"
#include "hearth/v1/drive.pb.h"

namespace hearth::cli {

// All that a folder of the drive holds, by name. Errors: those of DriveService.List.
Result<v1::ListDriveReply> list_drive_folder(Client& client, const std::string& path);

}  // namespace hearth::cli
