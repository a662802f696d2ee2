// The drive's files on their way to and from this PC.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/client.h"
#include "hearth/v1/drive.pb.h"

namespace hearth::cli {

// All that a folder of the drive holds, by name. Errors: those of DriveService.List.
Result<v1::ListDriveReply> list_drive_folder(Client& client, const std::string& path);

struct BroughtBack {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::int64_t same = 0;      // files that the drive has as they were
  std::int64_t left_out = 0;  // each was told of, with why
};
// Puts what lies below `from` where it was in the drive of this PC, whose folder is `drive`. What it replaces becomes
// an earlier version; what else the drive has stays. Errors: those after which nothing more can be put.
Result<BroughtBack> bring_back_into_drive(Client& client, const std::filesystem::path& from,
                                          const std::filesystem::path& drive);

}  // namespace hearth::cli
