// Where the drive's locks are kept between two runs of the hub: a text (Folder::write_own), one lock a
// line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/drive/locks.h"

namespace hearth::drive {

std::string encode_locks(const std::vector<Lock>& locks);

// Errors: kDataLoss, naming the line.
Result<std::vector<Lock>> decode_locks(std::string_view text);

}  // namespace hearth::drive
