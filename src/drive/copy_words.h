// The messages of hubs.proto about the drive's copy, and core/drive/copy.h's words for them.
#pragma once

#include <string>
#include <vector>

#include "core/drive/copy.h"
#include "hearth/v1/hubs.pb.h"

namespace hearth::drive {

inline constexpr std::string_view kCopyPrefix = "/hub/drive/";
inline constexpr int kMaxListsWanted = 256;
inline constexpr std::size_t kMaxEntriesOfFolder = 2'000'000;

v1::DriveCopyEntry message_of(const CopyEntry& entry);
// Errors: kInvalidArgument (a name that is none, attributes that are not the drive's).
Result<CopyEntry> entry_of(const v1::DriveCopyEntry& message);

// What the one that stands by shows to the holder: that it knows the secrets of both, so that a hub that was let go of
// does not read the drive any more.
std::string copy_password(const std::string& holder_secret, const std::string& partner_secret);

// A hub's name in a CopyMark.
std::string copy_source_name(const std::string& identity_key);

}  // namespace hearth::drive
