// Why a program is ended for the files that it made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hearth/v1/types.pb.h"

namespace hearth::node {

struct Excess {
  v1::FailureReason reason = v1::FAILURE_REASON_UNSPECIFIED;
  std::string sentence;  // empty: it is not
};

// Of the files below `disk` (empty: there are none), which may take so much. Blocks.
Excess excess_on_disk(const std::filesystem::path& disk, std::uint64_t bytes);

}  // namespace hearth::node
