// A short program in a sandbox, waited for: how a Host finds out what its sandboxes really do.
#pragma once

#include <stop_token>
#include <string>

#include "sandbox/sandbox.h"

namespace hearth::sandbox {

struct Trial {
  Exit exit;
  std::string output;  // of both streams, at most 64 KiB
};

// Runs a shell script for at most `patience`, or until it is to stop.
Trial run_trial(Sandbox& box, const std::string& script, Duration patience = seconds(20), std::stop_token stop = {});

}  // namespace hearth::sandbox
