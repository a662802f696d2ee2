// Where the drive's links are kept between two runs of the hub: a text (Folder::write_own), one link a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/drive/links.h"

namespace hearth::drive {

std::string encode_links(const std::vector<Link>& links);

// Errors: kDataLoss, naming the line.
Result<std::vector<Link>> decode_links(std::string_view text);

}  // namespace hearth::drive
