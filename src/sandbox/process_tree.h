// A process and all that it started, held still by signals: for machines whose control groups have no freezer.
//
// It must be process 1 of a PID namespace, so that whatever it started stays below it. A guest cannot wake itself, but
// it can notice afterwards that it slept.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace hearth::sandbox {

// Returns when all of them stand still. Errors: kDeadlineExceeded if they do not within 2 s.
Result<void> stop_tree(pid_t root);

void continue_tree(pid_t root);

}  // namespace hearth::sandbox
