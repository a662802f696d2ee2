// How an attempt ended, in the words of the schema and in a sentence for a person.
#pragma once

#include <string>

#include "base/time.h"
#include "hearth/v1/types.pb.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// `timed_out`: it was ended because its time was up, which the host may also tell.
v1::Outcome describe_exit(const sandbox::Exit& exit, bool timed_out, Duration time_limit, std::uint64_t memory_bytes);

// An attempt that never ran, or whose results were refused.
v1::Outcome failed_outcome(v1::FailureReason reason, std::string_view message);
void set_failure(v1::Outcome& outcome, v1::FailureReason reason, std::string_view message);

}  // namespace hearth::node
