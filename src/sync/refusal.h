// What the drive's HTTP says no with, as an error.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace hearth::sync {

// Of an answer about `path`: the hub's own words without the status that they begin with, or ours where it cannot know
// what they mean here. `unmet`: what 412 says (kFailedPrecondition).
std::unexpected<Error> fail_refused(const net::Response& response, const std::string& path, std::string_view unmet);

}  // namespace hearth::sync
