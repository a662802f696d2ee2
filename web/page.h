// The page as the program carries it: every file that web/ builds.
#pragma once

#include <vector>

#include "hub/hub.h"

namespace hearth {

// "/index.html" and what it names; the views live as long as the program.
const std::vector<hub::PageFile>& page_files();

}  // namespace hearth
